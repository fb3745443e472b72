"""Fully connected layers on cores with the DSP extension: four filters at a time (ek_fully_connected_fours.h).

Two weights of a tap may be one int16, 256 times the second and the first. A product with it is 256 times the second's
and the first's, and so is a sum. The first sum is computed for itself; less it, and shifted, the other is the second.
Modulo 2**32 that is exact where 256 times the second sum fits 32 bits.
"""

from __future__ import annotations

import numpy as np

from ...graph.ir import Array
from ...graph.op import View
from ..shared import linear as lin

SUM_LIMIT = 2**23  # of a sum that is computed 256 times


def joins(view: View) -> bool:
    """Whether each second filter's sum fits 24 bits, and each two weights an int16."""
    w, twos = view.weights.value.astype(np.int64), view.weights.shape[0] // 4 * 4
    first, second = w[0:twos:2], w[1:twos:2]
    small = lin.accumulator_reach(view)[1:twos:2] < SUM_LIMIT
    return bool(twos and small.all() and np.all(second - (first < 0) >= -128))


def interleaved(view: View, *, joined: bool) -> dict[str, Array]:
    """The weights, as many bytes as ever, as the header has them."""
    w = view.weights.value
    channels, n = w.shape
    count, groups = channels // 4, n // 4
    whole = 4 * count
    # Filters of a four: by pairs, which of a pair; taps of a group: by twos, which of two.
    fours = w[:whole, : 4 * groups].reshape(count, 2, 2, groups, 2, 2).copy()
    if joined:
        fours[:, :, 1] -= fours[:, :, 0] < 0
    words = fours.transpose(0, 3, 5, 1, 4, 2).reshape(count, 16 * groups)
    rest = w[:whole, 4 * groups :].reshape(count, 4, n % 4).transpose(0, 2, 1).reshape(count, 4 * (n % 4))
    four = np.concatenate([words, rest], axis=1)
    return {view.weights.name: np.concatenate([four.reshape(-1), w[whole:].reshape(-1)])}
