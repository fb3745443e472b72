"""What a quantised source leaves in float behind int8 tensors, in int16: no kernel of int8 has its range at hand.

Exporters for servers quantise what a layer reads, and leave what the last layer writes in float. Its range follows from
the ranges of what it reads. That is far more than its values use, and int16 has 256 times as many levels as int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..graph.ir import Graph, Node, Quant, Tensor
from ..ops import filters_of, layer_filters
from . import order as od
from .value import Value, real

Quants = dict[str, Quant | None]
Range = tuple[float, float]
_MOST = 2**15 - 1
_COPIES = frozenset(("reshape", "transpose", "strided_slice", "relu", "max_pool", "average_pool", "mean"))
_UNITS = frozenset(("softmax", "logistic", "tanh"))  # whose kernels of int16 have one output scale
_UNIT = Quant((2.0**-15,), (0,))


def ends(quant: Quant) -> Range:
    """The smallest and the largest number that int8 levels hold."""
    return quant.scale * (-128 - quant.zero_point), quant.scale * (127 - quant.zero_point)


def widened(graph: Graph, quants: Quants, most: Mapping[str, Range]) -> tuple[Graph, Quants]:
    """The graph with int16 for what int8 tensors make in float, where there is such a kernel; the rest stays float.

    Args:
        quants: of every tensor; None: it is float.
        most: between which numbers a tensor may be clamped without changing what comes of it.
    """
    quants, tensors, nodes = dict(quants), dict(graph.tensors), list[Node]()
    ranges: dict[str, Range] = {}  # of tensors of int16
    wide: dict[str, str] = {}  # tensors of int8 -> the same in int16

    def read(name: str, node: Node) -> str:
        if tensors[name].data is not None or name in ranges:
            return name
        if name not in wide:
            quant = quants[name]
            assert quant is not None
            new = wide[name] = f"{name}/wide"
            tensors[new], quants[new] = replace(tensors[name], name=new, dtype="int16"), Quant((quant.scale,), (0,))
            ranges[new] = ends(quant)
            nodes.append(Node("quantize", f"{node.name}/wide", (name,), (new,), {}, node.source))
        return wide[name]

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
    return replace(graph, tensors=tensors, nodes=tuple(nodes)), quants


def _range(node: Node, tensors: Mapping[str, Tensor], known: Mapping[str, Range]) -> Range | None:
    """Between which numbers its output lies; None: there is no kernel of int16."""
    given = [known[n] for n in node.inputs if n in known]
    if node.op in _UNITS:
        return (-1.0 if node.op == "tanh" else 0.0), 1.0
    if node.op in _COPIES:
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
    return Quant((float(np.float32(max(-found[0], found[1]) / _MOST)) or 1.0,), (0,))  # nothing but zeros has any


def _reals(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return real(Value(tensor.shape, od.plain(tensor.shape), data=tensor.value, quant=tensor.quant))
