"""The flash memory of an STM32F412 and its controller: register writes in, changed flash bytes out.

Behaviour by RM0402 (STM32F412 reference manual), section 3, "Embedded flash memory interface".
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

from .cuts import Doubt, PowerCut

BASE = 0x08000000
SECTORS = (16384,) * 4 + (65536,) + (131072,) * 7  # bytes of each; 1 MB (RM0402, table 4)
SIZE = sum(SECTORS)
REGISTERS = 0x40023C00

ACR, KEYR, OPTKEYR, SR, CR, OPTCR = range(0x00, 0x18, 4)
KEYS = (0x45670123, 0xCDEF89AB)
OPTION_KEYS = (0x08192A3B, 0x4C5D6E7F)

PG, SER, MER, STRT, EOPIE, LOCK = 1 << 0, 1 << 1, 1 << 2, 1 << 16, 1 << 24, 1 << 31
EOP, OPERR, WRPERR, PGAERR, PGPERR, PGSERR, BSY = 1, 1 << 1, 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 16
_ERRORS = OPERR | WRPERR | PGAERR | PGPERR | PGSERR | 1 << 8
OPTLOCK, OPTSTRT = 1, 2
_CR_WRITABLE = PG | SER | MER | 0xF << 3 | 3 << 8 | EOPIE | 1 << 25
_OPTCR_ERASED = 0x0FFFAAEC  # no sector write-protected, readout protection level 0, watchdogs by software
_ROW_BYTES = 16  # a programming access must not cross a row of 128 bits

# How many times SR is read as busy after each operation; a driver that does not wait loses its next one.
BUSY_READS = {"program": 1, "erase": 3}


class BusError(Exception):
    """The access gets no answer; on the debug port a fault, in the core a bus fault."""


class Flash:
    """State of the controller and its memory; `stuck` are bits {address: mask} that read 0 whatever is written."""

    def __init__(self, stuck: Mapping[int, int]) -> None:
        # One buffer for this class and for the emulated core, which reads it as its own memory.
        self.buffer = (ctypes.c_uint8 * SIZE)()
        self.memory = memoryview(self.buffer).cast("B")
        self.stuck = dict(stuck)
        self.memory[:] = b"\xff" * SIZE
        self._apply_stuck(BASE, SIZE)
        self.option_bytes = _OPTCR_ERASED
        self.changed = True  # since the core last looked: its translated code is stale
        self.operations = 0  # writes and erased sectors so far
        self.reprogrammed = 0  # writes to bytes of which a bit was 0, which flash with ECC would refuse
        self.cut: PowerCut | None = None  # the next loss of power
        self.on_cut: Callable[[], None] = lambda: None
        self._is_off = False  # since a cut
        self._doubt = Doubt(self.memory)
        self.reset()

    def fill(self, content: bytes) -> None:
        """What the whole flash holds from now on, with no bit in doubt."""
        self.memory[:] = content
        self._doubt = Doubt(self.memory)
        self._apply_stuck(BASE, SIZE)
        self.changed = True

    def power_up(self) -> None:
        """After a loss of power; bits that one has left in doubt read as something."""
        self._is_off = False
        self._doubt.settle()
        self.changed = True

    def reset(self) -> None:
        """What a system reset does: the locks close, the option bytes are loaded."""
        self.acr = self.sr = 0
        self.cr = LOCK
        self.optcr = self.option_bytes | OPTLOCK
        self._keys = self._option_keys = 0  # of the sequence, how many were right
        self._refuses_keys = self._refuses_option_keys = False  # after a wrong one, until the next reset
        self._busy_reads = 0

    @property
    def protected(self) -> bool:
        """Readout protection, level 1 or 2: a debugger sees no flash."""
        return self.option_bytes >> 8 & 0xFF != 0xAA

    def read_register(self, offset: int) -> int:
        if offset == SR:
            status = self.sr | (BSY if self._busy_reads else 0)
            self._busy_reads = max(0, self._busy_reads - 1)
            return status
        return {ACR: self.acr, CR: self.cr, OPTCR: self.optcr}.get(offset, 0)

    def write_register(self, offset: int, value: int, *, debugger_attached: bool) -> None:
        if offset == ACR:
            self.acr = value
        elif offset == KEYR:
            self._key(value)
        elif offset == OPTKEYR:
            self._option_key(value)
        elif offset == SR:
            self.sr &= ~(value & (_ERRORS | EOP))
        elif offset == CR:
            self._control(value, debugger_attached)
        elif offset == OPTCR:
            self._option_control(value)

    def _key(self, value: int) -> None:
        if not self.cr & LOCK:
            return
        if self._refuses_keys or value != KEYS[self._keys]:
            self._refuses_keys = True
            raise BusError("wrong key")
        self._keys += 1
        if self._keys == len(KEYS):
            self.cr &= ~LOCK
            self._keys = 0

    def _option_key(self, value: int) -> None:
        if not self.optcr & OPTLOCK:
            return
        if self._refuses_option_keys or value != OPTION_KEYS[self._option_keys]:
            self._refuses_option_keys = True
            raise BusError("wrong option key")
        self._option_keys += 1
        if self._option_keys == len(OPTION_KEYS):
            self.optcr &= ~OPTLOCK
            self._option_keys = 0

    def _control(self, value: int, debugger_attached: bool) -> None:
        if self.cr & LOCK or self._busy_reads:
            return  # writes are ignored
        self.cr = value & _CR_WRITABLE | value & LOCK
        if value & STRT and value & (SER | MER):
            self._erase(value, debugger_attached)

    def _erase(self, control: int, debugger_attached: bool) -> None:
        number = control >> 3 & 0xF
        chosen = range(len(SECTORS)) if control & MER else range(number, number + 1)
        if chosen.stop > len(SECTORS):
            self.sr |= OPERR | PGSERR
            return
        if self._closed(debugger_attached) or any(self._write_protected(sector) for sector in chosen):
            self.sr |= WRPERR | OPERR
            return
        for sector in chosen:
            self._operate(sum(SECTORS[:sector]), b"\xff" * SECTORS[sector], erases=True)
        self._done("erase")

    def _operate(self, at: int, data: bytes, *, erases: bool) -> None:
        """A write or an erased sector, from offset `at` on; nothing where power has failed, and half of it where it
        fails now."""
        if self._is_off:
            return
        held = self.memory[at : at + len(data)]
        after = data if erases else bytes(a & b for a, b in zip(held, data, strict=True))
        here = self.cut is not None and self.cut.operation == self.operations
        self.operations += 1
        self.reprogrammed += not erases and any(byte != 0xFF for byte in held)
        if here and self.cut is not None and self.cut.within:
            self._doubt.tear(at, after, self.cut, erases=erases)
        else:
            held[:] = after
            self._doubt.end(at, data, erases=erases)
        self._apply_stuck(BASE + at, len(data))
        if here:
            self.cut = None
            self._is_off = self.changed = True
            self.on_cut()

    def _option_control(self, value: int) -> None:
        if self.optcr & OPTLOCK:
            return
        if not value & OPTSTRT:
            self.optcr = value & ~OPTSTRT
            return
        old, new = self.option_bytes, value & 0x8FFFFFEC
        if old >> 8 & 0xFF == 0xCC:
            self.sr |= OPERR  # level 2 is for ever
            return
        self.option_bytes = new
        self.optcr = new | value & OPTLOCK
        if old >> 8 & 0xFF != 0xAA and new >> 8 & 0xFF == 0xAA:
            # Giving up the protection costs the secret: all of the flash is erased.
            self.memory[:] = b"\xff" * SIZE
            self._apply_stuck(BASE, SIZE)
        self._done("erase")

    def _write_protected(self, sector: int) -> bool:
        return not self.option_bytes >> 16 + sector & 1

    def _closed(self, debugger_attached: bool) -> bool:
        return self.protected and debugger_attached

    def program(self, address: int, data: bytes, *, debugger_attached: bool) -> None:
        """A write of 1, 2, 4 or 8 bytes to the flash; bits only go from 1 to 0. Errors go to SR."""
        if self.cr & LOCK or not self.cr & PG or self._busy_reads:
            self.sr |= PGSERR | OPERR
        elif len(data) != 1 << (self.cr >> 8 & 3):
            self.sr |= PGPERR | OPERR
        elif address // _ROW_BYTES != (address + len(data) - 1) // _ROW_BYTES:
            self.sr |= PGAERR | OPERR
        elif self._closed(debugger_attached) or self._write_protected(sector_at(address)):
            self.sr |= WRPERR | OPERR
        else:
            self._operate(address - BASE, data, erases=False)
            self._done("program")

    def read(self, address: int, count: int, *, debugger_attached: bool) -> bytes:
        if self._closed(debugger_attached):
            raise BusError("readout protection")
        at = address - BASE
        return bytes(self.memory[at : at + count])

    def _apply_stuck(self, address: int, count: int) -> None:
        for where, mask in self.stuck.items():
            if address <= where < address + count:
                self.memory[where - BASE] &= ~mask & 0xFF

    def _done(self, what: str) -> None:
        self.changed = True
        self._busy_reads = BUSY_READS[what]
        if self.cr & EOPIE:
            self.sr |= EOP


def sector_at(address: int) -> int:
    """The number of the sector that holds this address of the flash."""
    low = BASE
    for number, size in enumerate(SECTORS):
        if low <= address < low + size:
            return number
        low += size
    raise ValueError(f"0x{address:08x} is not in the flash")
