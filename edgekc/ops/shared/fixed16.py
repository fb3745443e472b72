"""Sigmoid and tanh of 16 bits in fixed point, as gates of recurrent layers have them.

Numbers with i integer bits are held in 16 bits, so that raw = value * 2**(15 - i) ("Qi"). Products round as those of 32
bits do. `runtime_c/kernels/portable/ek_lstm_s8.c` computes the same.
"""

from __future__ import annotations

import math

import numpy as np

from ...graph.fixedpoint import rounding_divide_by_pot
from ...graph.ir import Array

INT16_MAX = 2**15 - 1
GATE_BITS = 3  # integer bits of what goes into a gate
MOST_BITS = 6  # integer bits of a cell
EXP_EIGHTH = 28918  # exp(-1/8) in Q0
THIRD = 10923  # 1/3 in Q0
EXP_POWERS = tuple(math.floor(math.exp(-(2.0**k)) * 2.0**15 + 0.5) for k in range(-2, 5))  # Q0
RECIPROCAL_48_17, RECIPROCAL_32_17 = 23130, -15420  # 48/17 and -32/17 in Q2


def saturate(x: Array) -> Array:
    """To the range of int16."""
    return np.asarray(np.clip(x, -INT16_MAX - 1, INT16_MAX))


def mul(a: Array, b: Array | int) -> Array:
    """The product of a number in Q0 and another, in the other's form; halves are rounded up."""
    product: Array = np.asarray(a * b, np.int64)
    return np.asarray(np.minimum((product + (1 << 14)) >> 15, INT16_MAX))


def exp_negative(a: Array, bits: int) -> Array:
    """exp(a) in Q0 of a <= 0 with `bits` integer bits, 1 to 7: a polynomial within a quarter, times powers."""
    quarter = 1 << (15 - bits - 2)
    fraction = (a & (quarter - 1)) - quarter  # in [-1/4, 0)
    x = (fraction << bits) + (1 << 12)  # Q0, shifted by 1/8 to be centred on 0
    x2 = mul(x, x)
    x3, x4 = mul(x2, x), mul(x2, x2)
    tail = rounding_divide_by_pot(mul(rounding_divide_by_pot(x4, 2) + x3, THIRD) + x2, 1)
    result = saturate(EXP_EIGHTH + mul(x + tail, EXP_EIGHTH))
    remainder = fraction - a
    for bit, power in enumerate(EXP_POWERS[: bits + 2]):
        result = np.where(remainder & (quarter << bit), mul(result, power), result)
    if bits > 5:
        result = np.where(a < -(32 << (15 - bits)), 0, result)
    return np.where(a == 0, INT16_MAX, result)


def _reciprocal(x: Array) -> Array:
    """2 / (1 + x) in Q2 of x >= 0 in Q0; three Newton steps."""
    half = (x + INT16_MAX + 1) >> 1  # (1 + x) / 2, rounded up: never negative
    guess = RECIPROCAL_48_17 + mul(half, RECIPROCAL_32_17)
    for _ in range(3):
        error = (1 << 13) - mul(half, guess)
        guess = guess + saturate(mul(guess, error) << 2)
    return guess


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) in Q0, int64, of int16 values with three integer bits."""
    x = x.astype(np.int64)
    positive = saturate(_reciprocal(exp_negative(-np.abs(x), GATE_BITS)) << 1)
    return np.where(x > 0, positive, np.where(x == 0, 1 << 14, INT16_MAX - positive))


def tanh(x: Array, bits: int) -> Array:
    """tanh(x) in Q0, int64, of int16 values with `bits` integer bits, 0 to 6."""
    x = x.astype(np.int64)
    # (1 - e) / (1 + e) = 2 / (1 + e) - 1, with e = exp(-2 |x|): one more integer bit doubles
    size = saturate((_reciprocal(exp_negative(-np.abs(x), bits + 1)) - (1 << 13)) << 2)
    return np.where(x > 0, size, np.where(x == 0, 0, -size))
