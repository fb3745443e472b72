"""Packed filters on cores with vector instructions: 16 at a time as 16-bit weights, for a block of pixels.

Filters are decoded once for the pixels whose windows are in scratch (runtime_c/include/ek_words.h), in parts where more
than half of the layer's weights would be in memory at once.
"""

from __future__ import annotations

import numpy as np

from ..fixedpoint import DOUBLE, SINGLE
from ..op import View
from . import _expand as ex
from . import _linear as lin
from ._vector import ACCUMULATOR_LIMIT, BLOCK

WINDOWS_BYTES = 64 * 1024  # of scratch for windows, if 16 pixels need no more
PART = 640  # taps of a filter that are decoded at a time, at most
HEADER_BYTES = 256
SOURCES = ("ek_words_columns_vec", "ek_words_outputs_vec")
LARGEST = 127 * 256 + 127  # of a weight whose high byte, rounded, is one


def accepts(dense: View, at_once: int) -> bool:
    """Whether weights fit 16 bits, requantisation in 32 bits has the reference's bits, filters come in parts."""
    w, shift = dense.inputs[1].value, dense.inputs[-1].value
    return bool(
        min(len(w), BLOCK) * at_once < w.size
        and dense["rounding"] in (DOUBLE, SINGLE)
        and np.all((shift >= -30) & (shift <= -1))
        and w.min() >= -(2**15)
        and w.max() <= LARGEST
        and np.all(lin.accumulator_bound(dense) < ACCUMULATOR_LIMIT)
    )


def part(dense: View) -> int:
    """Taps of 16 filters that are decoded at a time: at most half of the weights, and a multiple of eight or all."""
    half = dense.inputs[1].value.size // (2 * BLOCK) // 8 * 8
    return min(ex.taps(dense), PART, max(half, 8))


def block(dense: View) -> int:
    """Pixels of a pass: as few passes as the room for windows allows, of one size."""
    _, out_h, out_w, _ = dense.out.shape
    pixels = out_h * out_w
    passes = -(-pixels // max(WINDOWS_BYTES // (2 * ex.values(dense)), 16))
    return -(-pixels // passes)


def scratch(dense: View, at_once: int) -> int:
    """What EK_WORDS wants, `at_once` taps of a filter being decoded at a time."""
    room = -(-at_once // 8) * 8
    sums = 4 * BLOCK * block(dense) if at_once < ex.taps(dense) else 0
    held = HEADER_BYTES + 2 * (1 + BLOCK) * room + sums + 2 * block(dense) * ex.values(dense) + 16
    if ex.pointwise(dense):
        return held
    _, k_h, k_w, _ = dense.inputs[1].shape
    return held + lin.ring_bytes(dense, k_h, k_w)
