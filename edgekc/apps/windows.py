"""Rows of a sensor to the windows of a network, in integers. The definition of runtime_c/apps/ek_window.c.

A row has one int16 of each channel: a sample of an IMU, interleaved as its FIFO gives it. Each channel has a middle and
a scale of its own, because an accelerometer and a gyroscope have other units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..graph.ir import Array

LARGEST_FACTOR = (1 << 14) - 1  # a difference of two int16 times it, and a half, is below 2^31
LEAST_FACTOR = 64
LARGEST_SHIFT = 30


class Channel(NamedTuple):
    """How a channel becomes levels: (sample - middle) * factor / 2^shift, rounded, plus the input's zero point."""

    middle: int
    factor: int
    shift: int


def channel_of(middle: int, unit: float, scale: float) -> Channel:
    """The channel in which `unit` of a sample is 1 for the network.

    Args:
        middle: sample that is 0 for the network, an int16.
        unit: of samples, more than 0; the standard deviation of the training samples, as a rule.
        scale: of the network's input: what a level is.

    Raises:
        UsageError: no channel can be like that.
    """
    ratio = 1 / (unit * scale) if math.isfinite(unit) and unit * scale > 0 else math.inf
    for shift in range(LARGEST_SHIFT, 0, -1):
        if math.isfinite(ratio) and LEAST_FACTOR <= (factor := round(ratio * (1 << shift))) <= LARGEST_FACTOR:
            if -32768 <= middle < 32768:
                return Channel(middle, factor, shift)
            break
    raise UsageError(f"a channel has middle {middle} and unit {unit}", where="sensor",
                     fix="middle is an int16, and unit the standard deviation of its samples")  # fmt: skip


def levels(rows: Array, channels: Sequence[Channel], zero_point: int) -> Array:
    """Rows (n, channels) int16 as the network's input, (n, channels) int8. Halves go up; beyond int8 is cut off."""
    middle, factor, shift = (np.array(numbers, np.int64) for numbers in zip(*channels, strict=True))
    found = ((rows.astype(np.int64) - middle) * factor + (1 << (shift - 1))) >> shift
    return np.asarray(np.clip(found + zero_point, -128, 127), np.int8)


def ends(rows: int, length: int, stride: int) -> range:
    """After how many rows windows of a stream are complete: after `length`, and then after each `stride` more."""
    return range(length, rows + 1, stride)


def cut(rows: Array, length: int, stride: int) -> Array:
    """Rows (n, channels) as windows (windows, length, channels). What is left at the end is in none."""
    found = [rows[end - length : end] for end in ends(len(rows), length, stride)]
    return np.stack(found) if found else np.empty((0, length, *rows.shape[1:]), rows.dtype)
