"""Max pooling, int8: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Op
from .shared import pool
from .shared.channels import channelwise
from .shared.checks import require_activation
from .shared.operands import X


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The largest pixel inside the image, clamped."""
    largest = pool.windows(attrs, inputs[0], -128).max(3)
    return [np.clip(largest, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


OP = Op(
    name="max_pool",
    code=7,
    attrs=pool.ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    kernels=(pool.kernel("ek_max_pool_s8"),),
    lowers={"max_pool": pool.lower},
    macs=pool.macs,
    ranges=pool.ranges,
    validate=require_activation,
    channels=channelwise,
    cases=pool.cases,
)
