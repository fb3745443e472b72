"""What packed convolutions share on cores without SIMD: two filters expanded to int16, four pixels at a time.

Two filters are expanded once for a block of pixels (runtime_c/kernels/mul2/ek_quads.h). The more pixels a block has the
less expanding costs, and the more scratch their windows take.
"""

from __future__ import annotations

import numpy as np

from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import ring
from . import winograd as wg
from .expand import fits, pointwise, taps

COLUMNS_BYTES = 8 * 1024  # of scratch for what the pixels of a block see, if four of them need no more
PIXELS_MOST = 64  # of a block: expanding costs next to nothing then
TILES_BYTES = 16 * 1024  # of scratch for transformed tiles, if four of them need no more
TILES_MOST = 16  # of a block
SOURCES = ("ek_quads_gather_mul2", "ek_quads_outputs_mul2", "ek_quads_requant_mul2")
TILE_SOURCES = ("ek_tiles_gather_mul2", "ek_tiles_filter_mul2", "ek_tiles_outputs_mul2", "ek_quads_requant_mul2")
CORES = (frozenset({"thumb1"}), frozenset({"thumb2"}))


def accepts(dense: View) -> bool:
    return fits(dense)


def block(dense: View) -> int:
    """Pixels of a pass, a multiple of four: as few passes as the room allows, of one size."""
    _, out_h, out_w, _ = dense.out.shape
    room = max(min(dense.held(COLUMNS_BYTES) // taps(dense), PIXELS_MOST), 4) // 4 * 4
    passes = -(-out_h * out_w // room)
    return -(-out_h * out_w // (4 * passes)) * 4


def passes(dense: View) -> int:
    _, out_h, out_w, _ = dense.out.shape
    return -(-out_h * out_w // block(dense))


def work(dense: View) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) begins with.

    Taps of two filters and four pixels, those four pixels, their outputs, two filters; values and runs of windows that
    are gathered; and the call.
    """
    _, out_h, out_w, out_c = dense.out.shape
    pixels, pairs, held = out_h * out_w, -(-out_c // 2), block(dense)
    fours = pixels // held * (held // 4) + -(-(pixels % held) // 4)
    rows, columns = dense.weights.shape[1:3]
    runs = rows * (columns if dense["dilation_w"] != 1 else 1)
    gathered = pixels * taps(dense), pixels * runs
    return fours * pairs * taps(dense), fours * pairs, pixels * out_c, passes(dense) * pairs, *gathered, 1


def regions(dense: View) -> Regions:
    """What EK_QUADS wants of scratch."""
    k_h, k_w = dense.weights.shape[1:3]
    return (
        Region("weights", 4 * taps(dense), "int16 (taps, 2 filters)"),
        Region("sums", 8 * block(dense), "int32 (2 filters, block)"),
        Region("columns", block(dense) * taps(dense), "int8 (block / 4, taps, 4): what the pixels of a block see"),
        *(ring.NONE if pointwise(dense) else ring.regions(dense, k_h, k_w)),
    )


def in_place(dense: View) -> tuple[int, ...]:
    """The ring's rule; pointwise, each pixel's output must end before the next one's input.

    Growing channels (stride 1 only) are walked from the last pixel back.
    """
    if not pointwise(dense):
        return ring.in_place(dense, dense.weights.shape[1])
    if dense["stride_h"] == dense["stride_w"] == 1:
        return (0,)
    _, _, in_w, in_c = dense.x.shape
    _, out_h, out_w, out_c = dense.out.shape
    rows, columns = dense["stride_h"] * in_w * np.arange(out_h), dense["stride_w"] * np.arange(out_w)
    inputs = (rows[:, None] + columns).reshape(-1) * in_c
    return (0,) if np.all(out_c * np.arange(out_h * out_w) <= inputs) else ()


def tile_block(dense: View) -> int:
    """Tiles of a pass, a multiple of four: as few passes as the room allows, of one size."""
    down, across = wg.tiles(dense)
    room = max(min(dense.held(TILES_BYTES) // (32 * dense.x.shape[3]), TILES_MOST), 4) // 4 * 4
    passes = -(-down * across // room)
    return -(-down * across // (4 * passes)) * 4


def tile_passes(dense: View) -> int:
    down, across = wg.tiles(dense)
    return -(-down * across // tile_block(dense))


def tile_work(dense: View) -> tuple[float, ...]:
    """The same of kernels by Winograd's filtering.

    Channels and positions of two filters and four tiles, those four tiles, outputs, two filters, channels of tiles that
    are gathered, tiles, filters' channels that are transformed, and the call.
    """
    _, out_h, out_w, out_c = dense.out.shape
    in_c, pairs, held = dense.x.shape[3], -(-out_c // 2), tile_block(dense)
    down, across = wg.tiles(dense)
    count, times = down * across, tile_passes(dense)
    fours = count // held * (held // 4) + -(-(count % held) // 4)
    loop = fours * pairs * wg.POSITIONS * in_c
    done = fours * pairs, out_h * out_w * out_c, times * pairs, count * in_c, count, times * out_c * in_c
    return loop, *done, 1


def tile_regions(dense: View) -> Regions:
    """What EK_TILES wants of scratch."""
    in_c, (_, across) = dense.x.shape[3], wg.tiles(dense)
    return (
        Region("taps", 18 * in_c, "int16 (9, in_c): of one filter"),
        Region("weights", 4 * wg.POSITIONS * in_c, "int16 (16, in_c, 2 filters): transformed"),
        Region("sums", 32 * wg.POSITIONS, "int32 (16, 2 filters, 4 tiles)"),
        Region("tiles", 32 * in_c * tile_block(dense), "int16 (block / 4, 16, in_c, 4 tiles): transformed"),
        *ring.of(4, 4, (2 * across + 2) * in_c),
    )
