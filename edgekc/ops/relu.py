"""ReLU, ReLU6 and the clamp to -1 .. 1 where they stand alone: a table in int8."""

from __future__ import annotations

import numpy as np

from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut, rescale_s16
from .shared import int16
from .shared.checks import require_int8
from .shared.floats import first_in_numpy, first_in_torch
from .shared.linear import activation_range
from .shared.operands import X
from .shared.ties import channelwise


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return rescale_s16.lower_relu(view)
    require_int8(view)
    # TFLite divides these scales in float32, and those of `quantize` in float64.
    ratio = float(np.float32(view.x.q.scale) / np.float32(view.out.q.scale))
    return lut.lowered(view, np.clip(lut.rescaled(view, ratio), *activation_range(view)))


SOURCE = SourceOp(
    "relu",
    lower,
    FloatHalf(first_in_numpy, first_in_torch, channelwise, scales_along=True),
    is_activation=True,
    becomes="lut",
    operands=(X,),
)
