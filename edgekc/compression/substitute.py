"""Puts compressed weights into a QUANTIZED graph: dense layers become clustered or template layers.

Post-training quantisation sees the compressed layer as dense weights (the reconstruction), so that ranges and
bias correction know its error; afterwards the dense int8 weights are replaced by what they were made of, which is
also more exact: centers have 16 bits, a and b 11. Whole multiples of a step need fewer, and are exact in a byte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..graph.fixedpoint import INT32_MAX
from ..graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant, prune
from ..graph.op import Operand
from ..ops import OPS, layer_filters
from ..ops.kernels import winograd
from ..ops.packed.template import PAIR_MAX, RESPONSE_MAX, expand
from ..ops.shared import operands
from .methods.cluster import Clustered, to_rows
from .methods.codebook import LayerKernels
from .model import Model


def _forms(operands: tuple[Operand, ...]) -> dict[str, str]:
    """Operator with dense weights -> that which holds them as these operands."""
    return {op.packs: op.name for op in OPS.values() if op.packs and op.operands == operands}


CLUSTERED, TEMPLATED, _CODED = (_forms(held) for held in (operands.CLUSTERED, operands.TEMPLATED, operands.CODED))
_LARGEST = PAIR_MAX - 1  # of a and b as integers
SMALLER = 1.002  # beyond the excess, for what rounding adds


@dataclass(frozen=True, slots=True)
class PairCodes:
    """A layer whose pairs are a codebook too: W[o, :, :, i] ~ scales[o] * (a * templates[index[o, i]] + b).

    (a, b) = pairs[pair_index[o, i]].
    """

    index: Array  # (oc, ic), of templates
    pair_index: Array  # (oc, ic), below 256
    pairs: Array  # (P, 2) real a and b, P at most 256
    scales: Array  # (oc,) positive


def pack_layers(model: Model, quantized: Graph) -> tuple[Graph, list[str]]:
    """The QUANTIZED graph with its compressed layers in packed form, and the layers that have none."""
    dense: list[str] = []
    for name, record in model.clusters.items():
        after = clustered(quantized, name, record)
        quantized, dense = (after, dense) if after is not None else (quantized, [*dense, name])
    for name, layer in model.templates.items():
        book = model.books[layer.book]
        if layer.pairs is None:
            after = templated(quantized, name, layer.kernels, book)
        else:
            codes = PairCodes(layer.kernels.index, layer.pairs.index, layer.pairs.values, layer.pairs.scales)
            after = template_pairs(quantized, name, codes, book)
        quantized, dense = (after, dense) if after is not None else (quantized, [*dense, name])
    return quantized, dense


def clustered(graph: Graph, layer: str, record: Clustered) -> Graph | None:
    """The graph with one dense layer replaced by a clustered one; None where it must stay dense.

    A layer stays dense where a filter of zeros has no center to be made of.
    """
    node = _node(graph, layer)
    x, weights, bias = graph.of(node.inputs)
    scales = record.scales.astype(np.float64)
    form = CLUSTERED.get(node.op)
    if form is None or np.any(scales <= 0):
        return None
    rows = to_rows(record.index, record.channel_axis)
    used = np.bincount(rows.ravel(), minlength=len(record.centers)) > 0
    raw, point = as_bytes(record.centers.astype(np.int64), record.point, used)
    while True:
        # Fewer bits where the sum of a filter could leave 32, or kernels that expand weights want them smaller: the
        # centers' last bit is worth least.
        steps = scales * 2.0**-point
        w = raw[rows]
        levels = _bias(bias, weights, x, steps)
        if _fits(levels, w, x.q.zero_point) and excess(node, raw[record.index]).max() <= 1:
            break
        raw, point = (raw + 1) >> 1, point - 1
    name = node.name
    # Filter by filter: of a depthwise layer (1, kh, kw, oc) they become (oc, kh, kw).
    index = rows.reshape(len(scales), *record.index.shape[1:3]) if layer_filters(node).depthwise else record.index
    constants = (
        constant(f"{name}/indices", index, Role.INDEX, _rows(scales)),
        constant(f"{name}/centers", raw[None].astype(np.int16), Role.CENTERS, Quant((2.0**-point,), (0,))),
        constant(f"{name}/bias", levels.astype(np.int32), Role.BIAS),
    )
    return _replaced(graph, node, form, constants, {})


def as_bytes(raw: Array, point: int, used: Array) -> tuple[Array, int]:
    """Centers as bytes where they lose nothing by it, as whole multiples of a step do: kernels multiply those faster.

    With as many bits as a byte has without -128 (`ops/kernels/vector.py`), so that biases keep most of theirs.

    Args:
        raw: int64 (k,), of 16 bits.
        used: bool (k,): centers that an index names. The others may be any.
    """
    fewer = 0
    while np.abs(raw[used] >> fewer).max(initial=0) > 127:
        if np.any(raw >> fewer & 1):
            return raw, point
        fewer += 1
    return raw >> fewer, point - fewer


def templated(graph: Graph, layer: str, chosen: LayerKernels, templates: Array) -> Graph | None:
    """The graph with one dense convolution replaced by a template convolution; None where it must stay dense.

    Args:
        chosen: of a depthwise layer as `codebook.from_depthwise` has it, one kernel for each output channel.
        templates: (T, kh, kw) float32, T at most 256.
    """
    node = _node(graph, layer)
    form = TEMPLATED.get(node.op)
    if form is None or len(templates) > 256:
        return None
    x, weights, bias = graph.of(node.inputs)
    kernels, tau, ones = _integer_codebook(templates)
    reach = _reach(kernels, ones)
    a, b = chosen.a.astype(np.float64) * tau, chosen.b.astype(np.float64) / ones  # in units of an integer a and b
    peak = np.maximum(np.abs(a).max(1), np.abs(b).max(1))
    steps = np.where(peak > 0, peak, 1.0) / _LARGEST
    while True:
        whole = np.rint(np.stack([a, b], axis=-1) / steps[:, None, None]).astype(np.int64)
        levels = _bias(bias, weights, x, steps)
        over = _over(levels, whole, reach[chosen.index], x.q.zero_point)
        beyond = excess(node, expand(ones, kernels, chosen.index, whole))
        if not over.any() and beyond.max() <= 1:
            break
        steps = np.maximum(np.where(over, steps * 2, steps), steps * np.where(beyond > 1, beyond * SMALLER, 1))
    name = node.name
    constants = (
        constant(f"{name}/templates", kernels, Role.CODEBOOK),
        constant(f"{name}/indices", chosen.index.astype(np.uint8), Role.INDEX),
        constant(f"{name}/pairs", whole.astype(np.float16), Role.PAIRS, _rows(steps)),
        constant(f"{name}/bias", levels.astype(np.int32), Role.BIAS),
    )
    return _replaced(graph, node, form, constants, {"ones": ones})


def template_pairs(graph: Graph, layer: str, codes: PairCodes, templates: Array) -> Graph | None:
    """As `templated`, of a layer whose pairs are a codebook; all its channels share one step of a and b."""
    node = _node(graph, layer)
    scales = codes.scales.astype(np.float64)
    form = _CODED.get(node.op)
    if form is None or max(len(templates), len(codes.pairs)) > 256 or np.any(scales <= 0):
        return None
    x, weights, bias = graph.of(node.inputs)
    kernels, tau, ones = _integer_codebook(templates)
    reach = _reach(kernels, ones)[codes.index]
    real = codes.pairs.astype(np.float64) * [tau, 1 / ones]
    step = max(float(np.abs(real).max()), 1e-30) / _LARGEST
    while True:
        whole = np.rint(real / step).astype(np.int64)
        levels = _bias(bias, weights, x, scales * step)
        over = _over(levels, whole[codes.pair_index], reach, x.q.zero_point).any()
        beyond = float(excess(node, expand(ones, kernels, codes.index, whole[codes.pair_index])).max())
        if not over and beyond <= 1:
            break
        step = max(step * 2 if over else step, step * beyond * SMALLER if beyond > 1 else step)
    name = node.name
    constants = (
        constant(f"{name}/templates", kernels, Role.CODEBOOK),
        constant(f"{name}/indices", codes.index.astype(np.uint8), Role.INDEX),
        constant(f"{name}/pairs", whole.astype(np.float16), Role.PAIRS, _rows(scales * step)),
        constant(f"{name}/pair_indices", codes.pair_index.astype(np.uint8), Role.INDEX),
        constant(f"{name}/bias", levels.astype(np.int32), Role.BIAS),
    )
    return _replaced(graph, node, form, constants, {"ones": ones})


def _integer_codebook(templates: Array) -> tuple[Array, float, int]:
    """int8 templates, what a step of them is worth, and the value of the constant template."""
    kernels, tau = integer_templates(templates)
    return kernels, tau, max(RESPONSE_MAX // (128 * templates[0].size), 1)


def _reach(kernels: Array, ones: int) -> Array:
    """(T, 2): the sum of magnitudes that a and b of a kernel on each template multiply."""
    size = np.abs(kernels.astype(np.int64)).sum((1, 2))
    return np.stack([size, np.full_like(size, kernels[0].size * ones)], axis=-1)


def _over(levels: Array, pairs: Array, reach: Array, zero_point: int) -> Array:
    """bool (oc,): the channel's sum could leave 32 bits; pairs and reach (oc, ic, 2)."""
    size = (np.abs(pairs) * reach).sum((1, 2))
    return np.asarray(np.abs(levels) + (128 + abs(zero_point)) * size > INT32_MAX)


def excess(node: Node, w: Array) -> Array:
    """How many times larger than 16 bits a layer's weights (oc, kh, kw, ic) are, transformed if they will be.

    Per output channel; kernels that expand weights at run time want at most 1 (docs/numerics.md): of convolutions, and
    of depthwise layers with windows of 3x3.
    """
    wide = w.astype(np.int64)
    filters = layer_filters(node)
    if filters.depthwise and w.shape[1:3] == (3, 3):
        return _beyond(wide)
    if not filters.dense_window:
        return np.zeros(len(w))
    if winograd.window(node, w.shape):
        return np.maximum(_beyond(wide), _beyond(winograd.transform(wide)))
    return _beyond(wide)


def _beyond(w: Array) -> Array:
    return np.asarray(np.maximum(w.max((1, 2, 3)) / (2**15 - 1), w.min((1, 2, 3)) / -(2**15)))


def _rows(steps: Array) -> Quant:
    return Quant(tuple(map(float, steps)), (0,) * len(steps), 0)


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
