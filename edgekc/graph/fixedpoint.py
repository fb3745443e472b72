"""Integer requantisation, bit for bit as TensorFlow Lite's reference kernels; twin of ek_fixedpoint.h.

A real multiplier is held as `multiplier * 2**(shift - 31)` with `multiplier` in [2**30, 2**31).
Two rounding rules are alive in TensorFlow Lite (docs/numerics.md says which operator uses which):

- SINGLE: one 64-bit product, rounded once, halves away from zero.
- DOUBLE: gemmlowp's: a rounding doubling high multiply, then a rounding shift (half away from zero).
"""

from __future__ import annotations

import math

import numpy as np

from .ir import Array

SINGLE = 0
DOUBLE = 1

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def half_away(real: Array) -> Array:
    """To nearest, halves away from zero, in float64: in float32 0.49999997 + 0.5 is 1."""
    real = np.asarray(real, np.float64)
    return np.asarray(np.trunc(real + np.copysign(0.5, real)))


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) nearest to a non-negative real; (0, 0) where it is below 2**-32, the highest from 2**30 on.

    The significand is rounded half away from zero to 31 bits, as TFLite's QuantizeMultiplier does.
    """
    if real == 0.0:
        return 0, 0
    if math.isinf(real):
        return INT32_MAX, 30
    mantissa, shift = math.frexp(real)
    multiplier = math.floor(mantissa * 2.0**31 + 0.5)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def rounding_doubling_high_mul(a: Array, b: Array | int) -> Array:
    """round(a * b / 2**31), saturating the one case that overflows (both operands int32 minimum)."""
    product = a.astype(np.int64) * np.asarray(b, np.int64)
    return np.asarray(np.minimum((product + (1 << 30)) >> 31, INT32_MAX))


def rounding_divide_by_pot(x: Array, exponent: Array | int) -> Array:
    """x / 2**exponent, rounded to nearest, halves away from zero; int64 in, int64 out."""
    e = np.asarray(exponent, np.int64)
    half = np.where(e > 0, np.int64(1) << np.maximum(e - 1, 0), 0)
    return np.asarray((x + half - ((x < 0) & (e > 0))) >> e)


def wrap_int32(x: Array) -> Array:
    """The low 32 bits as a signed number: what an int32 register holds."""
    return np.asarray(((x + 2**31) & 0xFFFFFFFF) - 2**31)


def requantize(acc: Array, multiplier: Array | int, shift: Array | int, rounding: int) -> Array:
    """acc * multiplier * 2**(shift - 31) by the named rounding rule; broadcasts; int64 result."""
    m, s = np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    x = acc.astype(np.int64)
    if rounding == SINGLE:
        return rounding_divide_by_pot(x * m, 31 - s)
    left, right = np.maximum(s, 0), np.maximum(-s, 0)
    return rounding_divide_by_pot(rounding_doubling_high_mul(wrap_int32(x << left), m), right)


def clamp_int8(x: Array, zero_point: int, low: int, high: int) -> Array:
    """clip(x + zero_point, low, high) as int8: the last step of every int8 kernel."""
    return np.asarray(np.clip(x + zero_point, low, high).astype(np.int8))
