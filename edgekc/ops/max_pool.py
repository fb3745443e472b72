"""Max pooling, int8: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Lowered, Op, View
from ..graph.source import FloatHalf, SourceOp
from . import pool_s16
from .shared import floats as fl
from .shared import int16, pool
from .shared.channels import channelwise
from .shared.checks import require_activation
from .shared.operands import X
from .shared.ties import channelwise as channelwise_ties


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The largest pixel inside the image, clamped."""
    largest = pool.windows(attrs, inputs[0], -128).max(3)
    return [np.clip(largest, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    out = np.full((x.shape[0], *view.out.shape[1:]), -np.inf, np.float32)
    for _, _, seen in fl.windows(view, x, view["filter_h"], view["filter_w"], fill=-np.inf):
        np.maximum(out, seen, out=out)
    return out


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    size, stride = (view["filter_h"], view["filter_w"]), (view["stride_h"], view["stride_w"])
    x = fl.padded(torch, view, operands[0], float("-inf"))
    return torch.nn.functional.max_pool2d(x, size, stride).permute(0, 2, 3, 1)


def _lower(view: View) -> Lowered:
    return pool_s16.lower(view) if int16.is_wide(view) else pool.lower(view)


OP = Op(
    name="max_pool",
    code=7,
    attrs=pool.ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    kernels=(pool.kernel("ek_max_pool_s8"),),
    macs=pool.macs,
    ranges=pool.ranges,
    validate=require_activation,
    channels=channelwise,
    cases=pool.cases,
)
SOURCE = SourceOp(
    "max_pool", _lower, FloatHalf(_real, _in_torch, channelwise_ties, shares_scale=True, scales_along=True)
)
