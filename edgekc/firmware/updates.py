"""What makes a console's program one that takes updates: where its slots are, who may sign, and the C for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..assets import RUNTIME_C
from ..boards.board import Board
from ..boards.slots import FAMILIES, HEAD_BYTES, Slot, Slots
from ..errors import BoardError, UsageError

SLOTS_FILE = "slots.bin"  # beside an emulated board's program: what its flash would hold
STACK_BYTES = 3072  # at least: an Ed25519 check within a request takes about 2 KB
_FILE = "file"  # the family of slots in it
_FILE_UNIT, _FILE_STEP = 32, 4096
_SOURCES = (
    "update/ek_slots.c", "update/ek_marks.c", "update/ek_update.c", "update/ek_update_service.c",
    "update/ek_sha256.c", "update/ek_sha512.c",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Updates:
    """Whose updates a program takes.

    Attributes:
        keys: public Ed25519 keys of 32 bytes; their ids are 1, 2, ... in this order.
        network: the identity that updates must have, 16 bytes.
        monocypher: a folder of Monocypher 4's sources, which check signatures then; None: edgekc's own do.
    """

    keys: tuple[bytes, ...]
    network: bytes
    monocypher: Path | None = None

    def __post_init__(self) -> None:
        if self.monocypher is None:
            return
        for name in ("monocypher.c", "monocypher.h"):
            if not (self.monocypher / name).is_file():
                fix = "name the folder src of its release 4"
                raise UsageError(f"there is no {name} of Monocypher", where=str(self.monocypher), fix=fix)

    @property
    def folders(self) -> list[Path]:
        """Where headers of its C are."""
        return [RUNTIME_C / "update", *([self.monocypher] if self.monocypher else [])]


def slots_of(board: Board, manifest: Mapping[str, Any]) -> Slots:
    """Where the board's slots are; those of an emulated board are in a file beside its program.

    Raises:
        BoardError: its file does not say where.
    """
    if board.slots is not None:
        return board.slots
    if board.core.system == "bare" and board.machine is not None and board.probe is None:
        blob = manifest.get("blob", {}).get("bytes", 0)
        payload = max(int(blob), int(manifest.get("ekc_bytes", 0))) + HEAD_BYTES
        slot_bytes = -(-payload // _FILE_STEP) * _FILE_STEP
        return Slots(_FILE, slot_bytes, (Slot(0, 0, 1), Slot(slot_bytes, 0, 1)))
    raise BoardError(
        "its file has no [updates], which says where in its flash updates go", where=f"board {board.name}",
        fix="add it (docs/board_file.md), or write the hooks of docs/updates.md into your own firmware",
    )  # fmt: skip


def without_slots(board: Board, slots: Slots) -> Board:
    """The board whose flash ends where its slots begin."""
    if slots.family == _FILE:
        return board
    first, start = board.flash, slots.start
    cut = tuple(replace(m, size_bytes=start - m.origin) if m is first else m for m in board.memories)
    return replace(board, memories=cut)


def in_ram(slots: Slots) -> int:
    """Bytes of RAM that the slots take."""
    return 2 * slots.slot_bytes if slots.family == _FILE else 0


def view(updates: Updates, slots: Slots, board: Board) -> dict[str, Any]:
    """What codegen/updates.c.j2 is rendered with."""
    if not updates.keys:
        raise UsageError("no key whose updates are taken", fix="name one with --updates")
    return {
        "board": board.name,
        "keys": [(i + 1, _bytes(key)) for i, key in enumerate(updates.keys)],
        "network": _bytes(updates.network),
        "family": slots.family,
        "unit": FAMILIES.get(slots.family, _FILE_UNIT),
        "slot_bytes": slots.slot_bytes,
        "places": [{"at": f"0x{p.at:08X}", "first_sector": p.first_sector, "sectors": p.sectors} for p in slots.places],
        "file": SLOTS_FILE,
    }


def sources(updates: Updates, slots: Slots) -> list[Path]:
    """The C of the updater, of the signatures and of the board's flash."""
    check = [RUNTIME_C / "update" / f"ek_ed25519{'_monocypher' if updates.monocypher else ''}.c"]
    check += [updates.monocypher / "monocypher.c"] if updates.monocypher else []
    return [*(RUNTIME_C / name for name in _SOURCES), *check, RUNTIME_C / "port" / f"ek_flash_{slots.family}.c"]


def _bytes(data: bytes) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in data)
