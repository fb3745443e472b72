"""A QUANTIZED graph and inputs to every activation: each node by its own definition, as it was imported.

No pass has touched what is run here, so that the passes can be checked against it. Nodes that only a pass makes
something of have a definition of their own (`SourceOp.direct`): casts between float and int8, and dealing pixels out
to phases and back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..graph.ir import Array, Graph, Node
from ..graph.op import int_attrs, view_of
from ..ops import OPS, function_of, is_function, source_of
from ..passes.lower import fold_constants, lower_node
from ..passes.tabulate_floats import inside


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to be run: its operands' names, and what it computes of their values."""

    node: Node
    inputs: tuple[str, ...]
    compute: Callable[[Sequence[Array]], Array]


@dataclass(frozen=True, slots=True)
class Program:
    """A QUANTIZED graph whose nodes all have a definition."""

    graph: Graph
    steps: tuple[Step, ...]

    @property
    def at_once(self) -> int:
        """How many samples may share a batch: one where pixels are dealt out to a batch of phases, or with states."""
        return 1 if self.graph.states or any(source_of(s.node).splits_batch for s in self.steps) else 32


def prepare(graph: Graph, rounding: str = "tflite") -> Program:
    """Raises ModelError and UnsupportedError, as `lower.lower`, where a node has no definition by itself."""
    graph = fold_constants(graph, rounding)
    tabulated = inside(graph)
    return Program(graph, tuple(_step(graph, node, rounding, tabulated) for node in graph.nodes))


def run(program: Program, inputs: Sequence[Array], states: Sequence[Array] | None = None) -> dict[str, Array]:
    """All activations by name.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of its type, float32 included; at most
            `program.at_once` samples.
        states: as in `reference.run`.
    """
    graph = program.graph
    values: dict[str, Array] = dict(zip(graph.inputs, inputs, strict=True))
    kept = [s.initial for s in graph.states] if states is None else states
    values.update(zip((s.start for s in graph.states), kept, strict=True))
    for step in program.steps:
        values[step.node.outputs[0]] = step.compute([values[name] for name in step.inputs])
    return values


def batches(program: Program, inputs: Sequence[Array], size: int) -> Iterator[dict[str, Array]]:
    """All activations of any number of samples, `size` by `size`; with states they are a sequence from its start."""
    states: list[Array] | None = None
    for start in range(0, len(inputs[0]), size):
        values = run(program, [x[start : start + size] for x in inputs], states)
        states = [values[s.end] for s in program.graph.states]
        yield values


def outputs(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs only, of any number of samples."""
    parts = [[values[name] for name in program.graph.outputs] for values in batches(program, inputs, program.at_once)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _step(graph: Graph, node: Node, rounding: str, tabulated: Collection[str]) -> Step:
    view = view_of(graph, node)
    source = source_of(node)
    direct = source.direct
    if direct is not None and (source.lower is None or "float32" in (view.x.dtype, view.out.dtype)):
        return Step(node, node.inputs[:1], lambda operands: direct(view, operands[0]))
    if node.name in tabulated and is_function(node):
        return Step(node, node.inputs[:1], lambda operands: function_of(view, operands[0]))
    lowered, constants = lower_node(graph, node, rounding)
    op, attrs, tail = OPS[lowered.op], int_attrs(lowered), view.out.shape[1:]
    values = [t.value for t in constants]
    if op.view:
        whole = view.x.shape[0] != view.out.shape[0]  # of one sample
        return Step(
            node, lowered.inputs[:1], lambda ops: ops[0].reshape(view.out.shape if whole else (len(ops[0]), *tail))
        )
    activations = lowered.inputs[: len(lowered.inputs) - len(constants)]
    return Step(node, activations, lambda operands: op.reference(attrs, [*operands, *values])[0])
