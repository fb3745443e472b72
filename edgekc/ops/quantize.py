"""A change of scale and zero point: a table in int8; from float, where a model's input is quantised, it is dropped."""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
from ..graph.fixedpoint import half_away
from ..graph.ir import Array
from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut, rescale_s16
from .shared.checks import is_unsigned
from .shared.floats import first_in_numpy, first_in_torch
from .shared.operands import X


def lower(view: View) -> Lowered:
    if "int16" in (view.x.dtype, view.out.dtype):
        return rescale_s16.lower_quantize(view)
    for tensor in (view.x, view.out):
        if tensor.dtype not in ("int8", "uint8"):
            raise UnsupportedError(f"quantize of {tensor.dtype} ({tensor.name})", where=view.node.name)
    if is_unsigned(view):
        return lut.lowered(view, _concatenated(view))
    info = np.iinfo(view.out.dtype)
    return lut.lowered(view, np.clip(lut.rescaled(view, view.x.q.scale / view.out.q.scale), info.min, info.max))


def _concatenated(view: View) -> Array:
    """What TensorFlow Lite's concatenation of uint8 makes of each level of an input with another scale, less 128.

    All of it is in single precision, and in levels of uint8.
    """
    x, y = view.x.q, view.out.q
    scale = np.float32(x.scale) * (np.float32(1) / np.float32(y.scale))
    bias = np.float32(-(x.zero_point + 128)) * scale
    levels = (lut.byte_values("int8") + 128).astype(np.float32)
    return np.asarray(np.clip(half_away(levels * scale + bias) + y.zero_point, -128, 127))


def levels_of(real: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Reals to levels, in single precision and halves away from zero, as TensorFlow Lite's reference kernel.

    For float32 they stay as they are.
    """
    if dtype == "float32":
        return np.asarray(real, np.float32)
    info = np.iinfo(dtype)
    levels = half_away(np.asarray(real, np.float32) / np.float32(scale)) + zero_point
    return np.asarray(np.clip(levels, info.min, info.max).astype(dtype))


SOURCE = SourceOp(
    "quantize",
    lower,
    FloatHalf(first_in_numpy, first_in_torch),
    direct=lambda view, x: levels_of(x, view.out.q.scale, view.out.q.zero_point, view.out.dtype),
    becomes="lut",
    operands=(X,),
)
