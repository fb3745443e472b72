"""fixedpoint.py and ek_fixedpoint.h against an independent model in exact fractions, at the extremes."""

from __future__ import annotations

import ctypes
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.firmware.toolchain import host_compiler
from edgekc.fuzzing.compiling import INCLUDE_FLAGS
from edgekc.graph import fixedpoint as fp

EDGES = [0, 1, -1, 2, -2, 3, -3, 127, -128, 2**15, -(2**15), 2**30, -(2**30), 2**31 - 1, -(2**31)]
MULTIPLIERS = [0, 2**30, 2**30 + 1, 3 * 2**29, 2**31 - 2, 2**31 - 1]
SHIFTS = [-31, -30, -16, -8, -2, -1, 0, 1, 2, 7]
WRAPPER = """
#include "ek_fixedpoint.h"
int32_t f_high_mul(int32_t a, int32_t b) { return ek_high_mul(a, b); }
int32_t f_divide_pot(int32_t x, int32_t n) { return ek_divide_pot(x, n); }
int32_t f_requant(int32_t x, int32_t m, int32_t s, int r) { return ek_requant(x, m, s, r); }
int32_t f_clamp(int32_t x, int32_t low, int32_t high) { return ek_clamp(x, low, high); }
int32_t f_shift_left(int32_t x, int32_t n) { return ek_shift_left(x, n); }
"""


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The header's functions, compiled for the host."""
    folder = tmp_path_factory.mktemp("fixedpoint")
    (folder / "wrapper.c").write_text(WRAPPER)
    library = folder / "wrapper.so"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC", *INCLUDE_FLAGS]
    subprocess.run([*host_compiler().command, *flags, str(folder / "wrapper.c"), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


def away(x: Fraction) -> int:
    """Nearest integer, halves away from zero."""
    size = int(abs(x) + Fraction(1, 2))
    return size if x >= 0 else -size


def up(x: Fraction) -> int:
    """Nearest integer, halves towards plus infinity."""
    return (x + Fraction(1, 2)).__floor__()


def wrap(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def model(x: int, multiplier: int, shift: int, rounding: int) -> int:
    if rounding == fp.SINGLE:
        return away(Fraction(x * multiplier) * Fraction(2) ** (shift - 31))
    left, right = max(shift, 0), max(-shift, 0)
    return away(Fraction(up(Fraction(wrap(x << left) * multiplier, 2**31)), 2**right))


def agree(c: ctypes.CDLL, x: int, multiplier: int, shift: int) -> None:
    for rounding in (fp.SINGLE, fp.DOUBLE):
        expected = model(x, multiplier, shift, rounding)
        got = fp.requantize(np.array([x]), multiplier, shift, rounding)
        assert got.dtype == np.int64 and got[0] == expected, (x, multiplier, shift, rounding)
        if -(2**31) <= expected < 2**31:  # what leaves 32 bits is ruled out before a kernel runs
            assert c.f_requant(x, multiplier, shift, rounding) == expected, (x, multiplier, shift, rounding)


def test_requantize_at_the_edges(c: ctypes.CDLL) -> None:
    for x in EDGES:
        for multiplier in MULTIPLIERS:
            for shift in SHIFTS:
                agree(c, x, multiplier, shift)


int32 = st.integers(-(2**31), 2**31 - 1)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(int32, st.integers(2**30, 2**31 - 1), st.integers(-31, 8))
def test_requantize_anywhere(c: ctypes.CDLL, x: int, multiplier: int, shift: int) -> None:
    agree(c, x, multiplier, shift)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(-255, 255), st.integers(-31, 0))
def test_requantize_at_exact_halves(c: ctypes.CDLL, level: int, shift: int) -> None:
    """A power of two as multiplier puts accumulators exactly between two levels."""
    x = (2 * level + 1) << -shift
    if abs(x) < 2**31:
        agree(c, x, 2**30, shift)


def test_the_rules_differ(c: ctypes.CDLL) -> None:
    """An accumulator that the two rules round apart, so that swapping them cannot pass."""
    x, multiplier, shift = 7, 2**30 + 2**28, -1  # 7 * 0.625 / 2 = 2.1875: 4.375 -> 4 -> 2 either way
    assert model(x, multiplier, shift, fp.SINGLE) == model(x, multiplier, shift, fp.DOUBLE) == 2
    x = 11  # 11 * 0.625 / 2 = 3.4375: once gives 3; 6.875 -> 7 -> 3.5 -> 4 twice
    assert model(x, multiplier, shift, fp.SINGLE) == 3
    assert model(x, multiplier, shift, fp.DOUBLE) == 4
    agree(c, x, multiplier, shift)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(int32, st.integers(0, 31))
def test_divide_pot(c: ctypes.CDLL, x: int, exponent: int) -> None:
    expected = away(Fraction(x, 2**exponent))
    assert fp.rounding_divide_by_pot(np.array([x]), exponent)[0] == expected
    assert c.f_divide_pot(x, exponent) == expected


@settings(max_examples=300, deadline=None, derandomize=True)
@given(int32, int32)
def test_high_mul(c: ctypes.CDLL, a: int, b: int) -> None:
    expected = min(up(Fraction(a * b, 2**31)), 2**31 - 1)
    assert fp.rounding_doubling_high_mul(np.array([a]), b)[0] == expected
    if (a, b) != (-(2**31), -(2**31)):
        assert c.f_high_mul(a, b) == expected


def test_high_mul_saturates_its_only_overflow() -> None:
    assert fp.rounding_doubling_high_mul(np.array([-(2**31)]), -(2**31))[0] == 2**31 - 1


@settings(max_examples=200, deadline=None, derandomize=True)
@given(int32, st.integers(0, 31))
def test_wrap_and_shift(c: ctypes.CDLL, x: int, n: int) -> None:
    assert fp.wrap_int32(np.array([x << n]))[0] == c.f_shift_left(x, n) == wrap(x << n)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.floats(2.0**-31, 2.0**29, allow_nan=False))
def test_quantize_multiplier_is_the_nearest(real: float) -> None:
    multiplier, shift = fp.quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31 and -31 <= shift <= 30
    held = Fraction(multiplier) * Fraction(2) ** (shift - 31)
    assert abs(held - Fraction(real)) <= Fraction(2) ** (shift - 32)


def test_quantize_multiplier_at_the_edges() -> None:
    assert fp.quantize_multiplier(0.0) == (0, 0)
    assert fp.quantize_multiplier(2.0**-34) == (0, 0)
    assert fp.quantize_multiplier(0.5) == (2**30, 0)
    assert fp.quantize_multiplier(1.0) == (2**30, 1)
    assert fp.quantize_multiplier(1.0 - 2.0**-40) == (2**30, 1)  # the significand rounds up to the next power
    assert fp.quantize_multiplier(2.0**40) == (2**31 - 1, 30)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(-1000, 1000), st.integers(-128, 127), st.integers(-128, 127), st.integers(-128, 127))
def test_clamp(c: ctypes.CDLL, x: int, zero: int, a: int, b: int) -> None:
    low, high = min(a, b), max(a, b)
    expected = max(low, min(high, x + zero))
    assert fp.clamp_int8(np.array([x]), zero, low, high)[0] == expected == c.f_clamp(x + zero, low, high)
