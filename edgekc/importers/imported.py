"""What an importer makes of a model: its graph, and everything that stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import ModelError, UnsupportedError, refusal
from ..graph.ir import Graph, Stage, prune
from ..ops import source_of
from ..passes import QUANTIZED_PASSES
from ..passes.floats import refused
from ..passes.lower import lower_nodes


@dataclass(frozen=True, slots=True)
class SourceOperator:
    """An operator as the model names it."""

    index: int
    operator: str
    tensor: str  # that it computes; empty: the model gives it no name


@dataclass(frozen=True, slots=True)
class Imported:
    """A model as far as it could be read.

    Attributes:
        graph: what refused operators compute are inputs of it.
        operators: all of the model's.
        refused: what stands in the way of the import, in the model's order.
        guessed: tensors of the graph that stand for what refused operators compute.
    """

    graph: Graph
    operators: tuple[SourceOperator, ...]
    refused: tuple[UnsupportedError, ...] = ()
    guessed: frozenset[str] = frozenset()

    def sound(self, *, allow_float: bool = False) -> Graph:
        """The graph.

        Args:
            allow_float: operators that compute in float do not stand in the way.

        Raises:
            UnsupportedError: something stands in the way; it names all that does, lowering included.
        """
        if self.refused:
            raise refusal(in_order([*self.refused, *lowered_in_part(self, allow_float=allow_float)[1]]))
        return self.graph


def lowered_in_part(
    read: Imported, rounding: str = "tflite", *, allow_float: bool = False
) -> tuple[Graph, tuple[UnsupportedError, ...]]:
    """A quantised model that could not be read wholly: what of it becomes integers, and what stands in the way of that.

    A float model is returned as it is.
    """
    graph, found = read.graph, []
    if graph.stage is not Stage.QUANTIZED:
        return graph, ()
    for _, run in QUANTIZED_PASSES:
        try:
            graph, _ = run(graph)
        except UnsupportedError as error:
            node = next((node for node in graph.nodes if node.name == error.where), None)
            if read.refused and (node is None or source_of(node).splits_batch):
                continue  # a cast at an edge of what was refused, or half of a pair whose other half was
            error.operator = None if node is None or node.source < 0 else node.source
            if error.where not in _followers(graph, read.guessed):
                found.append(error)
        except ModelError:  # of shapes that are not certain; where all are, lowering says the same
            continue
    if not allow_float:
        guessed = _followers(graph, read.guessed)
        found += [error for error in refused(graph) if error.where not in guessed]
    blamed = {node.name for node in graph.nodes if read.refused and source_of(node).splits_batch}
    blamed.update(error.where for error in found)
    graph, more = lower_nodes(graph, rounding, read.guessed)
    return graph, (*found, *(error for error in more if error.where not in blamed))


def _followers(graph: Graph, guessed: frozenset[str]) -> set[str]:
    """Names of the tensors and nodes that come of guessed ones."""
    names = set(guessed)
    for node in graph.nodes:
        if not names.isdisjoint(node.inputs):
            names.update((node.name, *node.outputs))
    return names


def partial(graph: Graph, guessed: Sequence[str]) -> tuple[Graph, frozenset[str]]:
    """A graph whose inputs are also the tensors that were guessed, where something reads them."""
    read = {name for node in graph.nodes for name in node.inputs}
    used = tuple(name for name in guessed if name in read)
    outputs = tuple(n for n in graph.outputs if n not in guessed)
    more = tuple(n for n in used if n not in graph.inputs)
    return prune(replace(graph, inputs=(*graph.inputs, *more), outputs=outputs)), frozenset(used)


def in_order(found: Sequence[UnsupportedError]) -> list[UnsupportedError]:
    """In the order of the model's operators; those of none come first."""
    return sorted(found, key=lambda error: -1 if error.operator is None else error.operator)
