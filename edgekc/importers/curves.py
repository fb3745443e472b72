"""Functions of single values that a quantised source computes in float: of what, by which steps, and as tables.

Such a function reads a tensor of int8, or one that the source leaves in float and that is int16 here. All its steps are
one table, as wide as the values are of which it has different ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant, consumers
from ..ops import is_function, lut_mean, lut_s16
from ..ops.shared import int16
from .rescale import BINARY, computed, every_byte

_PLAIN = ("relu", "quantize")  # by themselves they have kernels of int16, which round exactly
_SAMPLES = 4097
_ROOM, _PARTS = 2, 256  # of a tensor that is also read as it is: times the range of its levels, parts of a level
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """A tensor as a function of another.

    Attributes:
        source: the tensor that is read.
        steps: nodes from it to the tensor, in order.
        read: whether anything but further steps reads the tensor.
    """

    source: str
    steps: tuple[Node, ...]
    read: bool


def curves(graph: Graph, quants: Mapping[str, Quant | None]) -> dict[str, Curve]:
    """Of every tensor that is a function in float of single values of another one."""
    steps: dict[str, tuple[str, tuple[Node, ...]]] = {}
    for node in graph.nodes:
        out, given = node.outputs[0], [n for n in node.inputs if graph.tensors[n].data is None]
        whole = quants[out] is not None and all(quants[n] is not None for n in given)
        numbers = [t for t in graph.of(node.inputs) if t.data is not None]
        if (
            whole
            or not given
            or not (is_function(node) or node.op in BINARY)
            or any(t.value.size != 1 for t in numbers)
        ):
            continue
        parts = [steps.get(n, (n, ())) if quants[n] is None else (n, ()) for n in given]
        source = parts[0][0]
        if any(other != source for other, _ in parts) or graph.tensors[source].shape != graph.tensors[out].shape:
            continue
        before = {step.name: step for _, part in parts for step in part}
        if before or node.op not in _PLAIN:
            steps[out] = source, (*(n for n in graph.nodes if n.name in before), node)
    readers, found = consumers(graph), dict[str, Curve]()
    for name, (source, nodes) in steps.items():
        inside = all(
            steps.get(reader.outputs[0], ("",))[0] == source or averages(reader, source, quants)
            for reader in readers[name]
        )
        read = quants[name] is not None or name in graph.outputs or not inside
        found[name] = Curve(source, nodes, read)
    return found


def averages(node: Node, source: str, quants: Mapping[str, Quant | None]) -> bool:
    """Whether a node is a mean to int8 of a function of int8, for which there is a kernel."""
    return node.op == "mean" and quants[node.outputs[0]] is not None and quants[source] is not None


def ends(quant: Quant) -> Range:
    """The smallest and the largest number that int8 levels hold."""
    return quant.scale * (-128 - quant.zero_point), quant.scale * (127 - quant.zero_point)


def needed(
    graph: Graph, quants: Mapping[str, Quant | None], found: Mapping[str, Curve], name: str, reach: Range
) -> Range:
    """The part of `reach` of a float tensor beyond which nothing that is made of it changes.

    What is read as it is, and also quantised, is taken to change within `_ROOM` times the range of its levels.
    """
    readers, samples = consumers(graph), np.linspace(*reach, _SAMPLES).astype(np.float32)
    made = [(t, computed(graph, c.steps, name, samples)) for t, c in found.items() if c.source == name and c.read]
    made += [(n.outputs[0], samples) for n in readers[name] if n.op == "quantize" and n.outputs[0] not in found]
    inner = {target for target, _ in made} | {t for t, c in found.items() if c.source == name}
    if name in graph.outputs or any(reader.outputs[0] not in inner for reader in readers[name]):
        made.append((name, samples))
    first, last = _SAMPLES, -1
    for target, real in made:
        quant, room, parts = quants[target], 1, 1
        if quant is None:
            beside = [q for n in readers[target] if n.op == "quantize" and (q := quants[n.outputs[0]]) is not None]
            if not beside:
                return reach
            quant, room, parts = max(beside, key=lambda q: q.scale), _ROOM, _PARTS
        low, high = (np.float32(room * end) for end in ends(quant))
        (changes,) = np.nonzero(np.diff(np.rint(np.clip(real, low, high) / np.float32(quant.scale / parts))))
        if changes.size:
            first, last = min(first, int(changes[0])), max(last, int(changes[-1]) + 1)
    return (float(samples[first]), float(samples[last])) if first < last else reach


def values(graph: Graph, curve: Curve, scale: float, exact: bool) -> Array | None:
    """float32 (513,): a function of int16 levels at the entries of a table; None: some are no finite numbers.

    Args:
        exact: whether only the entries are read. Else they lie between what the function is there and what lines
            between them would best be, which halves the distance of lines from the function.
    """
    at = (np.arange(lut_s16.ENTRIES) * lut_s16.STEP + int16.LOW).astype(np.float32) * np.float32(scale)
    real = computed(graph, curve.steps, curve.source, at)
    if real.shape != at.shape or not np.isfinite(real).all():
        return None
    if not exact:
        between = computed(graph, curve.steps, curve.source, (at[1:] + at[:-1]) / 2)
        off = between - (real[1:] + real[:-1]) / 2
        real = real + (np.append(off, off[-1]) + np.append(off[0], off)) / 4
    return real if np.isfinite(real).all() else None


def mean_of(graph: Graph, curve: Curve, node: Node, given: Quant) -> tuple[Node, Tensor] | None:
    """A mean of a function of int8 as one node, and its table; None: some of its values are no finite numbers."""
    real = computed(graph, curve.steps, curve.source, every_byte(given)).astype(np.float64)
    if not np.isfinite(real).all():
        return None
    count = math.prod(graph.tensors[node.inputs[0]].shape) // math.prod(graph.tensors[node.outputs[0]].shape)
    table = lut_mean.entries(f"{node.name}/table", real, count)
    return replace(node, op="mean_of_table", inputs=(curve.source, table.name)), table


def reached(real: Array, scale: float, between: Range) -> Range:
    """The least and the most of a table's entries (513,) around the levels between two ends of what it reads."""
    first, last = ((end / scale - int16.LOW) / lut_s16.STEP for end in between)
    seen = real[max(math.floor(first), 0) : math.ceil(last) + 1]
    return float(seen.min()), float(seen.max())


def tabulated(node: Node, source: str, out: Tensor, real: Array) -> tuple[Node, Tensor]:
    """A table node in the place of `node`, and its constant; `out` has its type and its scale."""
    quant = out.q
    entries = lut_s16.entries_of(real.astype(np.float64) / quant.scale, quant.zero_point, out.dtype)
    table = constant(f"{node.name}/table", entries, Role.REQUANT)
    return Node("table", node.name, (source, table.name), (out.name,), {}, node.source), table
