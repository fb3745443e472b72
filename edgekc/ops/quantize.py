"""A change of scale and zero point: a table in int8; from float, where a model's input is quantised, it is dropped."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array
from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut
from .shared.floats import first_in_numpy, first_in_torch
from .shared.operands import X


def lower(view: View) -> Lowered:
    for tensor in (view.x, view.out):
        if tensor.dtype not in ("int8", "uint8"):
            raise UnsupportedError(f"quantize of {tensor.dtype} ({tensor.name})", where=view.node.name)
    info = np.iinfo(view.out.dtype)
    return lut.lowered(view, np.clip(lut.rescaled(view, view.x.q.scale / view.out.q.scale), info.min, info.max))


def levels_of(real: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Reals to levels, in single precision and halves away from zero, as TensorFlow Lite's reference kernel."""
    info = np.iinfo(dtype)
    ratio = (np.asarray(real, np.float32) / np.float32(scale)).astype(np.float64)
    levels = np.trunc(ratio + np.copysign(0.5, ratio)) + zero_point
    return np.asarray(np.clip(levels, info.min, info.max).astype(dtype))


SOURCE = SourceOp(
    "quantize",
    lower,
    FloatHalf(first_in_numpy, first_in_torch),
    direct=lambda view, x: levels_of(x, view.out.q.scale, view.out.q.zero_point, view.out.dtype),
    becomes="lut",
    operands=(X,),
)
