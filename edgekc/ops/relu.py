"""ReLU, ReLU6 and the clamps to -1 .. 1 and to 0 .. 1 where they stand alone: a table in int8."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
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


def lower_0_to_1(view: View) -> Lowered:
    require_int8(view)
    q = view.out.q
    highest = float(np.float32(1) / np.float32(q.scale))
    if highest >= 2.0**31 - 256:  # LiteRT casts it to 32 bits
        raise UnsupportedError(f"relu_0_to_1 with an output scale of {q.scale}", where=view.node.name)
    ratio = float(np.float32(view.x.q.scale) / np.float32(q.scale))
    most = min(q.zero_point + int(np.float32(highest) + np.float32(0.5)), 127)
    return lut.lowered(view, np.clip(lut.rescaled(view, ratio), q.zero_point, most))


SOURCES = (
    SourceOp(
        "relu",
        lower,
        FloatHalf(first_in_numpy, first_in_torch, channelwise, scales_along=True),
        is_activation=True,
        becomes="lut",
        operands=(X,),
    ),
    SourceOp(
        "relu_0_to_1",
        lower_0_to_1,
        FloatHalf(
            lambda view, operands: np.clip(operands[0], 0, 1),
            lambda torch, view, operands: operands[0].clamp(0, 1),
            channelwise,
        ),
        becomes="lut",
        operands=(X,),
    ),
)
