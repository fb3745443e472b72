"""What layers with clustered weights share: weight[i] = center[index[i]], never expanded on the device.

Source: the compound compression of Hsiao et al., J. Systems Architecture 95 (2019): k-means per layer, centers
stored as 16-bit fixed point. A row scale per output channel, where there is one, is part of the requantisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import ModelError
from ...graph.bits import index_bits
from ...graph.fixedpoint import quantize_multiplier
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import ChannelRule, Field, IntAttrs, Interval, Param, View
from ...graph.scratch import Region
from ..shared import linear as lin
from ..shared.operands import DENSE
from .kept import Kept

FIELDS: tuple[Field, ...] = (
    ("const uint8_t *", "indices"),
    ("const ek_s16 *", "centers"),
    lin.BIAS_FIELD,
    lin.REQUANT_FIELD,
)
PAIR_SOURCES = ("ek_center_table_dsp",)  # of kernels that call what ek_center_pairs.h declares
CODE_FIELDS: tuple[Field, ...] = (("uint8_t", "bits"), ("uint16_t", "center_count"))

_kept = Kept()


def expand(indices: Array, centers: Array) -> Array:
    """Dense int64 weights of the shape of `indices`; centers (1, k) int16."""
    return np.asarray(centers[0].astype(np.int64)[indices])


def weights(attrs: IntAttrs, constants: Sequence[Array]) -> Array:
    """`Op.weights` of layers whose indices lie as their weights do."""
    return expand(constants[0], constants[1])


def dense(view: View) -> View:
    """The same node as a layer with dense weights, for what both kinds have in common."""
    x, indices, centers, *rest = view.inputs

    def held() -> Tensor:
        check_indices(view)
        w = expand(indices.value, centers.value).astype(np.int32)
        return constant(f"{view.node.name}/weights", w, Role.WEIGHTS)

    return replace(view, inputs=(x, _kept(held, view.node.name, indices, centers), *rest), operands=DENSE)


def check_indices(view: View) -> None:
    indices, centers = view.indices.value, view.centers.value
    if centers.ndim != 2 or centers.shape[0] != 1 or not 1 <= centers.shape[1] <= 256:
        raise ModelError(f"centers must have shape (1, 1..256), got {list(centers.shape)}", where=view.node.name)
    if int(indices.max(initial=0)) >= centers.shape[1]:
        raise ModelError(f"index {int(indices.max())} has no center among {centers.shape[1]}", where=view.node.name)


def lower_constants(view: View) -> tuple[Tensor, ...]:
    """(indices, centers, bias, multiplier, shift) of a QUANTIZED node (x, indices, centers, bias).

    The quantisation of `indices` holds the row scales, that of `centers` the binary point: weight =
    row scale * 2**-point * center. The bias has scale x.scale * row scale * 2**-point.
    """
    x, indices, centers = view.x, view.indices, view.centers
    check_indices(view)
    name = view.node.name
    wide = expand(indices.value, centers.value).reshape(indices.shape[0], -1)
    bias = lin.lower_bias(view, wide.sum(1), np.abs(wide).sum(1))
    step = centers.q.scale
    pairs = [quantize_multiplier(x.q.scale * scale * step / view.out.q.scale) for scale in indices.q.scales]
    return (
        constant(f"{name}/indices", indices.value, Role.INDEX),
        constant(f"{name}/centers", centers.value, Role.CENTERS, centers.q),
        bias,
        constant(f"{name}/multiplier", np.array([p[0] for p in pairs], np.int32), Role.REQUANT),
        constant(f"{name}/shift", np.array([p[1] for p in pairs], np.int8), Role.REQUANT),
    )


def params(view: View) -> dict[str, Param]:
    """Values for FIELDS and CODE_FIELDS."""
    values = lin.output_params(view, ("indices", "centers"))
    bits = index_bits(view.indices.value)
    # Centers behind the last that an index of these bits can name have no place in the tables that kernels make. They
    # are left over where the rows that used them were taken out.
    return {**values, "bits": bits, "center_count": min(view.centers.shape[1], 1 << bits)}


def table(view: View) -> Region:
    """What kernels make where indices have up to four bits."""
    bits = index_bits(view.indices.value)
    return Region("table", 4 * 4**bits if bits <= 4 else 0, "int16 (4^bits, 2): all pairs of centers")


def ranges(view: View, interval: Interval | None) -> Interval:
    d = dense(view)
    low, high = lin.product_interval(d.weights.value, lin.input_interval(d, interval))
    axes = tuple(range(1, low.ndim))
    bias = d.bias.value
    return lin.output_interval(d, low.sum(axes) + bias, high.sum(axes) + bias)


def macs(view: View) -> int:
    """Of the dense layer that it stands for."""
    return math.prod(view.out.shape[:-1]) * math.prod(view.indices.shape)


def validate(view: View) -> None:
    lin.validate(dense(view))


def channel_rule(channel_axis: int, always_padded: bool = False) -> ChannelRule:
    """As for dense weights: filters of zeros and unread inputs go, whatever centers they use."""
    rule = lin.mixing_rule(channel_axis, always_padded)

    def slice_(view: View, keep_in, keep_out, known):  # type: ignore[no-untyped-def]
        _, bias, multiplier, shift = rule.slice(dense(view), keep_in, keep_out, known)
        indices, centers = view.indices, view.centers
        kept = np.compress(keep_in[0], indices.value[keep_out], axis=channel_axis)
        return [constant(indices.name, kept, Role.INDEX), centers, bias, multiplier, shift]

    return ChannelRule(lambda view, keep_out, known: rule.needs(dense(view), keep_out, known), slice_)
