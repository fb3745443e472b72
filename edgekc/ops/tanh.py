"""The hyperbolic tangent: a table in int8, as TFLite's reference kernel is one itself."""

from __future__ import annotations

import math

import numpy as np

from ..graph.ir import Quant
from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut, sigmoid_s16
from .shared import int16
from .shared.operands import X
from .shared.ties import channelwise

SIGNED_UNIT = Quant((1 / 128,), (0,))  # what TensorFlow Lite fixes for outputs in -1 .. 1


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return sigmoid_s16.lower(view)
    return lut.tabulated(view, math.tanh, SIGNED_UNIT)


SOURCE = SourceOp(
    "tanh",
    lower,
    FloatHalf(
        lambda view, operands: np.tanh(operands[0]),
        lambda torch, view, operands: torch.tanh(operands[0]),
        channelwise,
        fixed_quant=SIGNED_UNIT,
    ),
    becomes="lut",
    operands=(X,),
)
