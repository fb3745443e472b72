"""What a quantised source leaves in float behind int8 tensors, in int16: no kernel of int8 has its range at hand.

Exporters for servers quantise what a layer reads, and leave what the last layer writes in float. Its range follows from
the ranges of what it reads. That is far more than its values use, and int16 has 256 times as many levels as int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..graph.ir import Graph, Node, Quant, Tensor, prune
from ..ops import binary_nearest_s16, filters_of, layer_filters
from . import curves
from . import order as od
from .curves import Range, ends
from .value import Value, real

Quants = dict[str, Quant | None]
_MOST = 2**15 - 1
_COPIES = frozenset(("reshape", "transpose", "strided_slice", "relu", "max_pool", "average_pool"))
_BINARY = frozenset(("add", "mul"))  # of two tensors, to int8 by one rounding
_UNITS = frozenset(("softmax",))  # whose kernel of int16 has one output scale
_UNIT = Quant((2.0**-15,), (0,))
# Levels of int16 for one of int8. With fewer, sums of layers stay within 32 bits, which fast kernels want.
_FINE, _FINE_OF_LAYERS = 128, 16
_BIASES = 2**29


def widened(graph: Graph, quants: Quants, most: Mapping[str, Range]) -> tuple[Graph, Quants]:
    """The graph with int16 for what int8 tensors make in float, where there is such a kernel; the rest stays float.

    Args:
        quants: of every tensor; None: it is float.
        most: between which numbers a tensor may be clamped without changing what comes of it.
    """
    quants, tensors, nodes = dict(quants), dict(graph.tensors), list[Node]()
    ranges: dict[str, Range] = {}  # of tensors of int16
    wide: dict[tuple[str, int], str] = {}  # tensors of int8 and how many levels one of theirs has -> the same in int16
    functions = curves.curves(graph, quants)

    def read(name: str, node: Node) -> str:
        if tensors[name].data is not None or name in ranges:
            return name
        quant, fine = quants[name], _fine(node, tensors, quants)
        assert quant is not None
        if (name, fine) not in wide:
            new = wide[name, fine] = f"{name}/wide" if fine == _FINE else f"{name}/wide_{fine}"
            tensors[new] = replace(tensors[name], name=new, dtype="int16")
            quants[new] = Quant((quant.scale / fine,), (0,))
            ranges[new] = ends(quant)
            nodes.append(Node("quantize", f"{node.name}/wide", (name,), (new,), {}, node.source))
        return wide[name, fine]

    def function(node: Node, curve: curves.Curve) -> bool:
        """Whether a table stands for a function's last step; none is made of a step that further steps alone read."""
        out, source = tensors[node.outputs[0]], curve.source
        if not curve.read or quants[source] is None:
            return quants[source] is not None
        whole, source = source not in ranges, read(source, node)
        given, wanted = quants[source], quants[out.name]
        assert given is not None
        real = curves.values(graph, curve, given.scale, whole)
        if real is None:
            return False
        if wanted is None:
            ranges[out.name] = curves.reached(real, given.scale, ranges[source])
            wanted = quants[out.name] = _over(ranges[out.name])
        dtype = "int16" if out.name in ranges else "int8"
        tensors[out.name] = out = replace(out, dtype=dtype, quant=wanted)
        made, table = curves.tabulated(node, source, out, real)
        tensors[table.name], quants[table.name] = table, None
        nodes.append(made)
        return True

    def joined(name: str, node: Node, i: int, quant: Quant) -> str:
        """A part of what is joined, in the levels of the whole."""
        if quants[name] == quant and tensors[name].dtype == "int16":
            return name
        new = f"{name}/{node.name}_{i}"
        tensors[new], quants[new] = replace(tensors[name], name=new, dtype="int16"), quant
        nodes.append(Node("quantize", f"{node.name}/part_{i}", (name,), (new,), {}, node.source))
        return new

    for node in graph.nodes:
        out = node.outputs[0]
        given = [n for n in node.inputs if tensors[n].data is None]
        if quants[out] is not None and all(quants[n] is not None and n not in ranges for n in given):
            nodes.append(node)
            continue
        if out in functions and function(node, functions[out]):
            continue
        curve = functions.get(node.inputs[0])
        if curve is not None and curve.source not in ranges and curves.averages(node, curve.source, quants):
            given_quant = quants[curve.source]
            assert given_quant is not None
            if (made := curves.mean_of(graph, curve, node, given_quant)) is not None:
                tensors[made[1].name], quants[made[1].name] = made[1], None
                nodes.append(made[0])
                continue
        if node.op == "quantize" and quants[out] is not None and node.inputs[0] in ranges:
            nodes.append(node)
            continue
        known = {n: ranges.get(n) or ends(q) for n in given if (q := quants[n]) is not None}
        found = _range(node, tensors, known) if len(known) == len(set(given)) else None
        if found is None:  # what it reads has no range in int8, and it has no kernel of int16
            quants.update({n: None for n in given if n in ranges})
            nodes.append(node)
            continue
        target, narrow = quants[out], f"{out}/exact"
        if out in most:
            found = max(found[0], most[out][0]), min(found[1], most[out][1])
        if target is not None:
            low, high = ends(target)  # what lies beyond is clamped behind it anyway
            found = max(found[0], low), min(found[1], high)
        else:
            found = curves.needed(graph, quants, functions, out, found)
        if target is not None and node.op in _BINARY:
            a, b = (read(n, node) for n in node.inputs)
            if binary_nearest_s16.fixed(node.op, *(_scale(quants, n) for n in (a, b, out))) is not None:
                nodes.append(replace(node, inputs=(a, b)))
                continue
        if node.op == "concat":
            quant = _quant(node, quants, found)
            node = replace(node, inputs=tuple(joined(n, node, i, quant) for i, n in enumerate(node.inputs)))
        else:
            node = replace(node, inputs=tuple(read(n, node) for n in node.inputs))
        name = out if target is None else narrow
        tensors[name] = replace(tensors[out], name=name, dtype="int16")
        quants[name] = _quant(node, quants, found)
        ranges[name] = found
        nodes.append(replace(node, outputs=(name,)))
        if target is not None:
            nodes.append(Node("quantize", f"{node.name}/narrow", (name,), (out,), {}, node.source))
    return prune(replace(graph, tensors=tensors, nodes=tuple(nodes))), quants


def _range(node: Node, tensors: Mapping[str, Tensor], known: Mapping[str, Range]) -> Range | None:
    """Between which numbers its output lies; None: there is no kernel of int16."""
    given = [known[n] for n in node.inputs if n in known]
    if node.op in _UNITS:
        return 0.0, 1.0
    if node.op in _COPIES or node.op == "mean":
        return given[0]
    if node.op == "concat" and len(given) == len(node.inputs):
        return min(low for low, _ in given), max(high for _, high in given)
    if node.op == "add" and len(given) == 2:
        return given[0][0] + given[1][0], given[0][1] + given[1][1]
    if node.op == "mul" and len(given) == 2:
        products = [a * b for a in given[0] for b in given[1]]
        return min(products), max(products)
    if filters_of(node) is None or tensors[node.inputs[1]].dtype != "int8":
        return None
    (low, high), axis = given[0], layer_filters(node).axis
    w, bias = (tensors[n] for n in node.inputs[1:])
    weights = np.moveaxis(_reals(w), axis, 0).reshape(w.shape[axis], -1)
    over = np.maximum(weights * low, weights * high).sum(1) + _reals(bias)
    under = np.minimum(weights * low, weights * high).sum(1) + _reals(bias)
    return float(under.min()), float(over.max())


def _quant(node: Node, quants: Mapping[str, Quant | None], found: Range) -> Quant:
    if node.op in _UNITS:
        return _UNIT
    given = quants[node.inputs[0]]
    if node.op in _COPIES:
        assert given is not None
        return given
    return _over(found)


def _over(found: Range) -> Quant:
    return Quant((float(np.float32(max(-found[0], found[1]) / _MOST)) or 1.0,), (0,))  # nothing but zeros has any


def _scale(quants: Mapping[str, Quant | None], name: str) -> float:
    quant = quants[name]
    assert quant is not None
    return quant.scale


def _fine(node: Node, tensors: Mapping[str, Tensor], quants: Mapping[str, Quant | None]) -> int:
    """How many levels of int16 one of int8 has, for this reader."""
    if filters_of(node) is None:
        return _FINE
    fine, x, w = _FINE_OF_LAYERS, quants[node.inputs[0]], tensors[node.inputs[1]]
    assert x is not None
    most = np.abs(_reals(tensors[node.inputs[2]]) / (np.array(w.q.scales) * x.scale)).max(initial=0)
    while fine > 1 and most * fine > _BIASES:
        fine //= 2
    return fine


def _reals(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return real(Value(tensor.shape, od.plain(tensor.shape), data=tensor.value, quant=tensor.quant))
