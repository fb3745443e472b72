"""Turns what a model lacks on a board into what to do: the recipe that would save enough, the boards that hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .board import Board, list_boards, load_board

_SHOWN = 3
_RECIPE = "--recipe cluster4"
_CLUSTER_BITS = 4  # of that recipe


@dataclass(frozen=True, slots=True)
class Shortage:
    """What does not fit; bytes."""

    flash_over: int  # 0: flash is not what lacks
    ram_over: int
    flash_needed: int
    ram_needed: int  # in one region
    weight_bytes: int  # dense int8 weights, which a recipe can pack
    layers: Mapping[str, int]  # constants of each layer
    peak_layer: str = ""  # where the arena peaks
    peak_scratch_bytes: int = 0  # of that layer, if its weights are packed, by the kernel that needs least

    @property
    def largest(self) -> str:
        """The layer that a flash too small is most about."""
        name, size = max(self.layers.items(), key=lambda item: item[1], default=("", 0))
        return f"{name} ({size:,} bytes)" if size else ""


def advise(shortage: Shortage, board: str) -> str:
    """What the user can do, in one line; names boards of this package only."""
    ways = []
    if shortage.flash_over:
        saved = shortage.weight_bytes * (8 - _CLUSTER_BITS) // 8
        if saved >= shortage.flash_over:
            ways.append(f"compress the float model with {_RECIPE}, which saves about {saved:,} bytes of weights")
        elif saved:
            ways.append(f"compress it further than with {_RECIPE}, which would save only about {saved:,} bytes")
    if shortage.ram_over:
        ways.append(_less_ram(shortage))
    found = [name for name in boards_with(shortage.flash_needed, shortage.ram_needed) if name != board]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        ways.append(f"take a board that has room: {', '.join(found[:_SHOWN])}{more} (edgekc fit has all)")
    elif not ways:
        ways.append("no board of edgekc's has room")
    return ", or ".join(ways)


def _less_ram(shortage: Shortage) -> str:
    """Scratch is a kernel's own, and other weights have other kernels. Activations are the model's."""
    scratch, layer = shortage.peak_scratch_bytes, shortage.peak_layer
    if scratch >= shortage.ram_over:
        return f"leave {layer} dense or compress it with {_RECIPE}: {scratch:,} bytes there are scratch of its kernel"
    beside = f", since all but {scratch:,} bytes are activations" if scratch else ""
    return f"take a smaller input or fewer channels{beside}"


def boards_with(flash_bytes: int, ram_bytes: int) -> list[str]:
    """Bare-metal boards that have as much, real ones first, then by size."""
    boards = [load_board(name) for name in list_boards()]
    fitting = [b for b in boards if _holds(b, flash_bytes, ram_bytes)]
    return [b.name for b in sorted(fitting, key=lambda b: (b.probe is None, sum(m.size_bytes for m in b.memories)))]


def _holds(board: Board, flash_bytes: int, ram_bytes: int) -> bool:
    if board.flash_bytes is None or board.ram_bytes is None:
        return False
    return board.flash_bytes >= flash_bytes and board.ram_bytes >= ram_bytes
