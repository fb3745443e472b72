"""Groups of ONNX nodes that are one operator, written out by exporters of opsets that lack it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import replace

from .file import FileModel, FileNode


def fuse(model: FileModel) -> FileModel:
    """The model with GELU as one node: x / 2 * (1 + erf(x / sqrt(2))), its products in any order."""
    writers = {name: node for node in model.nodes for name in node.outputs}
    readers: dict[str, list[FileNode]] = defaultdict(list)
    for node in model.nodes:
        for name in node.inputs:
            readers[name].append(node)
    read_inside = {name for node in model.nodes for name in node.read_inside()}
    ends = {*model.outputs, *read_inside}
    gone: set[int] = set()
    made: dict[int, FileNode] = {}
    for erf in model.nodes:
        found = _gelu(model, erf, writers, readers, ends) if erf.op == "Erf" else None
        if found is not None:
            x, inner, last = found
            gone.update(node.index for node in inner)
            made[last.index] = replace(last, op="Gelu", inputs=(x,), attrs={})
    return replace(model, nodes=tuple(made.get(n.index, n) for n in model.nodes if n.index not in gone))


def _gelu(
    model: FileModel,
    erf: FileNode,
    writers: dict[str, FileNode],
    readers: dict[str, list[FileNode]],
    ends: Set[str],
) -> tuple[str, list[FileNode], FileNode] | None:
    """(x, nodes that only serve it, its last node); None where this is another function."""

    def number(name: str) -> float | None:
        data = model.constants.get(name)
        return float(data.ravel()[0]) if data is not None and data.size == 1 and data.dtype.kind == "f" else None

    def other(node: FileNode, name: str) -> str:
        return node.inputs[1] if node.inputs[0] == name else node.inputs[0]

    def only_reader(node: FileNode) -> FileNode | None:
        (name,) = node.outputs
        return readers[name][0] if len(readers[name]) == 1 and name not in ends else None

    def constant_of(node: FileNode) -> Iterator[tuple[str, float]]:
        for name in node.inputs:
            value = number(name)
            if value is not None:
                yield other(node, name), value

    scaled, plus = writers.get(erf.inputs[0]), only_reader(erf)
    if scaled is None or plus is None or scaled.op not in ("Div", "Mul") or plus.op != "Add":
        return None
    factor = math.sqrt(2) if scaled.op == "Div" else math.sqrt(0.5)
    x = next((name for name, value in constant_of(scaled) if math.isclose(value, factor, rel_tol=1e-5)), None)
    if x is None or not any(value == 1 for _, value in constant_of(plus)):
        return None
    inner, node, half, times = [erf, plus], plus, False, False
    while not (half and times):
        following = only_reader(node)
        if following is None or following.op != "Mul":
            return None
        factor_of = other(following, node.outputs[0])
        before = writers.get(factor_of)
        if number(factor_of) == 0.5:
            half = True
        elif factor_of == x:
            times = True
        elif before is not None and before.op == "Mul" and (x, 0.5) in list(constant_of(before)):
            half = times = True
        else:
            return None
        inner.append(following)
        node = following
    return x, inner[:-1], node
