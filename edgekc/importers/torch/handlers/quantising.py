"""The operators of programs that pt2e quantised: `quantized_decomposed` of PyTorch and torchao."""

from __future__ import annotations

import numpy as np

from ... import quantized
from ...value import Value, constant_value
from ..call import Call
from .common import Handler

_RANGES = {"torch.int8": (-128, 127), "torch.uint8": (0, 255), "torch.int32": (-(2**31), 2**31 - 1)}


def _parameters(c: Call) -> tuple[Value, Value, int, str]:
    """Scale, zero point in the type of the integers, axis, and that type's name."""
    dtype = str(c.args.get("dtype"))
    if dtype not in _RANGES:
        raise c.b.unsupported(f"quantisation to {dtype}", "torch.int8, torch.uint8")
    scale, zero = (
        c.value(one if one in c.args else many) for one, many in (("scale", "scales"), ("zero_point", "zero_points"))
    )
    if scale.data is None or zero.data is None:
        raise c.b.unsupported("a scale or zero point that is computed at run time", "constants")
    low, high = _RANGES[dtype]
    points = np.asarray(zero.data).astype(np.int64)
    if points.size and not low <= points.min() <= points.max() <= high:
        raise c.b.wrong(f"a zero point that {dtype} does not hold")
    kind = dtype.removeprefix("torch.")
    axis = c.args.get("axis", 0)
    return scale, constant_value(points.astype(kind), zero.source), int(axis), kind


def _limits(c: Call) -> tuple[int, int]:
    low, high = c.ints("quant_min")[0], c.ints("quant_max")[0]
    return low, high


def _quantize(c: Call) -> Value:
    x = c.value("input")
    scale, zero, axis, kind = _parameters(c)
    low, high = _limits(c)
    if x.data is None and (low, high) != _RANGES[f"torch.{kind}"]:
        raise c.b.unsupported(f"activations quantised to {low} .. {high}", f"the whole range of {kind}")
    out = quantized.quantize(c.b, x, scale, zero, axis, kind)
    if out.data is not None:
        out = constant_value(np.clip(out.data, low, high), out.source, out.quant)
    return out


def _dequantize(c: Call) -> Value:
    scale, zero, axis, _ = _parameters(c)
    return quantized.dequantize(c.b, c.value("input"), scale, zero, axis)


QUANTISING: dict[str, Handler] = {
    f"quantized_decomposed.{way}_{grain}": handler
    for way, handler in (("quantize", _quantize), ("dequantize", _dequantize))
    for grain in ("per_tensor", "per_channel")
}
