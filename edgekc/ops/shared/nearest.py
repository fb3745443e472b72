"""A double-precision scale turned into the 31-bit multiplier that rounds every reachable accumulator like it.

LiteRT's reference fully connected kernel computes round(acc * scale) in double precision. An integer
multiplier is off by up to half a unit, which shows where acc * scale comes that close to a half. Only 255
such places can be seen in an int8 output, each allows an interval of multipliers, and nearly always all the
intervals share an integer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.fixedpoint import quantize_multiplier

LEVELS = 255  # differences of two int8 values; rounding is symmetric, so positive levels suffice
CLOSE = 2.0**-28  # relative distance to a half beyond which a multiplier right to half a unit cannot err

Span = tuple[int, int]  # first and last


def allowed(scale: float, shift: int, reach: Span) -> Span:
    """The multipliers that, with `shift` and rounding rule SINGLE, round all accumulators in `reach` like `scale`.

    Empty (first above last) where there is none.
    """
    half = np.arange(LEVELS) + 0.5
    first = np.ceil(half / scale)  # about the first accumulator that reaches each level
    # Settle it in the double arithmetic that is to be matched: one step either way is enough.
    first = np.where((first - 1) * scale >= half, first - 1, first)
    first = np.where(first * scale >= half, first, first + 1)
    gap = np.minimum(first * scale - half, half - (first - 1) * scale)
    low, high = 2**30, 2**31 - 1
    for index in np.flatnonzero(gap < CLOSE * half):
        need = (2 * int(index) + 1) << (30 - shift)  # half * 2**(31 - shift)
        acc = int(first[index])
        if _within(acc, reach):  # acc * multiplier must come to half or more, ...
            low = max(low, -(-need // acc))
        if acc > 1 and _within(acc - 1, reach):  # ... and the accumulator before it to less
            high = min(high, (need - 1) // (acc - 1))
    return low, high


def _within(magnitude: int, reach: Span) -> bool:
    return reach[0] <= magnitude <= reach[1] or reach[0] <= -magnitude <= reach[1]


def nearest_multipliers(scales: Sequence[float], reaches: Sequence[Span]) -> list[tuple[int, int]]:
    """(multiplier, shift) per channel, or one for all where there is one scale and one multiplier serves.

    Where no multiplier serves all accumulators of a channel it is the nearest, and levels within 2**-32 of
    a half may come out one apart. Accumulators would have to span more than some 2**24, or the double product be a
    half where it is exact and miss it by rounding elsewhere: at 0.7 it does, 15 giving 10.5 and 45 less than 31.5.
    """
    found = []
    for scale, reach in zip(scales, reaches, strict=True):
        multiplier, shift = quantize_multiplier(scale)
        span = allowed(scale, shift, reach) if multiplier and shift < 31 else (multiplier, multiplier)
        if span[0] > span[1]:
            span = (multiplier, multiplier)
        found.append((multiplier, shift, span))
    if len(set(scales)) == 1:
        multiplier, shift, _ = found[0]
        common = (max(f[2][0] for f in found), min(f[2][1] for f in found))
        if common[0] <= common[1]:
            return [(min(max(multiplier, common[0]), common[1]), shift)]
    return [(min(max(m, low), high), shift) for m, shift, (low, high) in found]
