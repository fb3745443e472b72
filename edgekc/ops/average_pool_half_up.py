"""Average pooling that rounds halves up, as TensorFlow Lite does in uint8: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Op, Rows
from .shared import pool
from .shared.channels import channelwise
from .shared.checks import require_activation
from .shared.operands import X


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The mean of the pixels inside the image to nearest, halves up, clamped."""
    x = inputs[0]
    total = pool.windows(attrs, x, 0).sum(3)
    count = pool.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.int8), 0).sum(3)
    mean = (total + count // 2) // count
    return [np.clip(mean, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


KERNEL = replace(pool.kernel("ek_average_pool_half_up_s8"), header="ek_pool_half_up.h", struct="ek_pool_half_up_params")
OP = Op(
    name="average_pool_half_up",
    code=70,
    attrs=pool.ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=(KERNEL,),
    macs=pool.macs,
    ranges=pool.ranges,
    validate=require_activation,
    channels=channelwise,
    cases=pool.cases,
)
