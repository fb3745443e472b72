"""Weights to whole multiples of a step: a step for each output channel, and centers that stay equally far apart.

A uniform quantiser of `bits` bits has the levels -2**(bits - 1) to 2**(bits - 1) - 1. Here each channel gets the step
whose squared error is least. `edgekc/train/steps_learned.py` then learns the steps with the weights (Esser, McKinstry,
Bablani, Appuswamy, Modha 2020, Learned Step Size Quantization, arXiv 1902.08153). The device sees clustered weights:
the levels are the centers, the steps the scales of the rows.
"""

from __future__ import annotations

import numpy as np

from ...graph.ir import Array
from . import cluster

_TRIED = 64  # steps for each channel, up to that which cuts off nothing
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
    known = levels(bits)
    steps = _steps(rows, known)
    index = nearest(rows, steps, known) - known[0]
    raw, point = cluster.encode(known.astype(np.float64))
    return cluster.pack(weights, index, raw, point, steps, channel_axis, steps=True)


def nearest(rows: Array, steps: Array, known: Array) -> Array:
    """The level of each weight (oc, taps), int64; of a channel whose step is 0 that of zero."""
    scaled = np.divide(rows, steps[:, None], out=np.zeros_like(rows), where=steps[:, None] > 0)
    return np.clip(np.rint(scaled), known[0], known[-1]).astype(np.int64)


def _steps(rows: Array, known: Array) -> Array:
    """(oc,) float64 that float32 holds: of least squared error; 0 for a channel of zeros."""
    most = np.abs(rows).max(1) / known[-1]
    best, least = most, np.full(len(rows), np.inf)
    for share in np.linspace(1 / _TRIED, 1, _TRIED):
        tried = most * share
        error = np.square(rows - tried[:, None] * nearest(rows, tried, known)).sum(1)
        best, least = np.where(error < least, tried, best), np.minimum(error, least)
    ones = np.ones(rows.shape)
    for _ in range(_ROUNDS):
        index = nearest(rows, best, known) - known[0]
        best = cluster.fit_scales(rows, ones, index, known.astype(np.float64), best)
    return np.asarray(best.astype(np.float32).astype(np.float64))
