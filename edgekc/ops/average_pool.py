"""Average pooling, int8: the definition and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Op, View
from .shared import pool
from .shared.channels import channelwise
from .shared.checks import require_activation
from .shared.operands import X


def divide_rounded(total: Array, count: Array) -> Array:
    """total / count to nearest, halves away from zero; count positive."""
    return np.asarray(np.sign(total) * ((np.abs(total) + count // 2) // count))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The mean of the pixels inside the image (zero points cancel), clamped."""
    x = inputs[0]
    total = pool.windows(attrs, x, 0).sum(3)
    count = pool.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.int8), 0).sum(3)
    mean = divide_rounded(total, count)
    return [np.clip(mean, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


def _fits_16_bits(view: View) -> bool:
    """Whether the sum of a window of int8 is an int16: 256 times -128 is -2**15."""
    return view["filter_h"] * view["filter_w"] <= 256 and view.x.shape[3] >= 4


OP = Op(
    name="average_pool",
    code=6,
    attrs=pool.ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    kernels=(
        pool.kernel("ek_average_pool_s8_mve", frozenset({"mve"}), _fits_16_bits),
        pool.kernel("ek_average_pool_s8_dsp", frozenset({"dsp"}), _fits_16_bits),
        pool.kernel("ek_average_pool_s8"),
    ),
    lowers={"average_pool": pool.lower},
    macs=pool.macs,
    ranges=pool.ranges,
    validate=require_activation,
    channels=channelwise,
    cases=pool.cases,
)
