"""Weights to whole multiples of a step: a step for each output channel, and centers that stay equally far apart.

A uniform quantiser of `bits` bits has the levels -2**(bits - 1) to 2**(bits - 1) - 1. With 2 bits a layer may have
those half a step higher instead, -1.5 to 1.5, if their squared error is less: 0 is no level then, but each level has
its opposite (mid-tread and mid-rise: Gersho, Gray 1992, Vector Quantization and Signal Compression, section 5.2). Each
channel gets the step whose squared error is least. `edgekc/train/steps_learned.py` then learns the steps with the
weights (Esser, McKinstry, Bablani, Appuswamy, Modha 2020, Learned Step Size Quantization, arXiv 1902.08153). The device
sees clustered weights: the levels are the centers, the steps the scales of the rows.
"""

from __future__ import annotations

import numpy as np

from ...graph.ir import Array
from . import cluster

_TRIED = 64  # steps for each channel, up to that which cuts off nothing
_HALVES = 2  # bits where levels half a step higher are tried; from 3 on they gain next to nothing
_ROUNDS = 8  # of fitting the best of them to the levels that it gives


def levels(bits: int) -> Array:
    """The levels of a weight, int64 (2**bits,)."""
    return np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))


def cluster_steps(weights: Array, bits: int, channel_axis: int) -> cluster.Clustered:
    """One layer's weights as levels and steps.

    Args:
        weights: any shape with output channels at `channel_axis`.
        bits: 2 to 8.

    Raises:
        ModelError: weights that are not finite.
    """
    rows = cluster.to_rows(weights, channel_axis)
    ways = [levels(bits).astype(np.float64)]
    if bits == _HALVES:
        ways.append(ways[0] + 0.5)
    return min((_record(weights, rows, known, channel_axis) for known in ways), key=lambda made: made.relative_error)


def _record(weights: Array, rows: Array, known: Array, channel_axis: int) -> cluster.Clustered:
    steps = _steps(rows, known)
    raw, point = cluster.encode(known)
    return cluster.pack(weights, nearest(rows, steps, known), raw, point, steps, channel_axis, steps=True)


def nearest(rows: Array, steps: Array, known: Array) -> Array:
    """Which level each weight (oc, taps) has, int64; in a channel whose step is 0 any."""
    scaled = np.divide(rows, steps[:, None], out=np.zeros_like(rows), where=steps[:, None] > 0)
    places: Array = np.clip(np.rint(scaled - known[0]), 0, len(known) - 1)
    return places.astype(np.int64)


def _steps(rows: Array, known: Array) -> Array:
    """(oc,) float64 that float32 holds: of least squared error; 0 for a channel of zeros."""
    most = np.abs(rows).max(1) / known[-1]
    best, least = most, np.full(len(rows), np.inf)
    for share in np.linspace(1 / _TRIED, 1, _TRIED):
        tried = most * share
        error = np.square(rows - tried[:, None] * known[nearest(rows, tried, known)]).sum(1)
        best, least = np.where(error < least, tried, best), np.minimum(error, least)
    ones = np.ones(rows.shape)
    for _ in range(_ROUNDS):
        best = cluster.fit_scales(rows, ones, nearest(rows, best, known), known, best)
    return np.asarray(best.astype(np.float32).astype(np.float64))
