"""3x3 convolutions by Winograd's minimal filtering on cores with Helium: when, and what they need.

The arithmetic and its proof are those of `winograd.py`; runtime_c/kernels/mve/ek_winograd_mve.h has the layout.
"""

from __future__ import annotations

from ...graph.fixedpoint import DOUBLE
from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring
from . import winograd as wg

TILES_BYTES = 32 * 1024  # of scratch for transformed tiles, if two of them need no more
SOURCES = ("ek_winograd_tiles_mve", "ek_winograd_outputs_mve", "ek_indices_mve")


def accepts(dense: View) -> bool:
    in_c, out_c = dense.x.shape[3], dense.out.shape[3]
    if in_c % 8 or out_c > 2**16 - 4:  # places of a pixel's neighbour are offsets of 16 bits
        return False
    return wg.exact(dense) and dense["rounding"] == DOUBLE and lin.vector_requant(dense)


def _values(dense: View) -> int:
    """Channels as the kernels hold them."""
    return (dense.x.shape[3] + 15) // 16 * 16


def block(dense: View) -> int:
    """Tiles of a pass, even: as few passes as the room allows, of one size."""
    down, across = wg.tiles(dense)
    room = max(dense.held(TILES_BYTES) // (32 * _values(dense)) // 2 * 2, 2)
    passes = -(-down * across // room)
    return (-(-down * across // passes) + 1) // 2 * 2


def passes(dense: View) -> int:
    down, across = wg.tiles(dense)
    return -(-down * across // block(dense))


def work(dense: View) -> tuple[float, ...]:
    """How often the kernels do what `CYCLES` (`cycles.py`) begins with.

    The loop over two tiles and four filters, its outputs, tiles and eights of channels that are gathered, passes of
    four filters, weights that are decoded and transformed, and the call.
    """
    down, across = wg.tiles(dense)
    out_c, in_c = dense.out.shape[3], dense.x.shape[3]
    fours, pairs = -(-out_c // 4), -(-down * across // 2)
    loop = fours * pairs * wg.POSITIONS * (28 * _values(dense) / 16 + 10)
    gathered, weights = down * across * in_c / 8, passes(dense) * dense.weights.value.size
    return loop, fours * down * across, gathered, down * across, fours * passes(dense), weights, 1


def regions(dense: View) -> Regions:
    """What EK_WINOGRAD_MVE wants of scratch."""
    _, across = wg.tiles(dense)
    row = (2 * across + 2) * dense.x.shape[3]
    return (
        Region("weights", 128 * _values(dense), "int16 (16, values / 8, 4 filters, 8)"),
        Region("tiles", 32 * block(dense) * _values(dense), "int16 (block / 2, 16, values / 8, 2 tiles, 8)"),
        Region("sums", 512, "int32 (16, 2 tiles, 4 filters)"),
        Region("vertical", 8 * row, "int16 (4, 2 * across + 2, in_c): a row of tiles, transformed vertically"),
        *ring.of(4, 4, row),
    )
