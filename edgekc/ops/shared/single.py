"""What operators in single precision share: the exponential by its steps, numbers as their bits, test values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, Tensor
from ...graph.op import Learned, View
from .floats import LARGEST, clamp_of

# ek_exp_f32.c, which says what they are
_LOG2_E, _LN_2_HIGH, _LN_2_LOW = np.float32(1.44269502), np.float32(0.693359375), np.float32(-0.000212194442)
_TERMS = tuple(np.float32(1 / k) for k in (5040, 720, 120, 24, 6, 2, 1, 1))
_LEAST, _MOST = np.float32(-80), np.float32(88)
_ROOT_2 = np.float32(1.41421354)
_ODDS = tuple(np.float32(2 / k) for k in (11, 9, 7, 5, 3, 1))  # of the series of a logarithm
TINY = np.finfo(np.float32).tiny
POSITIVE = Learned(1, 0x7F7FFFFF)  # bits of a number above 0 that is finite
_ERF_RATE = np.float32(0.3275911)
_ERF_TERMS = tuple(np.float32(v) for v in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592))
_EIGHTH, _QUARTER = np.float32(np.pi / 4), np.float32(np.pi / 2 / 2**32)  # of a turn
_SINES = tuple(np.float32(1 / k) for k in (362880, -5040, 120, -6))
_COSINES = tuple(np.float32(1 / k) for k in (40320, -720, 24, -2))
_TWO_BY_PI = 0xA2F9836E4E441529FC2757D1F534DDC0DB6295993C439041  # times 2^192
# By the exponent of x: 2 / pi times 2^62 and the weight of its mantissa's last bit, modulo 2^64.
_TURNS = np.array([(_TWO_BY_PI >> (154 - k)) % 2**64 for k in range(130)], np.uint64)


def exp(x: Array) -> Array:
    """e^x of float32, within 2 units in the last place: every step is rounded to float32, as in C."""
    x = np.asarray(x, np.float32)
    inside = x >= _LEAST
    x = np.where(inside, np.minimum(x, _MOST), np.float32(0))
    powers = x * _LOG2_E
    n = (powers + np.where(powers < 0, np.float32(-0.5), np.float32(0.5))).astype(np.int32)
    whole = n.astype(np.float32)
    rest = (x - whole * _LN_2_HIGH) - whole * _LN_2_LOW
    total = np.full_like(rest, _TERMS[0])
    for term in _TERMS[1:]:
        total = total * rest + term
    return np.asarray(np.where(inside, total * ((n + 127) << 23).view(np.float32), np.float32(0)))


def logistic(x: Array) -> Array:
    """1 / (1 + e^-x); for x < 0 it is e^x / (1 + e^x), so that no power is large."""
    power = exp(-np.abs(x))
    return np.asarray(np.where(x < 0, power, np.float32(1)) / (np.float32(1) + power))


def tanh(x: Array) -> Array:
    """Up to 1 a quotient of polynomials (the continued fraction of tanh), above it 1 - 2 / (e^2x + 1)."""
    x = np.asarray(x, np.float32)
    size = np.abs(x)
    near = np.minimum(size, np.float32(1))
    s = near * near
    above = ((s + np.float32(378)) * s + np.float32(17325)) * s + np.float32(135135)
    below = ((np.float32(28) * s + np.float32(3150)) * s + np.float32(62370)) * s + np.float32(135135)
    far = np.float32(1) - np.float32(2) / (exp(size + size) + np.float32(1))
    value = np.where(size > 1, far, near * above / below)
    return np.asarray(np.where(x < 0, -value, value))


def log(x: Array) -> Array:
    """The natural logarithm, by x = m * 2^n with m from sqrt(1/2) to sqrt(2), and the series of (m - 1) / (m + 1).

    What is below the smallest normal number counts as that.
    """
    x = np.maximum(np.asarray(x, np.float32), TINY)
    bits = np.ascontiguousarray(x).view(np.int32)
    n = ((bits >> 23) - 127).astype(np.float32)
    m = ((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)
    large = m > _ROOT_2
    m, n = np.where(large, m * np.float32(0.5), m), n + large.astype(np.float32)
    s = (m - np.float32(1)) / (m + np.float32(1))
    square, total = s * s, np.full_like(s, _ODDS[0])
    for term in _ODDS[1:]:
        total = total * square + term
    return np.asarray(n * _LN_2_HIGH + (n * _LN_2_LOW + s * total))


def erf(x: Array) -> Array:
    """The error function, within 5e-7: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26."""
    size = np.abs(np.asarray(x, np.float32))
    t = np.float32(1) / (np.float32(1) + _ERF_RATE * size)
    total = np.full_like(t, _ERF_TERMS[0])
    for term in _ERF_TERMS[1:]:
        total = total * t + term
    value = np.float32(1) - (total * t) * exp(-(size * size))
    return np.asarray(np.where(x < 0, -value, value))


def wave(x: Array, quarters: int) -> Array:
    """The sine of x and so many quarter turns: turns are counted in integers, and so exactly, whatever x is."""
    x = np.ascontiguousarray(x, np.float32)
    size = np.abs(x)
    bits = size.view(np.int32)
    window = _TURNS[np.clip((bits >> 23) - 126, 0, len(_TURNS) - 1)]
    turned = ((bits & 0x7FFFFF) | 0x800000).astype(np.uint64) * window
    part = (turned >> np.uint64(30)).astype(np.uint32)  # of a quarter turn, in 2^-32
    small = size <= _EIGHTH
    r = np.where(small, size, part.view(np.int32).astype(np.float32) * _QUARTER)
    q = np.where(small, 0, (turned >> np.uint64(62)).astype(np.int32) + (part >> 31).astype(np.int32)) + quarters
    s = r * r
    sine, cosine = (np.full_like(s, terms[0]) for terms in (_SINES, _COSINES))
    for a, b in zip(_SINES[1:], _COSINES[1:], strict=True):
        sine, cosine = sine * s + a, cosine * s + b
    value = np.where(q & 1, cosine * s + np.float32(1), sine * (r * s) + r)
    negative = (q & 2 != 0) ^ ((x < 0) & (quarters == 0))
    return np.asarray(np.where(negative, -value, value))


def whole(x: Array, rounded: Callable[[Array, Array], Array]) -> Array:
    """Numbers below 2^23 by what `rounded` makes of them without their fraction, and of that; others are whole."""
    x = np.asarray(x, np.float32)
    near = np.abs(x) < np.float32(2**23)
    y = np.where(near, x, 0).astype(np.int32).astype(np.float32)
    return np.asarray(np.where(near, np.asarray(rounded(y, x - y), np.float32) + np.float32(0), x))


def sqrt(x: Array) -> Array:
    """The nearest number to the root, which IEEE's own is; 0 of what is negative."""
    return np.asarray(np.sqrt(np.maximum(np.asarray(x, np.float32), np.float32(0))))


def clamped(x: Array, low: np.float32, high: np.float32) -> Array:
    """To low .. high by two comparisons, as in C: -0 stays what it is."""
    x = np.where(x < low, low, x)
    return np.asarray(np.where(x > high, high, x))


def limits(activation: str) -> dict[str, int]:
    """The attributes `low` and `high` of a fused activation; without one all numbers, as LiteRT has it."""
    low, high = clamp_of(activation)
    return dict(low=bits_of(-LARGEST if low is None else low), high=bits_of(LARGEST if high is None else high))


def check_limits(view: View) -> None:
    """ModelError where nothing is left between `low` and `high`."""
    low, high = of_bits(view["low"]), of_bits(view["high"])
    if not low <= high:
        raise ModelError(f"its limits {low} and {high} leave no value")


def bits_of(value: float) -> int:
    """The bits of a number as float32: how attributes of integers hold it."""
    return int(np.float32(value).view(np.int32))


def of_bits(bits: int) -> np.float32:
    return np.int32(bits).view(np.float32)


def is_single(tensor: Tensor) -> bool:
    return tensor.dtype == "float32"


def require_single(view: View) -> None:
    """UnsupportedError unless every input and output is float32."""
    for tensor in (*view.inputs, *view.outputs):
        if not is_single(tensor):
            what = f"{view.node.op} of float32 and {tensor.dtype} ({tensor.name})"
            raise UnsupportedError(what, where=view.node.name)


def unsupported(view: View, what: str) -> UnsupportedError:
    return UnsupportedError(what, where=view.node.name)


def check_all(view: View) -> None:
    """ModelError unless every activation of an INTEGER node is float32: its kernel counts on four bytes for each."""
    for tensor in (*view.inputs, *view.outputs):
        if not is_single(tensor):
            raise ModelError(f"{view.node.op} of {tensor.dtype} ({tensor.name}), not float32", where=view.node.name)


def reals(rng: np.random.Generator, shape: tuple[int, ...]) -> list[tuple[str, Array]]:
    """Inputs of each kind: ordinary values, large and tiny ones, all zeros, all the same."""
    ordinary = rng.normal(0, 3, shape).astype(np.float32)
    scattered = (rng.normal(0, 1, shape) * 10.0 ** rng.uniform(-30, 4, shape)).astype(np.float32)
    return [
        ("ordinary", ordinary),
        ("scattered", scattered),
        ("zero", np.zeros(shape, np.float32)),
        ("same", np.full(shape, -57.25, np.float32)),
    ]
