"""What a linker says of regions that are too small, as an error that names the layer and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..boards.advice import Shortage, advise
from ..boards.board import Board
from ..errors import CapacityError
from ..ops import OPS


def too_large(over: Mapping[str, int], board: Board, manifest: Mapping[str, Any], ram_bytes: int) -> CapacityError:
    """By how many bytes which regions overflow, which layer is to blame, and what to do.

    Args:
        over: what the linker said: region -> bytes that are too many.
        ram_bytes: the least that the program needs.
    """
    sizes = {memory.name: memory for memory in board.memories}
    what = " and ".join(f"{r} of {sizes[r].size_bytes} bytes by {n} bytes" for r, n in over.items())
    by_kind = {kind: max((n for r, n in over.items() if sizes[r].kind == kind), default=0) for kind in ("flash", "ram")}
    constants = {str(y["name"]): int(y.get("constant_bytes", 0)) for y in manifest["layers"]}
    weights = sum(int(s["bytes"]) for s in manifest["sections"] if s["kind"] == "weights")
    packed = [y for y in manifest["layers"] if y.get("op") in OPS and OPS[y["op"]].packs]
    flash_over, ram_over, peak = by_kind["flash"], by_kind["ram"], str(manifest.get("arena_peak_layer", ""))
    shortage = Shortage(
        flash_over=flash_over,
        ram_over=ram_over,
        flash_needed=board.flash.size_bytes + flash_over if flash_over else sum(constants.values()),
        ram_needed=max(ram_bytes, ram_over and board.ram.size_bytes + 1),
        weight_bytes=weights,
        layers=constants,
        peak_layer=peak,
        peak_scratch_bytes=sum(int(y.get("scratch_bytes", 0)) for y in packed if y["name"] == peak),
    )
    if flash_over and shortage.largest:
        what += f"; its largest layer is {shortage.largest}"
    if ram_over and peak:
        what += f"; its arena peaks in layer {peak}"
    return CapacityError(f"the program overflows {what}", where=f"board {board.name}", fix=advise(shortage, board.name))
