"""3x3 convolutions by Winograd's minimal filtering on cores with the DSP extension: when, and what they need.

Source: Lavin and Gray, 2015 (arXiv 1509.09308), F(2x2, 3x3). With twice their G in both directions every transformed
weight is an integer and the result four times the sum, so all of it is exact modulo 2**32, whatever the order; what has
to be proved is that transformed weights fit 16 bits and that four times an accumulator fits 32
(runtime_c/kernels/dsp/ek_winograd.h).
"""

from __future__ import annotations

import numpy as np

from ...graph.ir import Array, Node
from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring

TILES_BYTES = 32 * 1024  # of scratch for transformed tiles, if four of them need no more
SOURCES = ("ek_winograd_tiles_dsp", "ek_winograd_outputs_dsp", "ek_expand_dot_dsp")
_TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
POSITIONS = 16
LARGEST = (2**15 - 1) // 9  # of a weight that fits transformed whatever the others are


def transform(w: Array) -> Array:
    """Weights (oc, 3, 3, ic) to int64 (oc, 4, 4, ic), four times Lavin and Gray's."""
    return np.asarray(np.einsum("ia,jb,oabc->oijc", _TWICE_G, _TWICE_G, w.astype(np.int64), optimize=True))


def window(node: Node, w: tuple[int, ...]) -> bool:
    """Whether a convolution with weights of this shape (oc, kh, kw, ic) has the window for it."""
    steps = {node.int_attr(f"{key}_{axis}") for key in ("stride", "dilation") for axis in "hw"}
    return w[1:3] == (3, 3) and steps == {1} and w[3] % 4 == 0


def accepts(dense: View) -> bool:
    return lin.short_requant(dense) and exact(dense)


def exact(dense: View) -> bool:
    """Whether the layer has the window, its transformed weights fit 16 bits, and four times its sums 32."""
    w = dense.weights.value
    if not window(dense.node, w.shape):
        return False
    return lin.fits_int16(transform(w)) and bool(np.all(lin.accumulator_bound(dense) < 2**29))


def values(dense: View) -> int:
    return (dense.x.shape[3] + 7) // 8 * 8


def tiles(dense: View) -> tuple[int, int]:
    """(down, across)."""
    _, out_h, out_w, _ = dense.out.shape
    return (out_h + 1) // 2, (out_w + 1) // 2


def block(dense: View) -> int:
    """Tiles of a pass, a multiple of four: as few passes as the room allows, of one size."""
    down, across = tiles(dense)
    room = max(dense.held(TILES_BYTES) // (32 * values(dense)), 4)
    passes = -(-down * across // min(room, 64))
    return min(-(-down * across // passes) + 3, room) // 4 * 4


LOOP = 14 / 2 + 3 / 16  # instructions for each value of two filters and four tiles, as ek_expand_dot_dsp.c has it


def work(dense: View) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) begins with.

    The loop, four tiles and two filters, and those of them that are not whole or in one row; outputs of whole tiles and
    of others, two filters, and gathering: channels of tiles, and tiles.
    """
    _, out_h, out_w, out_c = dense.out.shape
    (down, across), held, in_c = tiles(dense), block(dense), dense.x.shape[3]
    count, whole, pairs = down * across, (out_h // 2) * (out_w // 2), -(-out_c // 2)
    times = passes(dense)
    fours = (times - 1) * (held // 4) + -(-(count - (times - 1) * held) // 4)
    loop = fours * pairs * POSITIONS * values(dense) * LOOP
    outputs = whole * out_c, (count - whole) * out_c
    return loop, fours * pairs, _broken(dense) * pairs, *outputs, times * pairs, count * in_c, count


def _broken(dense: View) -> int:
    """How often four tiles, or what is left of them in a pass, are not all whole and in one row."""
    _, out_h, out_w, _ = dense.out.shape
    (down, across), held = tiles(dense), block(dense)
    broken = 0
    for first in range(0, down * across, held):
        end = min(first + held, down * across)
        for tile in range(first, end, 4):
            y, x = divmod(tile, across)
            broken += x + min(4, end - tile) > out_w // 2 or 2 * y + 1 >= out_h
    return broken


def passes(dense: View) -> int:
    down, across = tiles(dense)
    return -(-down * across // block(dense))


def regions(dense: View, decoding: str) -> Regions:
    """What EK_WINOGRAD wants of scratch.

    Args:
        decoding: the first of the regions before these that is used from a pass's tiles to the next one's.
    """
    _, across = tiles(dense)
    row = (2 * across + 2) * dense.x.shape[3]
    vertical = "int16 (2 * across + 2, 4, in_c / 2, 2): a row of tiles, transformed vertically"
    # Where every pass begins with a row of tiles, the rest of one need not be kept meanwhile.
    over = decoding if block(dense) % across == 0 or passes(dense) == 1 else ""
    return (
        Region("weights", 4 * POSITIONS * values(dense), "int16 (16, values / 2, 2 filters, 2)"),
        Region("sums", 32 * POSITIONS, "int32 (16, 8): of four tiles and two filters"),
        Region("vertical", 8 * row, vertical, over=over),
        Region("tiles", 32 * block(dense) * values(dense), "int16 (block / 4, 16, values / 2, 4 tiles, 2)"),
        *ring.of(4, 4, row),
    )


def in_place(dense: View) -> tuple[int, ...]:
    """As `ring.in_place`: two rows of the output are written when four of the padded input are in the ring."""
    _, in_h, in_w, in_c = dense.x.shape
    _, out_h, out_w, out_c = dense.out.shape
    for y in range(0, out_h, 2):
        copied = min(in_h, max(0, y - dense["pad_top"] + 4))
        if copied < in_h and min(y + 2, out_h) * out_w * out_c > copied * in_w * in_c:
            return ()
    return (0,)
