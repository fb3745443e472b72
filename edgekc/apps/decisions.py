"""What a network says of one window after the other: an anomaly's score, and decisions that do not flicker.

In integers; the definition of runtime_c/apps/ek_decision.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..graph.ir import Array

LARGEST_ERROR_FACTOR = 128
SCORE_SHIFT = 14
LARGEST_WINDOW = 1 << 14  # elements: a score stays below 2^32
NONE = 255  # no decision yet


class Errors(NamedTuple):
    """How levels of an autoencoder's input and output are compared: (level - zero) * factor of both."""

    in_zero: int
    in_factor: int
    out_zero: int
    out_factor: int


def errors_of(in_scale: float, in_zero: int, out_scale: float, out_zero: int) -> Errors:
    """The larger scale has the factor 128, and the other one its share of it, 1 at the least."""
    largest = max(in_scale, out_scale)
    factors = [max(1, round(LARGEST_ERROR_FACTOR * scale / largest)) for scale in (in_scale, out_scale)]
    return Errors(in_zero, factors[0], out_zero, factors[1])


def scores(inputs: Array, outputs: Array, errors: Errors) -> Array:
    """Sums of squared errors (n,) of windows (n, ...) int8 and what the autoencoder makes of them.

    The unit is a squared level of the larger scale. Scores are rounded down, and below 2^32 for up to 16,384 elements.
    """
    count = len(inputs)
    wanted = (inputs.reshape(count, -1).astype(np.int64) - errors.in_zero) * errors.in_factor
    found = (outputs.reshape(count, -1).astype(np.int64) - errors.out_zero) * errors.out_factor
    return np.asarray(((wanted - found) ** 2).sum(axis=1) >> SCORE_SHIFT)


def alarms(found: Iterable[int], threshold: int, release: int) -> list[int]:
    """Of each score 1 where it is an anomaly. An alarm begins above `threshold` and ends at `release` or below.

    This is a Schmitt trigger; `release` is at most `threshold`.
    """
    said, on = [], 0
    for score in found:
        on = int(score > (release if on else threshold))
        said.append(on)
    return said


def steady(found: Iterable[int], hold: int, first: int = NONE) -> list[int]:
    """Of each decision the one that stands: another one takes its place when it came `hold` times in a row.

    Args:
        found: of each window a decision, 0 to 254.
        hold: 1 to 255. 1: every decision stands at once.
        first: what stands before. NONE: nothing.
    """
    said, stands, other, times = [], first, NONE, 0
    for decision in found:
        times = 0 if decision == stands else times + 1 if decision == other else 1
        other = decision
        if times >= hold:
            stands, times = decision, 0
        said.append(stands)
    return said
