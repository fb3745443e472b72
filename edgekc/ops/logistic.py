"""The logistic function: a table in int8, as TFLite's reference kernel is one itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array
from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut, sigmoid_s16
from .shared import int16
from .shared.checks import require_int8
from .shared.floats import UNIT
from .shared.operands import X
from .shared.ties import channelwise


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return sigmoid_s16.lower(view)
    require_int8(view)
    out = view.out.q
    if (out.scale, out.zero_point) != (UNIT.scale, UNIT.zero_point):
        raise UnsupportedError(
            f"logistic output with scale {out.scale} and zero point {out.zero_point}, not 1/256 and -128",
            where=view.node.name,
        )
    real = np.float32(view.x.q.scale) * (lut.byte_values("int8") - view.x.q.zero_point).astype(np.float32)
    # Python's exp, rounded to float32, is the correctly rounded one; numpy's float32 exp is off by a bit at times.
    exps = np.array([np.float32(min(math.exp(min(-float(v), 700.0)), 3e38)) for v in real], np.float32)
    value = np.float32(1) / (np.float32(1) + exps)
    levels = np.floor(value.astype(np.float64) * 256 + 0.5).astype(np.int64) - 128
    return lut.lowered(view, np.clip(levels, -128, 127))


def _real(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    small = np.exp(-np.abs(x))  # never overflows
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small), np.float32)


SOURCE = SourceOp(
    "logistic",
    lower,
    FloatHalf(_real, lambda torch, view, operands: torch.sigmoid(operands[0]), channelwise, fixed_quant=UNIT),
    becomes="lut",
    operands=(X,),
)
