"""Where a board's updates go: two slots in its flash, and the family of its controller, whose hooks runtime_c has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BoardError
from ..names import nearest
from .schema import UpdatesFile

if TYPE_CHECKING:
    from .board import Memory

# The controller of each family programs so many bytes at once. runtime_c/port/ek_flash_FAMILY.c has its hooks.
FAMILIES = {"stm32f4": 4}
HEAD_BYTES = 1024  # of a slot, in front of the payload: EK_SLOTS_PAYLOAD
_UNIT = 32  # EK_SLOTS_UNIT


@dataclass(frozen=True, slots=True)
class Slot:
    at: int  # address
    first_sector: int
    sectors: int


@dataclass(frozen=True, slots=True)
class Slots:
    """The two slots of a board."""

    family: str  # of FAMILIES
    slot_bytes: int
    places: tuple[Slot, Slot]

    @property
    def start(self) -> int:
        """The address from which on the flash is not the program's."""
        return min(place.at for place in self.places)


def read_slots(file: UpdatesFile, memories: Sequence[Memory], where: str) -> Slots:
    """Raises BoardError where the slots are not in the board's first flash, overlap, or are of an unknown family."""
    if file.family not in FAMILIES:
        what = f"key updates.family: unknown family '{file.family}'"
        raise BoardError(what, where=where, fix=nearest(file.family, sorted(FAMILIES)))
    first, second = (Slot(s.at, s.first_sector, s.sectors) for s in file.slots)
    flash = next(memory for memory in memories if memory.kind == "flash")
    for i, slot in enumerate((first, second)):
        if slot.at % _UNIT or slot.at <= flash.origin or slot.at + file.slot_bytes > flash.end:
            what = f"key updates.slots.{i}.at: 0x{slot.at:08x} is no multiple of {_UNIT} behind the start of the flash"
            raise BoardError(f"{what}, with {file.slot_bytes} bytes of it behind", where=where)
    if abs(first.at - second.at) < file.slot_bytes:
        raise BoardError("key updates.slots: they overlap", where=where)
    return Slots(file.family, file.slot_bytes, (first, second))
