"""Packed filters on cores with Helium: what ek_decoded_mve.h needs of scratch, and pixels at a time."""

from __future__ import annotations

import numpy as np

from ...graph.fixedpoint import DOUBLE
from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin

PIXELS_BYTES = 40 * 1024
SOURCES = ("ek_decoded_outputs_mve", "ek_indices_mve", "ek_unroll_mve")


def row(taps: int) -> int:
    return (taps + 15) // 16 * 16


def block(view: View, taps: int) -> int:
    """Pixels whose windows are held at a time, even: in 40 KB unless two need more, and 256 at most.

    A filter is decoded once for all of them, so more of them are faster; all passes have about one size.
    """
    _, out_h, out_w, _ = view.out.shape
    affordable = max(min(view.held(PIXELS_BYTES) // row(taps), 256) // 2 * 2, 2)
    passes = -(-out_h * out_w // affordable)
    return (-(-out_h * out_w // passes) + 1) // 2 * 2


def regions(taps: int, at_once: int, planes: int) -> Regions:
    """What EK_DECODED wants of scratch, for `at_once` pixels in a block."""
    sums = "int32: of one plane (2 pixels, 4 filters), of two planes (2, block, 4)"
    return (
        Region("weights", 8 * row(taps), "int16 (row / 8, 4 filters, 8)"),
        Region("sums", 32 if planes == 1 else 32 * at_once, sums),
        Region("pixels", row(taps) * at_once, "int8 (block / 2, row / 16, 2, 16): what the pixels of a block see"),
    )


def unrolled(view: View, k_h: int, k_w: int) -> Region:
    """What kernels unroll a window to, and 15 bytes behind it; nothing where `k_h` is 0."""
    in_c = view.x.shape[3]
    run = in_c * (k_w if view["dilation_w"] == 1 else 1)
    needed = k_h * k_w * in_c + 15 if k_h and run % 16 else 0
    return Region("unrolled", needed, "int8 (taps): a window, where its runs are no whole vectors", align=1)


def accepts(dense: View) -> bool:
    """Whether requantisation goes by vectors; `dense`: the layer with its weights as they are decoded."""
    offsets = dense.out.shape[3] <= 2**16 - 4  # places of a pixel's neighbour are offsets of 16 bits
    return offsets and dense["rounding"] == DOUBLE and lin.vector_requant(dense)


def work(dense: View, at_once: int, planes: int = 1) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) says; `at_once`: the layer's block.

    The loop over two pixels and four filters, its outputs, passes of four filters, runs of 16 values and windows that
    are gathered, values that are unrolled first, weights that are decoded, and the call.
    """
    _, out_h, out_w, out_c = dense.out.shape
    pixels, taps, fours = out_h * out_w, int(np.prod(dense.weights.shape[1:])), -(-out_c // 4)
    passes = -(-pixels // at_once)
    pairs = fours * -(-pixels // 2)
    loop = planes * pairs * (30 * row(taps) / 16 + 30)
    weights = planes * passes * dense.weights.value.size
    k_h, k_w = (0, 0) if dense.weights.shape[1:3] == (1, 1) else dense.weights.shape[1:3]
    unrolls = pixels * taps if unrolled(dense, k_h, k_w).bytes else 0
    return loop, pairs * 2, fours * passes, pixels * -(-taps // 16), pixels, unrolls, weights, 1
