"""Bias and multipliers of a layer by which an integer kernel gives the levels nearest to the real values.

TensorFlow Lite's integers put a level's threshold up to one unit of the accumulator off: the bias is a whole number of
units, and the double rounding goes away from zero. PyTorch computes in float and rounds once. Where a QUANTIZED node
asks for that (`NEAREST`), the accumulator is counted from beyond one end of int8, the anchor, so that all that is not
clamped has one sign. Both errors then are a constant, which the bias takes but for a part of a unit; the multiplier
moves so far that this part is 0 at the real value 0. It grows to at most half a unit at the anchor. That is as far away
as 14 bits of a zero point and 26 of an accumulator allow, so hardly any of it is left among the levels of int8. No
kernel is new.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...errors import UnsupportedError
from ...graph.bounds import FAR_ZEROS
from ...graph.fixedpoint import DOUBLE, INT32_MAX, quantize_multiplier
from ...graph.ir import Array, Graph, Node, Quant, Role, Tensor, constant
from ...graph.op import Lowered, View

NEAREST = "nearest"  # an attribute of QUANTIZED nodes: 1 where PyTorch's levels are asked for, not LiteRT's
_MOST = 2.0**26  # of a bias: kernels want accumulators below 2^29 and 2^30
_SPARE = 2**30
_FARTHEST = FAR_ZEROS[1] - 127
_UNSEEN = 2.0**-9  # levels that no channel needs to move its output


def fine(bias: Array, units: Array) -> tuple[Array, Quant]:
    """Real biases as int32 of a unit that is as small as 32 bits allow, by powers of two: levels and their scales."""
    levels = np.abs(bias / units)
    spare = np.clip(np.floor(np.log2(_SPARE / np.maximum(levels, 1))), 0, 16)
    scales = (units * 2.0**-spare).astype(np.float32)
    return np.rint(bias / scales).astype(np.int32), Quant(tuple(scales.tolist()), (0,) * scales.size, 0)


def coarse(graph: Graph, node: Node) -> Graph:
    """The graph with this node's bias in units of its accumulator, as lowering wants it.

    Raises:
        UnsupportedError: 32 bits do not hold it.
    """
    if not node.attrs.get(NEAREST) or len(node.inputs) < 3:
        return graph
    x, w, bias = (graph.tensors[n] for n in node.inputs[:3])
    with np.errstate(divide="ignore", invalid="ignore"):  # of scales whose product is no number above 0
        levels = np.rint(_in_units(x, w, bias))
    if not (np.abs(levels) <= INT32_MAX).all():
        raise UnsupportedError(
            "its bias does not fit an accumulator of 32 bits",
            where=node.name,
            fix="requantise the model with a larger bias scale",
        )
    return replace(graph, tensors={**graph.tensors, bias.name: constant(bias.name, levels.astype(np.int32), Role.BIAS)})


def _in_units(x: Tensor, w: Tensor, bias: Tensor) -> Array:
    """The bias in units of the accumulator, with its fraction."""
    units = x.q.scale * np.array(w.q.scales)
    return np.asarray(bias.value * np.array(bias.q.scales) / units)


def anchored(view: View, lowered: Lowered) -> Lowered:
    """`lowered` with another bias and multiplier for each channel.

    As it is where 32 bits do not hold them, or a unit of an accumulator is more than a level.

    Args:
        view: the QUANTIZED node, with its bias in fine units.
    """
    if not view.node.attrs.get(NEAREST):
        return lowered
    weights, bias, *_ = lowered.constants
    channels, zero = bias.shape[0], view.out.q.zero_point
    axis = 2 if weights.value.ndim == 3 else 0
    w = np.moveaxis(weights.value.astype(np.int64), axis, 0).reshape(channels, -1)
    real = np.broadcast_to(_in_units(view.x, view.weights, view.inputs[2]), (channels,))
    ratios = np.broadcast_to(view.x.q.scale * np.array(view.weights.q.scales) / view.out.q.scale, (channels,))
    end = 127 if zero < 0 else -128  # the farther one
    reach = _reach(real, ratios, abs(zero - end))
    anchor = end + reach if zero < 0 else end - reach
    found = []
    for filter_, b, ratio in zip(w, real, ratios, strict=True):
        if float(np.abs(filter_).sum()) * 255 * ratio < _UNSEEN:
            filter_[:], b, ratio = 0, b * ratio * 2.0**8, 2.0**-8  # its output is one level, whatever it reads
        if ratio > 1 or abs(zero - anchor) / ratio + abs(b) > _MOST:
            return lowered
        found.append(_channel(b, ratio, zero - anchor, lowered.attrs["rounding"] == DOUBLE))
    biases, pairs = np.array([f[0] for f in found]), [quantize_multiplier(f[1]) for f in found]
    biases = biases - view.x.q.zero_point * w.sum(1)
    if np.any(np.abs(biases) + (128 + abs(view.x.q.zero_point)) * np.abs(w).sum(1) > INT32_MAX):
        return lowered
    name = view.node.name
    return replace(
        lowered,
        attrs={**lowered.attrs, "out_zero": anchor},
        constants=(
            replace(weights, data=np.moveaxis(w.reshape(np.moveaxis(weights.value, axis, 0).shape), 0, axis)
                    .astype(np.int8)),
            constant(bias.name, biases.astype(np.int32), Role.BIAS),
            constant(f"{name}/multiplier", np.array([p[0] for p in pairs], np.int32), Role.REQUANT),
            constant(f"{name}/shift", np.array([p[1] for p in pairs], np.int8), Role.REQUANT),
        ),
    )  # fmt: skip


def _reach(real: Array, ratios: Array, least: int) -> int:
    """How far beyond an end of int8 the anchor may be, for all channels."""
    reach = _FARTHEST
    while reach and bool(np.any((least + reach) / ratios + np.abs(real) > _MOST)):
        reach //= 2
    return reach


def _channel(bias: float, ratio: float, distance: int, double: bool) -> tuple[int, float]:
    """(whole bias, ratio) so that ratio * (acc + bias) is `distance` where acc + `bias` is 0, roundings included.

    With a right shift, R2(v) is the nearest to ratio * v and half of 2^shift more, away from zero.
    """
    shift = math.frexp(ratio)[1]
    moved = math.copysign(2.0 ** (shift - 1), distance) if double and shift < 0 else 0.0
    whole = round(bias + (distance - moved) / ratio)
    return whole, (distance - moved) / (whole - bias)
