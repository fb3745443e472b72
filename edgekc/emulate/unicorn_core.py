"""Runs an image's Cortex-M code in this process on Unicorn: semihosting as Python, instructions by block."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const as arm
from unicorn.unicorn import Uc, UcError

from edgekc.build import Image
from edgekc.errors import ToolError

_PAGE = 4096
# System control space: SysTick, CPACR and the fault registers, as plain memory. Nothing there counts;
# the counting is done by hooks.
_SCS, _SCS_BYTES = 0xE000E000, _PAGE
# What Unicorn's interrupt hook is given (QEMU's target/arm/cpu.h).
_EXCP_BKPT = 7
_EXCEPTIONS = {
    1: "undefined instruction",
    2: "supervisor call",
    3: "instruction fetch fault",
    4: "data access fault",
    17: "coprocessor off or absent",
    18: "invalid state",
}
_BKPT_SEMIHOSTING = 0xBEAB
_EXIT_OK = 0x20026  # ADP_Stopped_ApplicationExit
_POWER_UP = 0xDB
_MAX_IO_BYTES = 1 << 28


def run(image: Image, folder: Path, *, timeout_s: float, count: bool) -> tuple[tuple[int, ...] | None, str]:
    """Runs it with `folder` as the current folder of its file access.

    Returns:
        Instructions of each sample (None without count), and what went wrong (empty: nothing).
    """
    uc: Any = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_{image.board.core.unicorn_model}"))
    symbols = _load(uc, image)
    host = _Host(uc, folder)
    uc.hook_add(unicorn.UC_HOOK_INTR, host.interrupt)
    counter = _Counter(uc, symbols["ek_call_begin"], symbols["ek_call_end"]) if count else None
    stack, entry = struct.unpack("<II", uc.mem_read(symbols["ek_vectors"], 8))
    uc.reg_write(arm.UC_ARM_REG_SP, stack)
    deadline = time.monotonic() + timeout_s
    failure = ""
    try:
        at = entry
        while not host.exited:
            left_us = int((deadline - time.monotonic()) * 1_000_000)
            if left_us <= 0:
                break
            uc.emu_start(at | 1, 0xFFFFFFFE, timeout=left_us)
            at = uc.reg_read(arm.UC_ARM_REG_PC)
    except UcError as error:
        pc = uc.reg_read(arm.UC_ARM_REG_PC)
        lr = uc.reg_read(arm.UC_ARM_REG_LR)
        failure = f"the core stopped: {error} at pc=0x{pc:08x} lr=0x{lr:08x}"
    finally:
        host.close()
    if not failure and not host.exited:
        failure = f"did not finish within {timeout_s:g} s"
    if not failure and not host.ok:
        failure = host.problem or "ended with an error status"
    return (tuple(counter.calls) if counter else None), failure


def _load(uc: Any, image: Image) -> dict[str, int]:
    """Maps the board's memory, writes the program into it, and returns the address of each symbol."""
    for memory in image.board.memories:
        start = memory.origin & -_PAGE
        end = -(-memory.end // _PAGE) * _PAGE
        protection = unicorn.UC_PROT_ALL if memory.kind == "ram" else unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        uc.mem_map(start, end - start, protection)
        if memory.kind == "ram":
            # A real core's RAM holds anything at power-up; zeros would hide a startup that clears nothing.
            uc.mem_write(start, bytes([_POWER_UP]) * (end - start))
    uc.mem_map(_SCS, _SCS_BYTES)
    with image.elf.open("rb") as file:
        elf = ELFFile(file)
        for segment in elf.iter_segments("PT_LOAD"):
            if segment["p_filesz"]:
                uc.mem_write(segment["p_paddr"], segment.data())
        table = elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ToolError("the image has no symbol table", where=str(image.elf))
        return {symbol.name: int(symbol["st_value"]) for symbol in table.iter_symbols()}


class _Host:
    """The host's end of semihosting. State that callbacks share, hence a class."""

    def __init__(self, uc: Any, folder: Path) -> None:
        self.uc, self.folder = uc, folder
        self.files: dict[int, Any] = {}
        self.exited = self.ok = False
        self.problem = ""

    def interrupt(self, uc: Any, number: int, _data: Any) -> None:
        pc = uc.reg_read(arm.UC_ARM_REG_PC)
        if number != _EXCP_BKPT:
            name = _EXCEPTIONS.get(number, f"exception {number}")
            self._stop(f"the core stopped: {name} at pc=0x{pc:08x}")
            return
        if struct.unpack("<H", uc.mem_read(pc, 2))[0] != _BKPT_SEMIHOSTING:
            self._stop(f"a breakpoint instruction at pc=0x{pc:08x}")
            return
        op = uc.reg_read(arm.UC_ARM_REG_R0)
        argument = uc.reg_read(arm.UC_ARM_REG_R1)
        result = self._call(op, argument)
        if not self.exited:
            uc.reg_write(arm.UC_ARM_REG_R0, result & 0xFFFFFFFF)
            uc.reg_write(arm.UC_ARM_REG_PC, (pc + 2) | 1)

    def _stop(self, problem: str) -> None:
        self.exited, self.ok, self.problem = True, False, problem
        self.uc.emu_stop()

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.uc.mem_read(address, 4 * count))

    def _call(self, op: int, argument: int) -> int:
        calls: dict[int, Callable[[int], int]] = {
            0x01: self._open, 0x02: self._close, 0x04: lambda _: 0, 0x05: self._write, 0x06: self._read,
            0x0A: self._seek, 0x0C: self._length, 0x18: self._exit,
        }  # fmt: skip
        call = calls.get(op)
        if call is None:
            self._stop(f"unknown semihosting call 0x{op:x}")
            return -1
        return call(argument)

    def _open(self, argument: int) -> int:
        address, mode, length = self._words(argument, 3)
        name = self.uc.mem_read(address, min(length, 255)).decode("ascii", errors="replace")
        # The harness uses plain names only; anything else would be a stray pointer.
        if "/" in name or "\\" in name or name.startswith("."):
            return -1
        modes = {0: "rb", 1: "rb", 4: "wb", 5: "wb", 6: "w+b", 7: "w+b", 8: "ab", 9: "ab"}
        handle = max(self.files, default=0) + 1
        try:
            self.files[handle] = (self.folder / name).open(modes.get(mode, "r+b"))
        except OSError:
            return -1
        return handle

    def _close(self, argument: int) -> int:
        file = self.files.pop(self._words(argument, 1)[0], None)
        if file is None:
            return -1
        file.close()
        return 0

    def _write(self, argument: int) -> int:
        handle, address, length = self._words(argument, 3)
        if handle not in self.files or length > _MAX_IO_BYTES:
            return length
        return length - int(self.files[handle].write(bytes(self.uc.mem_read(address, length))))

    def _read(self, argument: int) -> int:
        handle, address, length = self._words(argument, 3)
        if handle not in self.files or length > _MAX_IO_BYTES:
            return length
        data = self.files[handle].read(length)
        self.uc.mem_write(address, data)
        return length - len(data)

    def _seek(self, argument: int) -> int:
        handle, offset = self._words(argument, 2)
        if handle not in self.files:
            return -1
        self.files[handle].seek(offset)
        return 0

    def _length(self, argument: int) -> int:
        handle = self._words(argument, 1)[0]
        if handle not in self.files:
            return -1
        return int((self.folder / Path(self.files[handle].name).name).stat().st_size)

    def _exit(self, argument: int) -> int:
        self.exited, self.ok = True, argument == _EXIT_OK
        self.uc.emu_stop()
        return 0

    def close(self) -> None:
        for file in self.files.values():
            file.close()
        self.files.clear()


class _Counter:
    """Counts the instructions between the blx at `begin` and its return to `end`, exactly.

    A block is counted when it is entered, by the number of instructions in it; the part of the
    calling block before and including the blx is not NAME_run's.
    """

    def __init__(self, uc: Any, begin: int, end: int) -> None:
        self.begin, self.end = begin & ~1, end & ~1
        self.total = 0
        self.calls: list[int] = []
        self.lengths: dict[tuple[int, int], int] = {}
        uc.hook_add(unicorn.UC_HOOK_BLOCK, self._block)

    def _block(self, uc: Any, address: int, size: int, _data: Any) -> None:
        if address == self.end:
            self.calls.append(self.total)
        key = (address, size)
        length = self.lengths.get(key)
        if length is None:
            length = self.lengths[key] = instructions_in(bytes(uc.mem_read(address, size)))
        self.total += length
        if address <= self.begin < address + size:
            self.total = 0


def instructions_in(code: bytes) -> int:
    """How many Thumb instructions there are in `code`, which starts at one.

    Raises:
        ToolError: it ends within an instruction.
    """
    at = count = 0
    while at < len(code):
        # A first halfword of 0b11101, 0b11110 or 0b11111 starts a 32-bit instruction (ARMv7-M ARM, A5.1).
        at += 4 if code[at + 1] >> 3 >= 0b11101 else 2
        count += 1
    if at != len(code):
        raise ToolError("a block of code ends within an instruction", where="unicorn")
    return count
