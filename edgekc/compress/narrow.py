"""An INTEGER graph whose packed weights are too large to be expanded, to one whose codes have so many bits less.

Models packed by this version have such codes already (`substitute.py`). Of older ones centers and pairs are rounded to
what kernels can expand to 16 bits, and the row scales take up the rest; outputs change a little, as by any rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..fixedpoint import quantize_multiplier
from ..ir import Array, Graph, Node, Role, Tensor, constant
from ..op import View
from ..ops import _clustered as cl
from ..ops import _template as tp
from .substitute import SMALLER, excess

_CLUSTERED = ("clustered_conv2d",)
_TEMPLATED = ("template_conv2d", "template_pairs_conv2d")


def narrow(graph: Graph) -> tuple[Graph, list[str]]:
    """The graph, and a line for each layer that was changed."""
    notes = []
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        if node.op not in (*_CLUSTERED, *_TEMPLATED):
            continue
        view = View(node, tuple(graph.of(node.inputs)), tuple(graph.of(node.outputs)))
        codes = _clustered(view) if node.op in _CLUSTERED else _templated(view)
        if codes is not None:
            tensors.update(codes)
            notes.append(f"{node.name}: codes rounded to what can be expanded to 16 bits")
    return replace(graph, tensors=tensors), notes


def _clustered(view: View) -> Mapping[str, Tensor] | None:
    indices, centers = view.inputs[1:3]
    old = cl.expand(indices.value, centers.value)
    bits = max(int(np.ceil(np.log2(_excess(view.node, old)))), 0)
    raw, w = centers.value, old
    while _excess(view.node, w) > 1:
        raw = np.rint(centers.value / 2.0**bits).astype(np.int16)
        w = cl.expand(indices.value, raw)
        bits += 1
    if w is old:
        return None
    factor = 2.0 ** (bits - 1)
    quant = replace(centers.q, scales=(centers.q.scale * factor,))
    return {centers.name: constant(centers.name, raw, Role.CENTERS, quant), **_rest(view, old, w, factor)}


def _templated(view: View) -> Mapping[str, Tensor] | None:
    templates, indices, pairs = view.inputs[1:4]
    own = tp.kernel_pairs(view)
    old = tp.expand(view["ones"], templates.value, indices.value, own)
    factor, w, raw = _excess(view.node, old), old, pairs.value
    while _excess(view.node, w) > 1:
        factor *= SMALLER
        raw = np.rint(pairs.value.astype(np.float64) / factor).astype(np.float16)
        own = raw[view.inputs[4].value] if view.inputs[4].role is Role.INDEX else raw
        w = tp.expand(view["ones"], templates.value, indices.value, own)
    if w is old:
        return None
    return {pairs.name: constant(pairs.name, raw, Role.PAIRS), **_rest(view, old, w, factor)}


def _excess(node: Node, w: Array) -> float:
    return float(excess(replace(node, op="conv2d"), w).max())


def _rest(view: View, old: Array, new: Array, factor: float) -> dict[str, Tensor]:
    """Bias and requantisation for weights that are `factor` times smaller; the input's zero point is in the bias."""
    bias, multiplier, shift = view.inputs[-3:]
    sums = [w.reshape(len(w), -1).sum(1) for w in (old, new)]
    plain = bias.value.astype(np.int64) + view["pad_value"] * sums[0]
    whole = np.rint(plain / factor).astype(np.int64) - view["pad_value"] * sums[1]
    real = np.ldexp(multiplier.value.astype(np.float64), shift.value.astype(np.int64) - 31) * factor
    requant = [quantize_multiplier(float(r)) for r in real]
    return {
        bias.name: constant(bias.name, whole.astype(np.int32), Role.BIAS),
        multiplier.name: constant(multiplier.name, np.array([r[0] for r in requant], np.int32), Role.REQUANT),
        shift.name: constant(shift.name, np.array([r[1] for r in requant], np.int8), Role.REQUANT),
    }
