"""What packed convolutions share on cores without SIMD: two filters expanded to int16, four pixels at a time.

Two filters are expanded once for a block of pixels (runtime_c/kernels/mul2/ek_quads.h). The more pixels a block has the
less expanding costs, and the more scratch their windows take.
"""

from __future__ import annotations

from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from .expand import fits, taps

COLUMNS_BYTES = 8 * 1024  # of scratch for what the pixels of a block see, if four of them need no more
PIXELS_MOST = 64  # of a block: expanding costs next to nothing then
SOURCES = ("ek_quads_gather_mul2", "ek_quads_outputs_mul2", "ek_quads_requant_mul2")
CORES = (frozenset({"thumb1"}), frozenset({"thumb2"}))


def accepts(dense: View) -> bool:
    return fits(dense)


def block(dense: View) -> int:
    """Pixels of a pass, a multiple of four: as few passes as the room allows, of one size."""
    _, out_h, out_w, _ = dense.out.shape
    room = max(min(dense.held(COLUMNS_BYTES) // taps(dense), PIXELS_MOST), 4) // 4 * 4
    passes = -(-out_h * out_w // room)
    return -(-out_h * out_w // (4 * passes)) * 4


def regions(dense: View) -> Regions:
    """What EK_QUADS wants of scratch."""
    _, k_h, k_w, _ = dense.weights.shape
    return (
        Region("weights", 4 * taps(dense), "int16 (taps, 2 filters)"),
        Region("columns", block(dense) * taps(dense), "int8 (block / 4, taps, 4): what the pixels of a block see"),
        *lin.ring_regions(dense, k_h, k_w),
    )


def in_place(dense: View) -> tuple[int, ...]:
    return lin.ring_in_place(dense, dense.weights.shape[1])
