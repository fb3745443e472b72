"""Average pooling, int8: the definition and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Lowered, Op, Rows, View
from ..graph.source import FloatHalf, SourceOp
from . import average_pool_nearest, pool_s16
from .shared import floats as fl
from .shared import int16, pool
from .shared.anchored import NEAREST
from .shared.channels import channelwise
from .shared.checks import is_unsigned, require_activation
from .shared.operands import X
from .shared.ties import channelwise as channelwise_ties


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The mean of the pixels inside the image (zero points cancel), clamped."""
    x = inputs[0]
    total = pool.windows(attrs, x, 0).sum(3)
    count = pool.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.int8), 0).sum(3)
    mean = pool.divide_rounded(total, count)
    return [np.clip(mean, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


def _fits_16_bits(view: View) -> bool:
    """Whether the sum of a window of int8 is an int16: 256 times -128 is -2**15."""
    return view["filter_h"] * view["filter_w"] <= 256 and view.x.shape[3] >= 4


def _real(view: View, operands: Sequence[Array]) -> Array:
    """The mean of the pixels inside the image."""
    x = operands[0]
    k_h, k_w = view["filter_h"], view["filter_w"]
    total = np.zeros((x.shape[0], *view.out.shape[1:]), np.float32)
    for _, _, seen in fl.windows(view, x, k_h, k_w):
        total += seen
    ones = np.ones((1, *x.shape[1:3], 1), np.float32)
    count = sum(seen for _, _, seen in fl.windows(view, ones, k_h, k_w))
    return np.asarray(total / count)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    size, stride = (view["filter_h"], view["filter_w"]), (view["stride_h"], view["stride_w"])
    x, mean = operands[0], torch.nn.functional.avg_pool2d
    total = mean(fl.padded(torch, view, x), size, stride, divisor_override=1)
    inside = mean(fl.padded(torch, view, torch.ones_like(x[:1])), size, stride, divisor_override=1)
    return (total / inside).permute(0, 2, 3, 1)


def _lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return pool_s16.lower(view)
    if view.node.attrs.get(NEAREST):
        return average_pool_nearest.lower(view)
    lowered = pool.lower(view)
    return replace(lowered, op="average_pool_half_up") if is_unsigned(view) else lowered


OP = Op(
    name="average_pool",
    code=6,
    attrs=pool.ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=(
        pool.kernel("ek_average_pool_s8_mve", frozenset({"mve"}), _fits_16_bits),
        pool.kernel("ek_average_pool_s8_vec", frozenset({"vector"}), _fits_16_bits),
        pool.kernel("ek_average_pool_s8_dsp", frozenset({"dsp"}), _fits_16_bits),
        pool.kernel("ek_average_pool_s8"),
    ),
    macs=pool.macs,
    ranges=pool.ranges,
    validate=require_activation,
    channels=channelwise,
    cases=pool.cases,
)
SOURCE = SourceOp(
    "average_pool", _lower, FloatHalf(_real, _in_torch, channelwise_ties, shares_scale=True, scales_along=True)
)
