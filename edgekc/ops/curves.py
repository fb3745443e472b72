"""Functions of one value that become a table in int8, computed as LiteRT's kernels compute each.

Most of those kernels are tables of a float function themselves. Hard swish, leaky ReLU, ABS and RSQRT are integer
arithmetic there. LiteRT has no int8 kernel for SIN, COS, SQUARE, FLOOR, CEIL and ROUND: they are what DEQUANTIZE, the
function and QUANTIZE give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize, rounding_divide_by_pot
from ..graph.fixedpoint import rounding_doubling_high_mul as high_mul
from ..graph.ir import Array
from ..graph.op import Lowered, View
from ..graph.source import FloatHalf, SourceOp
from . import lut, quantize, rescale_s16
from .shared import int16
from .shared.checks import require_int8
from .shared.operands import X
from .shared.ties import channelwise

F32 = np.float32
_TINY = float(np.finfo(np.float32).tiny)  # what stands for the smallest positive number in logarithms and inverses


def _centred(view: View) -> Array:
    """x - zero point for each of the 256 bytes, int64."""
    require_int8(view)
    return lut.byte_values("int8") - view.x.q.zero_point


def _clamped(view: View, levels: Array) -> Lowered:
    return lut.lowered(view, np.clip(levels + view.out.q.zero_point, -128, 127))


# ---- tables of a float function -------------------------------------------------------------------------


def _exp(x: float) -> float:
    return math.exp(min(x, 88.0))  # more is no number in float32


def _elu(x: float) -> float:
    return math.expm1(x) if x < 0 else x


def _gelu(x: float) -> float:
    """x / 2 * erfc(-x / sqrt(2)), each step in float32."""
    return float(F32(0.5) * F32(x) * F32(math.erfc(float(F32(x) * F32(-math.sqrt(0.5))))))


def _gelu_by_tanh(x: float) -> float:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), each step in float32."""
    v = F32(x)
    inner = F32(math.sqrt(2 / math.pi)) * (v + F32(0.044715) * v * v * v)
    return float(F32(0.5) * v * (F32(1) + F32(math.tanh(float(inner)))))


def lower_gelu(view: View) -> Lowered:
    return lut.tabulated(view, _gelu_by_tanh if view["approximate"] else _gelu)


def lower_log(view: View) -> Lowered:
    """What has no logarithm is the lowest level."""
    q = view.out.q
    lowest = float(F32(q.scale) * F32(-128 - q.zero_point))
    return lut.tabulated(view, lambda x: math.log(x) if x > 0 else lowest)


def lower_sqrt(view: View) -> Lowered:
    """Truncated, not rounded, as LiteRT does. What has no root is 0."""
    real = F32(view.x.q.scale) * np.maximum(_centred(view), 0).astype(np.float32)
    with np.errstate(over="ignore"):
        return _clamped(view, np.trunc(np.sqrt(real) / F32(view.out.q.scale)))


def through_float(function: Callable[[float], float]) -> Callable[[View], Lowered]:
    """The lowering of what LiteRT has in float only: DEQUANTIZE, the function in float32, QUANTIZE."""

    def lower(view: View) -> Lowered:
        real = F32(view.x.q.scale) * _centred(view).astype(np.float32)
        value = np.array([function(float(x)) for x in real]).astype(np.float32)
        return lut.lowered(view, quantize.levels_of(value, view.out.q.scale, view.out.q.zero_point, "int8"))

    return lower


# ---- integer arithmetic ---------------------------------------------------------------------------------


def _times(view: View, value: Array, real: float) -> Array:
    """value * real by TFLite's double rounding."""
    if real >= 2.0**22:
        raise UnsupportedError("the input scale is more than 2**22 output scales", where=view.node.name)
    return requantize(value, *quantize_multiplier(real), DOUBLE)


def _ratio(view: View) -> np.float32:
    """Input scale by output scale, in float32 as LiteRT has it."""
    return np.float32(F32(view.x.q.scale) / F32(view.out.q.scale))


def lower_leaky_relu(view: View) -> Lowered:
    if int16.is_wide(view):
        return rescale_s16.lower_leaky_relu(view)
    v, alpha = _centred(view), F32(float(view.node.attrs["alpha"]))
    steep = float(F32(F32(view.x.q.scale) * np.abs(alpha)) / F32(view.out.q.scale))
    below = _times(view, v, steep) * (1 if alpha >= 0 else -1)
    return _clamped(view, np.where(v >= 0, _times(view, v, float(_ratio(view))), below))


def lower_abs(view: View) -> Lowered:
    return _clamped(view, _times(view, np.abs(_centred(view)), float(_ratio(view))))


def lower_neg(view: View) -> Lowered:
    """`of_bytes`: LiteRT's kernel, which negates the byte and looks at no scale and no zero point."""
    if not view.node.attrs.get("of_bytes", 0):
        return through_float(lambda x: -x)(view)
    require_int8(view)
    return lut.lowered(view, -lut.byte_values("int8"))  # of -128 it is -128: int8 wraps


def inverse_root(value: int) -> tuple[int, int]:
    """1 / sqrt(value) of an integer above 0 as (multiplier, shift), by TFLite's Newton steps in Q3."""
    if value == 1:
        return 2**31 - 1, 0
    shift = 11
    while value >= 1 << 29:
        value //= 4
        shift += 1
    pairs = (31 - value.bit_length()) // 2 - 1
    shift -= pairs
    whole = (value << 2 * pairs) >> 1
    half, three_halves = (whole + 1) >> 1, 3 << 27
    x = np.array(1 << 28, np.int64)
    for _ in range(5):
        cube = _saturated(high_mul(high_mul(x, x), x) << 6)
        x = _saturated((high_mul(x, three_halves) - high_mul(cube, half)) << 3)
    return int(high_mul(x, 1518500250)) << max(-shift, 0), -max(shift, 0)  # times sqrt(1/2) in Q0


def _saturated(x: Array) -> Array:
    return np.asarray(np.clip(x, -(2**31), 2**31 - 1))


_ROOT_SHIFT = 20  # bits behind the point while LiteRT holds an inverse root


def lower_rsqrt(view: View) -> Lowered:
    """What has no inverse root is the highest level, as that of 0 is."""
    divisor = float(np.sqrt(F32(view.x.q.scale)) * F32(view.out.q.scale))
    if divisor <= 2.0**-30:
        raise UnsupportedError("rsqrt whose outputs leave 32 bits in their scale", where=view.node.name)
    multiplier, shift = quantize_multiplier(1.0 / divisor)
    values = _centred(view)
    levels = np.full(256, 127 - view.out.q.zero_point, np.int64)
    for i in np.flatnonzero(values > 0):
        root, left = inverse_root(int(values[i]))
        held = requantize(np.array(1), root, left + _ROOT_SHIFT, DOUBLE)
        levels[i] = requantize(held, multiplier, shift - _ROOT_SHIFT, DOUBLE)
    return _clamped(view, levels)


def _high_mul16(a: Array, b: int) -> Array:
    """a * b / 2**15 to nearest, saturating; halves away from zero."""
    product = a * b
    nudged = np.where(product >= 0, product + (1 << 14), product + 1 - (1 << 14))
    return np.asarray(np.minimum(np.sign(nudged) * (np.abs(nudged) >> 15), 32767))


def _divide16(x: Array, exponent: int) -> Array:
    """x / 2**exponent in 16 bits, halves away from zero; from 16 on what LiteRT's masks of 16 bits make of it."""
    if exponent < 16:
        return rounding_divide_by_pot(x, exponent)
    return np.asarray(np.where(x < 0, (x >> exponent) + (x > 0), 1))


def _short(multiplier: int) -> int:
    """A multiplier of 31 bits in 15, to nearest."""
    return min((multiplier + (1 << 15)) >> 16, 32767)


def lower_hard_swish(view: View) -> Lowered:
    """x times relu6(x + 3) / 6 in 16 bits: the second factor is held as (1 + x / 3) / 2, which saturates."""
    fine = F32(1 / 128) * F32(view.x.q.scale)
    with np.errstate(over="ignore"):  # an infinite quotient is refused as others are
        multiplier, exponent = quantize_multiplier(float(fine / F32(view.out.q.scale)))
    if exponent > 0:
        raise UnsupportedError("hard_swish whose input scale is 128 output scales or more", where=view.node.name)
    gate_multiplier, gate_exponent = quantize_multiplier(float(fine / (F32(3) / F32(32768))))
    x = _centred(view) * 128
    scaled, gate = _high_mul16(x, _short(multiplier)), x
    if gate_exponent > 0:
        gate = np.clip(gate << (gate_exponent - 1), -32768, 32767)
    gate = _high_mul16(gate, _short(gate_multiplier))
    if gate_exponent > 0:
        gate = np.clip(gate << 1, -32768, 32767)
    elif gate_exponent < 0:
        gate = _divide16(gate, -gate_exponent)
    product = ((gate + 32768) >> 1) * scaled
    product = np.sign(product) * (np.abs(product) >> 15)
    return _clamped(view, _divide16(product, -exponent))


# ---- real numbers ---------------------------------------------------------------------------------------


def _numpy(function: Callable[[Array], Array]) -> Callable[[View, Sequence[Array]], Array]:
    return lambda view, operands: np.asarray(function(operands[0]), np.float32)


def _torch(name: str) -> Callable[[Any, View, Sequence[Any]], Any]:
    return lambda torch, view, operands: getattr(torch, name)(operands[0])


_ERF = np.frompyfunc(math.erf, 1, 1)


def _real_gelu(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    if view["approximate"]:
        gate = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    else:
        gate = np.asarray(_ERF(x * math.sqrt(0.5)), np.float32)
    return np.asarray(0.5 * x * (1 + gate), np.float32)


def _torch_gelu(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.nn.functional.gelu(operands[0], approximate="tanh" if view["approximate"] else "none")


def _real_leaky(view: View, operands: Sequence[Array]) -> Array:
    x = operands[0]
    return np.asarray(np.where(x >= 0, x, x * F32(float(view.node.attrs["alpha"]))), np.float32)


def _torch_leaky(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return torch.where(operands[0] >= 0, operands[0], operands[0] * float(view.node.attrs["alpha"]))


def _curve(
    name: str,
    lower: Callable[[View], Lowered],
    compute: Callable[[View, Sequence[Array]], Array],
    torch: Callable[[Any, View, Sequence[Any]], Any],
    scales_along: bool = False,
) -> SourceOp:
    half = FloatHalf(compute, torch, channelwise, scales_along=scales_along)
    return SourceOp(name, lower, half, becomes="lut", operands=(X,))


SOURCES = (
    _curve(
        "elu",
        lambda view: lut.tabulated(view, _elu),
        _numpy(lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x)),
        lambda torch, view, operands: torch.nn.functional.elu(operands[0]),
    ),
    _curve("leaky_relu", lower_leaky_relu, _real_leaky, _torch_leaky, scales_along=True),
    _curve(
        "hard_swish",
        lower_hard_swish,
        _numpy(lambda x: x * np.clip(x + 3, 0, 6) / 6),
        lambda torch, view, operands: torch.nn.functional.hardswish(operands[0]),
    ),
    _curve("gelu", lower_gelu, _real_gelu, _torch_gelu),
    _curve(
        "exp",
        lambda view: lut.tabulated(view, _exp),
        _numpy(lambda x: np.exp(np.minimum(x, F32(88)))),
        lambda torch, view, operands: torch.exp(operands[0].clamp(max=88.0)),
    ),
    _curve(
        "log",
        lower_log,
        _numpy(lambda x: np.log(np.maximum(x, _TINY))),
        lambda torch, view, operands: torch.log(operands[0].clamp(min=_TINY)),
    ),
    _curve("abs", lower_abs, _numpy(np.abs), _torch("abs"), scales_along=True),
    _curve("neg", lower_neg, _numpy(np.negative), _torch("neg"), scales_along=True),
    _curve(
        "sqrt",
        lower_sqrt,
        _numpy(lambda x: np.sqrt(np.maximum(x, 0))),
        lambda torch, view, operands: torch.sqrt(operands[0].clamp(min=_TINY)),  # of 0 the gradient is infinite
    ),
    _curve(
        "rsqrt",
        lower_rsqrt,
        _numpy(lambda x: 1 / np.sqrt(np.maximum(x, _TINY))),
        lambda torch, view, operands: torch.rsqrt(operands[0].clamp(min=_TINY)),
    ),
    _curve("sin", through_float(math.sin), _numpy(np.sin), _torch("sin")),
    _curve("cos", through_float(math.cos), _numpy(np.cos), _torch("cos")),
    _curve("floor", through_float(math.floor), _numpy(np.floor), _torch("floor")),
    _curve("ceil", through_float(math.ceil), _numpy(np.ceil), _torch("ceil")),
    _curve("round", through_float(round), _numpy(np.round), _torch("round")),  # halves to even
    _curve("square", through_float(lambda x: float(F32(x) * F32(x))), _numpy(np.square), _torch("square")),
)
