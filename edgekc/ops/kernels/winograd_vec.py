"""3x3 convolutions by Winograd's minimal filtering on cores with vector instructions: when, and what they need.

The arithmetic and its proof are those of `winograd.py`; runtime_c/kernels/vec/ek_winograd_vec.h has the layout.
"""

from __future__ import annotations

from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import ring
from . import winograd as wg
from . import words
from .vector import BLOCK, COLUMNS

TILES_BYTES = 64 * 1024  # of scratch for transformed tiles, if eight of them need no more
PART = 64  # channels of 16 filters that are decoded at a time, at most
SOURCES = ("ek_winograd_tiles_vec", "ek_winograd_outputs_vec")


def part(dense: View) -> int:
    """Channels of 16 filters that are decoded at a time, a multiple of eight: of at most half of the weights."""
    half = dense.weights.value.size // (2 * BLOCK * 9)
    return min(max(half // 8 * 8, 8), PART, dense.x.shape[3])


def accepts(dense: View) -> bool:
    if dense.x.shape[3] % 8 or not wg.exact(dense) or not words.requantises(dense):
        return False
    return min(len(dense.weights.value), BLOCK) * 9 * part(dense) < dense.weights.value.size


def block(dense: View) -> int:
    """Tiles of a pass, a multiple of eight: as few passes as the room allows, of one size."""
    down, across = wg.tiles(dense)
    room = max(dense.held(TILES_BYTES) // (32 * dense.x.shape[3]) // 8 * 8, 8)
    passes = -(-down * across // room)
    return (-(-down * across // passes) + 7) // 8 * 8


def regions(dense: View) -> Regions:
    """What EK_WINOGRAD_VEC wants of scratch."""
    _, across = wg.tiles(dense)
    in_c = dense.x.shape[3]
    weights = 2 * BLOCK * part(dense)
    held = block(dense) if part(dense) < in_c else COLUMNS
    return (
        Region("weights", 9 * weights, "int16 (9, part * 16): decoded"),
        Region("transformed", wg.POSITIONS * weights, "int16 (16, part * 16)"),
        Region("tiles", 2 * wg.POSITIONS * block(dense) * in_c, "int16 (block / n, 16, n tiles, in_c)"),
        Region("sums", 4 * wg.POSITIONS * held * BLOCK, "int32 (tiles / n, 16, n tiles, 16 filters)"),
        *ring.of(4, 4, (2 * across + 2) * in_c),
    )


def passes(dense: View) -> int:
    down, across = wg.tiles(dense)
    return -(-down * across // block(dense))


def work(dense: View) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) says.

    Products, sums of tiles that are made to outputs, channels of tiles that are transformed, filters of passes,
    weights, and the call. Filters count in whole blocks, tiles that are multiplied alone a quarter more.
    """
    down, across = wg.tiles(dense)
    count, in_c, filters = down * across, dense.x.shape[3], -(-dense.out.shape[3] // BLOCK) * BLOCK
    alone = (passes(dense) - 1) * (block(dense) % 4) + (count - (passes(dense) - 1) * block(dense)) % 4
    parts, filters_passed = -(-in_c // part(dense)), passes(dense) * filters
    loop = (count + alone / 4) * filters * wg.POSITIONS * in_c
    return loop, count * filters * parts, count * in_c, filters_passed, 9 * in_c * filters_passed, 1


def work_by_kernels(dense: View, coded: bool) -> tuple[float, ...]:
    """The same for layers on templates: in the place of weights those whose pairs are coded, and others."""
    *most, weights, call = work(dense)
    return (*most, *((weights, 0) if coded else (0, weights)), call)
