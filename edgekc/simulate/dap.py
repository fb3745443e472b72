"""ADIv5 debug port with one AHB access port: register accesses in, reads and writes of the target's memory out.

By ARM IHI 0031 (Arm Debug Interface, version 5.2): chapter 2 (DP), 7 (MEM-AP).
"""

from __future__ import annotations

from typing import Protocol

from .flash import BusError

DPIDR_SWD = 0x2BA01477
_ABORT, _CTRL_STAT, _SELECT, _RDBUFF = 0x0, 0x4, 0x8, 0xC
_STICKY_ERROR, _STICKY = 1 << 5, 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7
_POWER_REQUESTS = 1 << 28 | 1 << 30  # debug and system; each is acknowledged in the bit above

_CSW, _TAR, _DRW, _BD0, _BD3, _CFG, _BASE, _IDR = 0x00, 0x04, 0x0C, 0x10, 0x1C, 0xF4, 0xF8, 0xFC
_CSW_FIXED = 1 << 6  # enabled; no packed transfers
_CSW_WRITABLE = 0xFF000017
_AP_IDR = 0x24770011  # AHB-AP of the Cortex-M4
_ROM_TABLE = 0xE00FF003
_INCREMENT_WRAP = 0x1000  # of the Cortex-M4's AHB-AP (DDI 0439B, 8.3)


class Memory(Protocol):
    """What the access port reads and writes; raises BusError where nothing answers."""

    def debug_read(self, address: int, size: int) -> int: ...
    def debug_write(self, address: int, size: int, value: int) -> None: ...


class FaultError(Exception):
    """The access is refused until the sticky error is cleared."""


class Dap:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.control = self.select = self.read_buffer = 0
        self.csw, self.tar = _CSW_FIXED | 0x23000002, 0

    def read_dp(self, address: int) -> int:
        address &= 0xC
        if address == _ABORT:
            return DPIDR_SWD
        if address == _CTRL_STAT:
            if self.select & 0xF:
                return 0  # DLCR and other banks
            return self.control | (self.control & _POWER_REQUESTS) << 1
        return self.read_buffer if address == _RDBUFF else 0

    def write_dp(self, address: int, value: int, *, jtag: bool = False) -> None:
        address &= 0xC
        if address == _ABORT and not jtag:
            self.abort(value)
        elif address == _CTRL_STAT and not self.select & 0xF:
            sticky = self.control & _STICKY
            if jtag:  # there, writing 1 clears
                sticky &= ~value
            self.control = value & (_POWER_REQUESTS | 0x0FFFFF0D) | sticky
        elif address == _SELECT:
            self.select = value

    def abort(self, value: int) -> None:
        """A write to ABORT: bits 1 to 4 clear one sticky flag each."""
        for bit, flag in ((1, 1 << 4), (2, 1 << 5), (3, 1 << 7), (4, 1 << 1)):
            if value >> bit & 1:
                self.control &= ~flag

    @property
    def faulted(self) -> bool:
        return bool(self.control & _STICKY_ERROR)

    def read_ap(self, address: int) -> int:
        """Raises FaultError if an earlier access failed, or this one does."""
        self._refuse_if_faulted()
        if self.select >> 24:
            return 0  # there is one access port
        register = self.select & 0xF0 | address & 0xC
        if register == _DRW:
            value = self._transfer(None)
        elif _BD0 <= register <= _BD3:
            value = self._access(self.tar & ~0xF | register & 0xC, 4, None)
        else:
            value = {_CSW: self.csw, _TAR: self.tar, _BASE: _ROM_TABLE, _IDR: _AP_IDR}.get(register, 0)
        self.read_buffer = value
        return value

    def write_ap(self, address: int, value: int) -> None:
        """Raises FaultError if an earlier access failed, or this one does."""
        self._refuse_if_faulted()
        if self.select >> 24:
            return
        register = self.select & 0xF0 | address & 0xC
        if register == _CSW:
            # Increments of 0 and 1 only: what is not there reads as what it was.
            self.csw = value & _CSW_WRITABLE | _CSW_FIXED
        elif register == _TAR:
            self.tar = value
        elif register == _DRW:
            self._transfer(value)
        elif _BD0 <= register <= _BD3:
            self._access(self.tar & ~0xF | register & 0xC, 4, value)

    def _refuse_if_faulted(self) -> None:
        if self.faulted:
            raise FaultError

    def _transfer(self, value: int | None) -> int:
        size = 1 << min(self.csw & 7, 2)
        lane = 8 * (self.tar & 3 & ~(size - 1))
        mask = (1 << 8 * size) - 1
        got = self._access(self.tar, size, None if value is None else value >> lane & mask)
        if self.csw & 0x10:
            page = self.tar & ~(_INCREMENT_WRAP - 1)
            self.tar = page | (self.tar + size) & (_INCREMENT_WRAP - 1)
        return got << lane

    def _access(self, address: int, size: int, value: int | None) -> int:
        try:
            if not self.control >> 28 & 1 or address & (size - 1):
                raise BusError("the debug domain has no power, or the address is not aligned")
            if value is None:
                return self.memory.debug_read(address, size)
            self.memory.debug_write(address, size, value)
        except BusError as error:
            self.control |= _STICKY_ERROR
            raise FaultError from error
        return 0
