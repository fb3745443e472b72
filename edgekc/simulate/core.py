"""The Cortex-M4 itself: Unicorn, with the exceptions, counting and stopping that it leaves to others."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Protocol

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn import Uc, UcError

from . import flash as flash_module
from .flash import BusError, Flash
from .system import BFAR, CFSR, HFSR, VTOR, System

RAM, RAM_BYTES = 0x20000000, 0x40000
SYSTEM_MEMORY, SYSTEM_MEMORY_BYTES = 0x1FFF0000, 0x10000
PERIPHERALS = ((0x40000000, 0x80000), (0x50000000, 0x61000), (0xE0000000, 0x100000))
_POWER_UP = b"\xdb"  # RAM holds anything at power-up; zeros would hide a startup that clears nothing

_EXCP_UNDEFINED, _EXCP_PREFETCH, _EXCP_BKPT, _EXCP_EXIT = 1, 3, 7, 8
_HARD_FAULT, _SYSTICK = 3, 15
_CFSR_BITS = {"undefined": 1 << 16, "data": 1 << 9 | 1 << 15, "fetch": 1 << 8, "other": 1 << 17}
_EXC_RETURN = 0xFFFFFFE0  # and above
_ENDINGS = ("bkpt", "reset", "power")  # of a run, which are no fault
_FRAME = tuple(getattr(arm, f"UC_ARM_REG_{name}") for name in ("R0", "R1", "R2", "R3", "R12", "LR"))
_FLOATS = tuple(getattr(arm, f"UC_ARM_REG_S{i}") for i in range(16))
REGISTERS = (
    *(getattr(arm, f"UC_ARM_REG_R{i}") for i in range(13)),
    arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC, arm.UC_ARM_REG_XPSR,
    arm.UC_ARM_REG_MSP, arm.UC_ARM_REG_PSP,
)  # fmt: skip


class Bus(Protocol):
    """The peripherals, as the core sees them; raises BusError where there is none."""

    def read(self, address: int, size: int) -> int: ...
    def write(self, address: int, size: int, value: int) -> None: ...
    def debugger_attached(self) -> bool: ...


class Core:
    """Runs in slices: `run` returns when its budget is spent, or says why the core stopped.

    Args:
        exact: each instruction counts when its block of code is entered. Otherwise a slice counts as a whole, also
            where it ends early, which is some times as fast.
    """

    def __init__(self, bus: Bus, flash: Flash, system: System, *, exact: bool) -> None:
        self.bus, self.flash, self.system, self.exact = bus, flash, system, exact
        self.ram_buffer = (ctypes.c_uint8 * RAM_BYTES)()
        self.ram = memoryview(self.ram_buffer).cast("B")
        self.ram[:] = _POWER_UP * RAM_BYTES
        self.code_changed = True  # since the last run, so what was translated is stale
        self.lockup = False
        self.idle = False  # in a branch to itself, which is not worth emulating
        self.active = False  # inside Unicorn: an access is the program's own, not a debugger's
        self._lengths: dict[tuple[int, int], int] = {}  # of a block: instructions
        self._stop_at = 0  # cycles
        self._stopped = ""
        self._repairs: list[tuple[int, bytes]] = []
        self._hooks: list[int] = []
        self._breakpoints: tuple[int, ...] = ()
        self.uc: Any = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._map()

    def _map(self) -> None:
        code = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        for base in (0, flash_module.BASE):  # booted from flash, address 0 shows it too
            self.uc.mem_map_ptr(base, flash_module.SIZE, code, ctypes.addressof(self.flash.buffer))
        self.uc.mem_map_ptr(RAM, RAM_BYTES, unicorn.UC_PROT_ALL, ctypes.addressof(self.ram_buffer))
        self.uc.mem_map(SYSTEM_MEMORY, SYSTEM_MEMORY_BYTES, unicorn.UC_PROT_READ)
        for base, size in PERIPHERALS:
            self.uc.mmio_map(base, size, self._mmio_read, base, self._mmio_write, base)
        if self.exact:
            self.uc.hook_add(unicorn.UC_HOOK_BLOCK, self._block)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE_PROT, self._flash_write)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_READ_UNMAPPED | unicorn.UC_HOOK_MEM_WRITE_UNMAPPED, self._unmapped)

    # Called by Unicorn while the core runs.
    def _mmio_read(self, uc: Any, offset: int, size: int, base: int) -> int:
        self._repair()
        try:
            return self.bus.read(base + offset, size)
        except BusError:
            self.stop(f"data 0x{base + offset:08x}")
            return 0

    def _mmio_write(self, uc: Any, offset: int, size: int, value: int, base: int) -> None:
        self._repair()
        try:
            self.bus.write(base + offset, size, value)
        except BusError:
            self.stop(f"data 0x{base + offset:08x}")

    def _block(self, uc: Any, address: int, size: int, _data: Any) -> None:
        if self._repairs:
            self._repair()
        if self.system.cycles >= self._stop_at:
            uc.emu_stop()  # before the block runs
            return
        length = self._lengths.get((address, size))
        if length is None:
            length = self._lengths[address, size] = _instructions(bytes(uc.mem_read(address, size)))
        self.system.cycles += length

    def _interrupt(self, uc: Any, number: int, _data: Any) -> None:
        if number == _EXCP_EXIT:
            self.stop("return")
        elif number == _EXCP_BKPT:
            self.stop("bkpt")
        else:
            kinds = {_EXCP_UNDEFINED: "undefined", _EXCP_PREFETCH: "fetch"}
            self.stop(kinds.get(number, "other"))

    def _flash_write(self, uc: Any, _kind: int, address: int, size: int, value: int, _data: Any) -> bool:
        """Lets the controller decide what the flash holds after the store, which Unicorn then does all the same."""
        self._repair()
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        where = address if address >= flash_module.BASE else address + flash_module.BASE
        self.flash.program(where, data, debugger_attached=self.bus.debugger_attached())
        at = where - flash_module.BASE
        self._repairs.append((at, bytes(self.flash.memory[at : at + size])))
        return True

    def _repair(self) -> None:
        for at, data in self._repairs:
            self.flash.memory[at : at + len(data)] = data
        self._repairs.clear()

    def _unmapped(self, uc: Any, _kind: int, address: int, _size: int, _value: int, _data: Any) -> bool:
        self._stopped = self._stopped or f"data 0x{address:08x}"
        return False

    def stop(self, why: str) -> None:
        """From within an access: ends the run there."""
        self._stopped = self._stopped or why
        self.uc.emu_stop()

    # Called by the debug port between slices.
    def reset(self) -> None:
        for register in REGISTERS[:13]:
            self.uc.reg_write(register, 0)
        for register in ("CONTROL", "PRIMASK", "BASEPRI", "FAULTMASK", "IPSR"):
            self.uc.reg_write(getattr(arm, f"UC_ARM_REG_{register}"), 0)
        stack, entry = struct.unpack("<II", self.flash.memory[:8])
        self.uc.reg_write(arm.UC_ARM_REG_SP, stack & ~3)
        self.uc.reg_write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        self.uc.reg_write(arm.UC_ARM_REG_XPSR, 0x01000000)
        self.pc = entry & ~1
        self.lockup = False
        self.code_changed = True

    @property
    def pc(self) -> int:
        return int(self.uc.reg_read(arm.UC_ARM_REG_PC))

    @pc.setter
    def pc(self, value: int) -> None:
        self.uc.reg_write(arm.UC_ARM_REG_PC, value | 1)

    def run(self, budget: int) -> str:
        """Runs about that many instructions.

        Returns:
            Empty when the budget is spent; "bkpt" at a BKPT instruction or a breakpoint, "reset" if the
            program asked for one, "power" if it failed, "lockup".
        """
        self._forget_code()
        self._set_breakpoints(tuple(self.system.breakpoints()))
        until = self.system.cycles + budget
        while self.system.cycles < until and not self.lockup:
            if self.system.take_systick() and not self.handler() and not self._masked():
                self._enter(_SYSTICK, self.pc)
            ahead = self.system.cycles_to_systick()
            self._stop_at = until if ahead is None else min(until, self.system.cycles + max(ahead, 1))
            self.idle = self._spins()
            if self.idle:
                self.system.cycles = self._stop_at
                continue
            reason = self._start(0 if self.exact else self._stop_at - self.system.cycles)
            if not self.exact:
                self.system.cycles = self._stop_at
            if reason:
                return reason
        return "lockup" if self.lockup else ""

    def _spins(self) -> bool:
        """The next instruction is `b .`, and no breakpoint is there."""
        at = self.pc & ~1
        base, memory = (RAM, self.ram) if at >= RAM else (flash_module.BASE, self.flash.memory)
        here = bytes(memory[at - base : at - base + 2]) if at >= base else b""
        return here == b"\xfe\xe7" and at not in self._breakpoints

    def step(self) -> str:
        """One instruction; interrupts are left pending."""
        self._forget_code()
        self._set_breakpoints(())
        self._stop_at = self.system.cycles + 1_000_000
        cycles = self.system.cycles
        reason = self._start(1)
        self.system.cycles = cycles + 1
        return reason

    def _start(self, count: int) -> str:
        """Starts Unicorn; exceptions are taken here. Empty, or one of _ENDINGS."""
        self._stopped = ""
        if self.pc >= _EXC_RETURN:
            self._stopped = "fetch"
        else:
            self.active = True
            try:
                self.uc.emu_start(self.pc | 1, 0xFFFFFFFE, count=count)
            except UcError as error:
                fetch = error.errno in (unicorn.UC_ERR_FETCH_UNMAPPED, unicorn.UC_ERR_FETCH_PROT)
                self._stopped = self._stopped or ("fetch" if fetch else "undefined")
            finally:
                self.active = False
        self._repair()
        reason = self._stopped
        if reason in ("return", "fetch") and self.pc >= _EXC_RETURN and self.handler():
            self._leave()
        elif reason and reason not in _ENDINGS:
            self.fault(reason)
        return reason if reason in _ENDINGS else ""

    def _forget_code(self) -> None:
        if self.code_changed or self.flash.changed:
            self.uc.ctl_flush_tb()
            self._lengths.clear()
            self.code_changed = self.flash.changed = False

    def _set_breakpoints(self, addresses: tuple[int, ...]) -> None:
        if addresses == self._breakpoints:
            return
        for hook in self._hooks:
            self.uc.hook_del(hook)
        stop: Callable[..., None] = lambda *_: self.stop("bkpt")  # noqa: E731
        self._hooks = [self.uc.hook_add(unicorn.UC_HOOK_CODE, stop, None, at, at) for at in addresses]
        self._breakpoints = addresses
        self.uc.ctl_flush_tb()

    def handler(self) -> int:
        return int(self.uc.reg_read(arm.UC_ARM_REG_IPSR))

    def _masked(self) -> bool:
        return bool(self.uc.reg_read(arm.UC_ARM_REG_PRIMASK) & 1)

    def fault(self, reason: str) -> None:
        """A HardFault, or the lockup that one within it is."""
        kind, _, address = reason.partition(" ")
        self.system.set_bits(CFSR, _CFSR_BITS.get(kind, 0))
        self.system.set_bits(HFSR, 1 << 30)
        if address:
            self.system.words[BFAR] = int(address, 16)
        if self.handler() == _HARD_FAULT:
            self.lockup = True
        else:
            self._enter(_HARD_FAULT, self.pc)

    def _enter(self, number: int, return_to: int) -> None:
        """Exception entry (DDI 0403E, B1.5.6), with the floating-point registers always in the frame."""
        control = self.uc.reg_read(arm.UC_ARM_REG_CONTROL)
        status = self.uc.reg_read(arm.UC_ARM_REG_XPSR)
        sp = self.uc.reg_read(arm.UC_ARM_REG_SP)
        frame = [self.uc.reg_read(register) for register in _FRAME]
        floats = [*(self.uc.reg_read(register) for register in _FLOATS), self.uc.reg_read(arm.UC_ARM_REG_FPSCR), 0]
        aligned = (sp - 4 * (8 + 18)) & ~7
        status = status & ~(1 << 9) | 1 << 24 | (sp >> 2 & 1) << 9
        if not self._store(aligned, struct.pack("<26I", *frame, return_to & ~1, status, *floats)):
            self.lockup = True
            return
        handler_mode = bool(self.handler())
        on_process_stack = bool(control & 2) and not handler_mode
        self.uc.reg_write(arm.UC_ARM_REG_SP, aligned)
        self.uc.reg_write(arm.UC_ARM_REG_CONTROL, control & ~2)
        self.uc.reg_write(arm.UC_ARM_REG_IPSR, number)
        # Bit 4 clear: an extended frame.
        code = 0xFFFFFFE1 if handler_mode else 0xFFFFFFED if on_process_stack else 0xFFFFFFE9
        self.uc.reg_write(arm.UC_ARM_REG_LR, code)
        table = self.system.words.get(VTOR, 0)
        try:
            self.pc = int.from_bytes(self.uc.mem_read(table + 4 * number, 4), "little") & ~1
        except UcError:
            self.lockup = True

    def _leave(self) -> None:
        """Exception return (B1.5.8); the code was in the branch's target."""
        code = self.pc | 1
        if code & 0xF == 0xD:
            self.uc.reg_write(arm.UC_ARM_REG_CONTROL, self.uc.reg_read(arm.UC_ARM_REG_CONTROL) | 2)
        sp = self.uc.reg_read(arm.UC_ARM_REG_SP)
        if not RAM <= sp <= RAM + RAM_BYTES - 4 * 26:
            self.lockup = True
            return
        words = struct.unpack_from("<26I", self.ram, sp - RAM)
        for register, value in zip(_FRAME, words[:6], strict=True):
            self.uc.reg_write(register, value)
        for register, value in zip(_FLOATS, words[8:24], strict=True):
            self.uc.reg_write(register, value)
        self.uc.reg_write(arm.UC_ARM_REG_FPSCR, words[24])
        status = words[7]
        self.uc.reg_write(arm.UC_ARM_REG_SP, sp + 4 * 26 + (4 if status >> 9 & 1 else 0))
        self.uc.reg_write(arm.UC_ARM_REG_XPSR, status & ~(1 << 9))
        self.uc.reg_write(arm.UC_ARM_REG_IPSR, status & 0x1FF)
        self.pc = words[6]

    def _store(self, address: int, data: bytes) -> bool:
        if not RAM <= address <= RAM + RAM_BYTES - len(data):
            return False
        self.ram[address - RAM : address - RAM + len(data)] = data
        return True


def _instructions(code: bytes) -> int:
    """How many Thumb instructions there are in `code`, which starts at one (DDI 0403E, A5.1)."""
    at = count = 0
    while at < len(code):
        at += 4 if code[at + 1] >> 3 >= 0b11101 else 2
        count += 1
    return count
