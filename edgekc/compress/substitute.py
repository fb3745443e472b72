"""Puts compressed weights into a QUANTIZED graph: dense layers become clustered or template layers.

Post-training quantisation sees the compressed layer as dense weights (the reconstruction), so that ranges and
bias correction know its error; afterwards the dense int8 weights are replaced by what they were made of, which is
also more exact: centers have 16 bits, a and b 11.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..fixedpoint import INT32_MAX
from ..ir import Array, Graph, Node, Quant, Role, Tensor, constant, prune
from ..ops.template_conv2d import PAIR_MAX, RESPONSE_MAX
from .cluster import Clustered
from .codebook import LayerFit

CLUSTERED = {"conv2d": "clustered_conv2d", "fully_connected": "clustered_fully_connected"}
_LARGEST = PAIR_MAX - 1  # of a and b as integers


def clustered(graph: Graph, layer: str, record: Clustered) -> Graph | None:
    """The graph with one dense layer replaced by a clustered one; None where it must stay dense.

    A layer stays dense where a filter of zeros has no center to be made of.
    """
    node = _node(graph, layer)
    x, weights, bias = graph.of(node.inputs)
    scales = record.scales.astype(np.float64)
    if node.op not in CLUSTERED or np.any(scales <= 0):
        return None
    raw, point = record.centers.astype(np.int64), record.point
    while True:
        # Fewer bits where the sum of a filter could leave 32: the centers' last bit is worth least.
        steps = scales * 2.0**-point
        w = raw[record.index].reshape(len(scales), -1)
        levels = _bias(bias, weights, x, steps)
        if _fits(levels, w, x.q.zero_point):
            break
        raw, point = (raw + 1) >> 1, point - 1
    name = node.name
    constants = (
        constant(f"{name}/indices", record.index, Role.INDEX, Quant(tuple(map(float, scales)), (0,) * len(scales), 0)),
        constant(f"{name}/centers", raw[None].astype(np.int16), Role.CENTERS, Quant((2.0**-point,), (0,))),
        constant(f"{name}/bias", levels.astype(np.int32), Role.BIAS),
    )
    return _replaced(graph, node, CLUSTERED[node.op], constants, {})


def templated(graph: Graph, layer: str, fit: LayerFit, templates: Array) -> Graph | None:
    """The graph with one dense convolution replaced by a template convolution; None where it must stay dense.

    Args:
        templates: (T, kh, kw) float32, T at most 256.
    """
    node = _node(graph, layer)
    if node.op != "conv2d" or len(templates) > 256:
        return None
    x, weights, bias = graph.of(node.inputs)
    kernels, tau = integer_templates(templates)
    taps = templates[0].size
    ones = max(RESPONSE_MAX // (128 * taps), 1)
    a, b = fit.a.astype(np.float64) * tau, fit.b.astype(np.float64) / ones  # in units of an integer a and b
    reach = np.abs(kernels.astype(np.int64)).sum((1, 2))[fit.index]
    peak = np.maximum(np.abs(a).max(1), np.abs(b).max(1))
    steps = np.where(peak > 0, peak, 1.0) / _LARGEST
    while True:
        whole = [np.rint(v / steps[:, None]).astype(np.int64) for v in (a, b)]
        levels = _bias(bias, weights, x, steps)
        size = np.abs(whole[0]) * reach + np.abs(whole[1]) * taps * ones
        over = np.abs(levels) + (128 + abs(x.q.zero_point)) * size.sum(1) > INT32_MAX
        if not over.any():
            break
        steps = np.where(over, steps * 2, steps)
    name = node.name
    pairs = np.stack(whole, axis=-1).astype(np.float16)
    row = Quant(tuple(map(float, steps)), (0,) * len(steps), 0)
    constants = (
        constant(f"{name}/templates", kernels, Role.CODEBOOK),
        constant(f"{name}/indices", fit.index.astype(np.uint8), Role.INDEX),
        constant(f"{name}/pairs", pairs, Role.PAIRS, row),
        constant(f"{name}/bias", levels.astype(np.int32), Role.BIAS),
    )
    return _replaced(graph, node, "template_conv2d", constants, {"ones": ones})


def integer_templates(templates: Array) -> tuple[Array, float]:
    """int8 templates whose responses fit 16 bits, and what a step of them is worth."""
    limit = RESPONSE_MAX // 128  # of the sum of a template's magnitudes
    size = max(float(np.abs(templates).sum((1, 2)).max()), 1e-30)
    tau = max(size / limit, float(np.abs(templates).max()) / 127)
    while True:
        whole = np.rint(templates.astype(np.float64) / tau)
        if np.abs(whole).sum((1, 2)).max() <= limit and np.abs(whole).max() <= 127:
            return whole.astype(np.int8), tau
        tau *= 1.002  # rounding may add up to half a step for each value


def _node(graph: Graph, layer: str) -> Node:
    return next(node for node in graph.nodes if node.name == layer)


def _bias(bias: Tensor, weights: Tensor, x: Tensor, steps: Array) -> Array:
    """The dense layer's bias in units of the new products, x scale times `steps` (oc,); int64."""
    old = np.broadcast_to(np.array(weights.q.scales), steps.shape)
    return np.asarray(np.rint(bias.value.astype(np.float64) * old / steps).astype(np.int64))


def _fits(bias: Array, w: Array, zero_point: int) -> bool:
    return bool(np.all(np.abs(bias) + (128 + abs(zero_point)) * np.abs(w).sum(1) <= INT32_MAX))


def _replaced(graph: Graph, node: Node, op: str, constants: tuple[Tensor, ...], more: dict[str, int]) -> Graph:
    new = replace(node, op=op, inputs=(node.inputs[0], *(t.name for t in constants)), attrs={**node.attrs, **more})
    tensors = {**graph.tensors, **{t.name: t for t in constants}}
    return prune(replace(graph, tensors=tensors, nodes=tuple(new if n is node else n for n in graph.nodes)))
