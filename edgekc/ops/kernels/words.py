"""Packed filters on cores with vector instructions: 16 at a time as 16-bit weights, for a block of pixels.

Filters are decoded once for the pixels whose windows are in scratch (runtime_c/kernels/vec/ek_words.h), in parts where
more than half of the layer's weights would be in memory at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...graph.fixedpoint import DOUBLE, SINGLE
from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring
from . import expand as ex
from .vector import ACCUMULATOR_LIMIT, BLOCK

WINDOWS_BYTES = 128 * 1024  # of scratch for windows, if 16 pixels need no more
PART = 320  # taps of a filter that are decoded at a time, at most
HEADER_BYTES = 256
SOURCES = ("ek_words_columns_vec", "ek_words_outputs_vec")
LARGEST = 127 * 256 + 127  # of a weight whose high byte, rounded, is one


def requantises(dense: View) -> bool:
    """Whether requantisation in 32 bits has the reference's bits."""
    shift = dense.shift.value
    return bool(
        dense["rounding"] in (DOUBLE, SINGLE)
        and np.all((shift >= -30) & (shift <= -1))
        and np.all(lin.accumulator_bound(dense) < ACCUMULATOR_LIMIT)
    )


def accepts(dense: View, at_once: int) -> bool:
    """Whether weights fit 16 bits, and never all of them are decoded at once."""
    w = dense.weights.value
    in_parts = min(len(w), BLOCK) * at_once < w.size
    return in_parts and int(w.min()) >= -(2**15) and int(w.max()) <= LARGEST and requantises(dense)


def part(dense: View) -> int:
    """Taps of 16 filters that are decoded at a time: at most half of the weights, in eights unless they are few."""
    half = dense.weights.value.size // (2 * BLOCK)
    return min(ex.taps(dense), PART, max(half if half < 8 else half // 8 * 8, 1))


def whole_positions(dense: View) -> int:
    """The same in whole positions of the window."""
    in_c = dense.x.shape[3]
    return max(part(dense) // in_c, 1) * in_c


def image(dense: View) -> bool:
    """Whether kernels hold rows of the padded image, instead of windows."""
    return not ex.pointwise(dense) and dense.x.shape[3] % 8 == 0


def _row_taps(dense: View) -> int:
    """Of a row of the padded image."""
    width = (dense.out.shape[2] - 1) * dense["stride_w"] + (dense.weights.shape[2] - 1) * dense["dilation_w"] + 1
    return width * dense.x.shape[3]


def _rows(dense: View, lines: int) -> int:
    """Rows of the padded image for so many rows of outputs."""
    return (lines - 1) * dense["stride_h"] + (dense.weights.shape[1] - 1) * dense["dilation_h"] + 1


def block(dense: View) -> int:
    """Pixels of a pass, or rows of outputs of an image: as few passes as the room for them allows, of one size."""
    _, out_h, out_w, _ = dense.out.shape
    room = dense.held(WINDOWS_BYTES)
    if image(dense):
        more = room - 2 * _rows(dense, 1) * _row_taps(dense) - _sums(dense, out_w)
        each = 2 * dense["stride_h"] * _row_taps(dense) + _sums(dense, out_w)
        lines, most = out_h, max(more // each + 1, 1)
    else:
        lines, most = out_h * out_w, max(room // (2 * ex.values(dense)), 16)
    passes = -(-lines // most)
    return -(-lines // passes)


def _sums(dense: View, pixels: int) -> int:
    """Bytes of the sums of 16 filters between their parts."""
    return 4 * BLOCK * pixels if part(dense) < ex.taps(dense) else 0


def work(dense: View, at_once: int) -> tuple[float, ...]:
    """How often the kernel does what `CYCLES` (`cycles.py`) says, `at_once` taps of a filter being decoded at a time.

    Products, and for columns of a tile and parts of a filter: runs of taps, sums. Outputs, values of windows or of the
    image, windows, weights, and the call. Filters count in whole blocks.
    """
    _, out_h, out_w, out_c = dense.out.shape
    pixels, taps, weights = out_h * out_w, ex.taps(dense), dense.weights.value.size
    filters, parts = -(-out_c // BLOCK) * BLOCK, -(-taps // at_once)
    if image(dense):
        runs, passes = dense.weights.shape[1], -(-out_h // block(dense))
        windows = 0, _rows(dense, out_h) * _row_taps(dense)
    else:
        runs, passes, windows = 1, -(-pixels // block(dense)), (pixels * dense.weights.shape[1], pixels * taps)
    return pixels * filters * taps, pixels * filters * (runs + parts), pixels * filters, *windows, weights * passes, 1


def work_by_kernels(dense: View) -> tuple[float, ...]:
    """The same for layers on templates, decoded by whole positions of the window; and kernels that are decoded."""
    at_once, taps = whole_positions(dense), ex.taps(dense)
    *most, weights, call = work(dense, at_once)
    return (*most, weights, weights / taps * dense.x.shape[3] * -(-taps // at_once), call)


def regions(dense: View, at_once: int, lines: int) -> Regions:
    """What EK_WORDS wants of scratch, `at_once` taps of a filter being decoded for so many pixels at a time.

    `lines` is what `block` says. With at_once = 0 the kernel wants windows, and pixels.
    """
    _, k_h, k_w, _ = dense.weights.shape
    room = -(-at_once // 8) * 8
    rows = image(dense) and at_once > 0
    pixels = lines * dense.out.shape[2] if rows else lines
    taps = _rows(dense, lines) * _row_taps(dense) if rows else pixels * ex.values(dense)
    sums = 4 * BLOCK * pixels if at_once < ex.taps(dense) else 0
    runs = k_h * (k_w if dense["dilation_w"] > 1 else 1)
    _, copied = ring.regions(dense, k_h, k_w, behind=16)
    return (
        Region("weights", 2 * BLOCK * room, "16 filters, as ek_words_run has them"),
        Region("sums", sums, "int32 (pixels, 16): between the parts of filters"),
        Region("columns", 2 * taps + 32, "(pixels, values): their windows, or rows of the image; 32 bytes behind"),
        Region("starts", 0 if ex.pointwise(dense) else 4 * runs, "uint32 (runs): where those of a window begin"),
        replace(copied, bytes=0) if rows or ex.pointwise(dense) else copied,
    )


def of_rows(at_once: int) -> Regions:
    """What kernels want that decode a filter to a row, whose constants lie apart."""
    return (
        Region("header", HEADER_BYTES, "as in a record of ek_vec.h: what follows the sums of 16 filters"),
        Region("row", 2 * (-(-at_once // 8) * 8), "int16 (taps at a time): of one filter, as it is decoded"),
    )


def regions_by_kernels(dense: View) -> Regions:
    """Of layers on templates: both of these."""
    part = whole_positions(dense)
    return (*of_rows(part), *regions(dense, part, block(dense)))
