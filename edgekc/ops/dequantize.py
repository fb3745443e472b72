"""Levels to reals: at a model's outputs, where a pass drops it; nothing on the device is float."""

from __future__ import annotations

import numpy as np

from ..graph.ir import Array
from ..graph.source import SourceOp
from .shared.operands import X


def reals_of(levels: Array, scale: float, zero_point: int) -> Array:
    """Levels to reals, float32."""
    return np.asarray((scale * (levels.astype(np.int64) - zero_point)).astype(np.float32))


SOURCE = SourceOp(
    "dequantize",
    lower=None,
    direct=lambda view, x: reals_of(x, view.x.q.scale, view.x.q.zero_point),
    operands=(X,),
)
