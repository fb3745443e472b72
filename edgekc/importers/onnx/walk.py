"""The nodes of an .onnx graph in their order, and of the graphs inside of them: what each computes."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import ModelError, UnsupportedError
from .. import loops
from ..builder import Builder
from ..value import Value, constant_value
from . import control, fold, qlinear
from .args import Args
from .file import FileModel, FileNode
from .handlers import HANDLERS

# What takes whole numbers that are an activation; others compute real ones.
_OF_WHOLE = frozenset("Cast Flatten Gather Identity OneHot Reshape Squeeze Transpose Unsqueeze".split())
_MOST_STEPS = 1 << 15  # nodes of all steps of loops; those on integers alone become nothing


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a graph stand for."""

    values: MutableMapping[str, Value]
    loose: set[str]  # what comes of refused nodes; unless it is among the values, nothing is known of it


@dataclass(slots=True)
class Walk:
    """Makes nodes of a model's nodes; notes what stands in the way, and goes on."""

    b: Builder
    opset: int
    walked: int = 0  # nodes inside of others
    depth: int = 0  # of the graph that is being read: how many nodes it lies in
    constants: dict[int, dict[str, Value]] = field(default_factory=dict)  # of each graph inside of a node

    def run(self, graph: FileModel, scope: Scope, where: str) -> None:
        """All nodes of a graph; `where`: the file, and the nodes that the graph lies in.

        Raises:
            ModelError: the graph contradicts itself.
        """
        b, values, loose = self.b, scope.values, scope.loose
        for node in graph.nodes:
            b.at = f"{where}: {node.title}"
            if not self.depth:
                b.source = node.index
            before, refused, follows = len(b.nodes), len(b.refused), not loose.isdisjoint(_read(node))
            try:
                results = self._checked(node, scope, graph)
            except (UnsupportedError, ModelError) as error:
                if isinstance(error, UnsupportedError):
                    b.refuse(error, node.outputs[0] if node.outputs else "")
                elif not follows:
                    raise
                results = []
            if len(b.refused) > refused or not results:
                del b.nodes[before:]
                results, follows = [b.stand_in(graph.shapes.get(key)) for key in node.outputs], True
            values.update((k, v) for k, v in zip(node.outputs, results, strict=False) if v is not None)
            loose.update(node.outputs if follows else ())
        for key in graph.outputs:
            if key not in values and key not in loose:
                raise ModelError(f"output {key[:60]!r} is never computed", where=where)

    def inside(
        self, a: Args, scope: Scope, graph: FileModel, inputs: Sequence[Value], loop: bool
    ) -> list[Value] | None:
        """The outputs of a graph inside of a node; None where something in it was refused, or follows such a node."""
        b, at, refused = self.b, self.b.at, len(self.b.refused)
        if self.depth == loops.DEEPEST:
            raise loops.too_deep("loops and branches", at)
        self.walked += 1 + len(graph.nodes)
        if loop and (self.walked > _MOST_STEPS or len(b.nodes) + len(graph.nodes) > loops.MAX_OPERATORS):
            raise loops.too_long(at)
        if len(graph.inputs) != len(inputs):
            raise b.wrong(f"its graph has {len(graph.inputs)} inputs for {len(inputs)} values")
        if id(graph) not in self.constants:
            self.constants[id(graph)] = {key: constant_value(data, key) for key, data in graph.constants.items()}
        given = {item.name: value for item, value in zip(graph.inputs, inputs, strict=True)}
        within = Scope(ChainMap(given, self.constants[id(graph)], scope.values), set(scope.loose))
        self.depth += 1
        try:
            self.run(graph, within, at)
        finally:
            self.depth -= 1
            b.at = at
        if len(b.refused) > refused or any(key not in within.values for key in graph.outputs):
            return None
        return [within.values[key] for key in graph.outputs]

    def _checked(self, node: FileNode, scope: Scope, graph: FileModel) -> list[Value | None]:
        """What a node computes, of the shapes that the file states; None: nothing is known of it."""
        b, values, loose = self.b, scope.values, scope.loose
        for key in node.inputs:
            if key and key not in values and key not in loose:
                raise b.wrong(f"tensor {key[:60]!r} is read before it is computed, or is a further output")
        if any(key in loose and key not in values for key in _read(node)):
            if node.op not in (*_supported(), *fold.FOLDABLE, "Shape"):
                raise b.missing(_supported())
            return [b.stand_in(graph.shapes.get(key)) for key in node.outputs]
        results = self._outputs(Args(b, node, values, self.opset), scope)
        for key, value in zip(node.outputs, results, strict=False):
            b.check_stated(value.shape, graph.shapes.get(key))
        return list(results)

    def _outputs(self, a: Args, scope: Scope) -> list[Value]:
        """What a node computes: constants where all its inputs are, else what its handler makes of it."""
        operands = [a.get(i) for i in range(len(a.node.inputs))]
        if a.node.op == "Shape" and operands and operands[0] is not None:
            shape = np.array(operands[0].shape, np.int64)
            return [constant_value(shape[a.attr("start", 0) : a.attr("end", None)], a.node.outputs[0])]
        foldable = all(v is None or (v.data is not None and v.quant is None) for v in operands)
        if foldable and a.node.op in fold.FOLDABLE:
            arrays = [None if v is None else v.data for v in operands]
            a.b.count_made(fold.folded_bytes(a.node, arrays))
            source = next((v.source for v in operands if v is not None and v.data is not None and v.data.ndim > 1), "")
            return [constant_value(r, source) for r in fold.fold(a.node, arrays, a.opset, a.b.at)]
        handler, graphs = HANDLERS.get(a.node.op), control.HANDLERS.get(a.node.op)
        if handler is not None and a.node.op not in _OF_WHOLE and any(v is not None and v.whole for v in operands):
            raise a.b.unsupported("integers that are computed at run time", f"{', '.join(sorted(_OF_WHOLE))} of them")
        try:
            if graphs is not None:
                results: Value | list[Value] = graphs(a, lambda *given: self.inside(a, scope, *given))
            elif handler is not None:
                results = handler(a)
            else:
                fix = qlinear.STATIC if qlinear.kind(a.node) in qlinear.DYNAMIC else ""
                raise a.b.missing(_supported(), fix)
            a.check_seen()
            return results if isinstance(results, list) else [results]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A handler trusts the types that the standard gives attributes; a damaged file keeps to none.
            raise a.b.wrong(f"attributes and operands do not fit ({type(error).__name__}: {error})") from error


def _read(node: FileNode) -> tuple[str, ...]:
    return (*node.inputs, *node.read_inside())


def _supported() -> list[str]:
    return [*HANDLERS, *control.HANDLERS]
