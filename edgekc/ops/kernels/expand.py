"""What packed convolutions share on cores with the DSP extension: filters expanded to int16, two at a time.

A filter is decoded once for a block of pixels and then meets them in a dense loop (runtime_c/kernels/dsp/ek_expand.h).
The more pixels a block has the less decoding costs, and the more scratch its windows take.
"""

from __future__ import annotations

import numpy as np

from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring

WINDOWS_BYTES = 36 * 1024  # of scratch for windows, if four pixels need no more
LITTLE_BYTES = 4096  # of it, which no network misses
SOURCES = ("ek_expand_open_dsp", "ek_expand_columns_dsp", "ek_expand_outputs_dsp")


def taps(dense: View) -> int:
    return int(np.prod(dense.weights.shape[1:]))


def values(dense: View) -> int:
    """The taps of a filter as the kernels hold them: up to a multiple of eight."""
    return (taps(dense) + 7) // 8 * 8


def fits(dense: View) -> bool:
    """Whether every expanded weight is an int16, and the cheap requantisation is proved."""
    return lin.fits_int16(dense.weights.value) and lin.short_requant(dense)


def pointwise(dense: View) -> bool:
    return dense.weights.shape[1:3] == (1, 1) and unpadded(dense)


def unpadded(view: View) -> bool:
    return not any(view[p] for p in ("pad_top", "pad_bottom", "pad_left", "pad_right"))


def block(dense: View, decode: float) -> int:
    """Pixels of a pass, a multiple of four; `decode`: instructions to expand a weight.

    As few passes as keep decoding below 3 % of a multiply-accumulate's instructions or the windows in their room, and
    below 1 % where the windows need little of it; then passes of one size.
    """
    _, out_h, out_w, _ = dense.out.shape
    pixels = out_h * out_w
    room = max(dense.held(WINDOWS_BYTES) // (2 * values(dense)), 4)
    wanted = max(int(decode / 0.03), min(int(decode / 0.01), LITTLE_BYTES // (2 * values(dense))), 16)
    passes = -(-pixels // min(room, wanted))
    return min(-(-pixels // passes) + 3, room) // 4 * 4


ALONE = 0.45  # of four columns' loop, where there is only one
LOOP = 14 / 2 + 3 / 16  # instructions for each value of two filters and four columns, as ek_expand_outputs_dsp.c has it


def work(dense: View, decode: float) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) begins with.

    The loop, four columns, parts of four, two filters; values and runs of windows that are gathered four windows at a
    time, and one by one; values whose runs are no words; and weights that are decoded one by one because filters begin
    anywhere in a byte.
    """
    _, out_h, out_w, out_c = dense.out.shape
    pixels, held = out_h * out_w, block(dense, decode)
    times, rest = passes(dense, decode), pixels % held
    fours, parts = pixels // held * (held // 4) + rest // 4, int(rest % 4 > 0)
    pairs = -(-out_c // 2)
    last = ALONE if rest % 4 == 1 else parts
    loop = (fours + last) * pairs * values(dense) * LOOP
    together, alone = gathers(dense)
    rows, columns = dense.weights.shape[1:3]
    runs = rows * (columns if dense["dilation_w"] != 1 else 1)
    bytewise = pixels * taps(dense) if taps(dense) // runs % 4 else 0
    streamed = times * dense.out.shape[3] * taps(dense) if taps(dense) % 8 else 0
    gathered = together * taps(dense), together * runs, alone * taps(dense), alone * runs
    return loop, fours * pairs, parts * pairs, times * pairs, *gathered, bytewise, streamed


def gathers(dense: View) -> tuple[int, int]:
    """How often ek_expand_columns_dsp.c gathers four windows together, and one alone."""
    _, out_h, out_w, _ = dense.out.shape
    pixels = out_h * out_w
    if pointwise(dense) and dense["stride_h"] * dense.x.shape[2] == out_w * dense["stride_w"]:
        return pixels // 4, pixels % 4  # all pixels are one row; passes are fours
    together = 0
    for y in range(out_h):
        x = -(y * out_w) % 4  # until the columns are whole fours
        while x + 4 <= out_w:
            together, x = together + 1, x + 4
    return together, pixels - 4 * together


def passes(dense: View, decode: float) -> int:
    _, out_h, out_w, _ = dense.out.shape
    return -(-out_h * out_w // block(dense, decode))


def regions(dense: View, decode: float) -> Regions:
    """What EK_EXPAND wants of scratch. Pixels of 1x1 windows without padding need no ring."""
    _, k_h, k_w, _ = dense.weights.shape
    alone = pointwise(dense)
    windows = "int16 (block / 4, values / 2, 4, 2): what the pixels of a block see, four by four"
    return (
        Region("weights", 4 * values(dense), "int16 (values / 2, 2 filters, 2)"),
        Region("columns", 2 * block(dense, decode) * values(dense), windows),
        *(ring.NONE if alone else ring.regions(dense, k_h, k_w)),
        Region("unrolled", 0 if alone else taps(dense), "int8 (taps): a window, where its runs are no whole words", 1),
    )


def in_place(dense: View) -> tuple[int, ...]:
    """The ring's rule; pixels of 1x1 windows are gathered before their outputs are written, backwards if need be."""
    if not pointwise(dense):
        return ring.in_place(dense, dense.weights.shape[1])
    grows = dense.out.shape[3] > dense.x.shape[3]
    return (0,) if not grows or dense["stride_h"] == dense["stride_w"] == 1 else ()
