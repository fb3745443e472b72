"""Runs an image's Cortex-M code in this process on Unicorn: semihosting as Python, instructions by layer."""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const as arm
from unicorn.unicorn import Uc, UcError

from ..errors import ToolError
from ..firmware.build import Image
from ..firmware.elf import CodeRange, read_elf, run_ranges, slot_finder
from ..firmware.thumb import instruction_starts
from .plugin import MAX_VIOLATIONS, READ, WRITE, Block, Counts, LayerCounts, Region, Unavailable, Violation

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
_ACCESS_BYTES = 16  # no single access is longer


def run(image: Image, folder: Path, *, timeout_s: float, count: bool) -> tuple[tuple[int, ...] | None, str]:
    """Runs it with `folder` as the current folder of its file access.

    Returns:
        Instructions of each sample (None without count), and what went wrong (empty: nothing).
    """
    uc, symbols = loaded(image)
    counter = _Counter(uc, symbols, (), 1) if count else None
    failure = _execute(uc, symbols, folder, timeout_s)
    return (tuple(sum(call) for call in counter.calls) if counter else None), failure


def count_layers(
    image: Image, layer_lines: Sequence[tuple[int, int]], inputs: bytes, regions: Sequence[Region], *, timeout_s: float
) -> Counts | Unavailable:
    """Counts by layer what the samples in `inputs` execute, as the plugin for QEMU does.

    Loads and stores are not counted, since a call into Python for each would take minutes; accesses outside
    of `regions` are seen all the same.

    Args:
        layer_lines: first and last line of each layer's statement in NAME.c.
        regions: what the network function may access.

    Raises:
        ToolError: the core faulted or hung.
    """
    ranges = run_ranges(read_elf(image.elf), image.name, layer_lines)
    if not ranges:
        return Unavailable(f"{image.elf} has no symbol {image.name}_run with a size; is it stripped?")
    counter, watch = _count(image, ranges, len(layer_lines) + 1, inputs, regions, timeout_s, exact_pc=False)
    if watch.total:
        # Where was it? Unicorn knows the instruction only if each is hooked, which is slow.
        counter, watch = _count(image, ranges, len(layer_lines) + 1, inputs, regions, timeout_s, exact_pc=True)
    slots = [LayerCounts(instructions, 0, 0, 0, 0, None) for instructions in zip(*counter.calls, strict=True)]
    elf = read_elf(image.elf)
    return Counts(
        instructions=tuple(sum(call) for call in counter.calls),
        outside=slots[0],
        layers=tuple(slots[1:]),
        traced=False,
        stack_bytes=None,
        violations=tuple(
            Violation(None if slot == 0 else slot - 1, elf.function_at(pc), pc, address, size, store)
            for slot, pc, address, size, store in dict.fromkeys(watch.found)
        ),
        violation_count=watch.total,
        ranges=ranges,
        blocks=tuple(Block(*key, *visits) for key, visits in sorted(counter.visits.items())),
    )


def _count(
    image: Image,
    ranges: Sequence[CodeRange],
    slots: int,
    inputs: bytes,
    regions: Sequence[Region],
    timeout_s: float,
    *,
    exact_pc: bool,
) -> tuple[_Counter, _Watch]:
    uc, symbols = loaded(image)
    counter = _Counter(uc, symbols, ranges, slots)
    watch = _Watch(uc, counter, regions)
    if exact_pc:
        uc.hook_add(unicorn.UC_HOOK_CODE, lambda *_: None)
    with tempfile.TemporaryDirectory(prefix="edgekc-count-") as name:
        (Path(name) / "input.bin").write_bytes(inputs)
        failure = _execute(uc, symbols, Path(name), timeout_s)
    samples = len(inputs) // image.input_bytes
    if failure or len(counter.calls) != samples:
        what = failure or f"{samples} samples went in, {len(counter.calls)} were counted"
        raise ToolError(what, where=f"board {image.board.name} (unicorn), {image.name}")
    return counter, watch


def loaded(image: Image) -> tuple[Any, dict[str, int]]:
    """The board's core with the program in its memory as after a reset, and the address of each symbol."""
    uc: Any = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(getattr(arm, f"UC_CPU_ARM_{image.board.core.unicorn_model}"))
    return uc, _load(uc, image)


def reset(uc: Any, symbols: dict[str, int]) -> int:
    """Sets the stack pointer as a reset does; where the core begins."""
    stack, entry = struct.unpack("<II", uc.mem_read(symbols["ek_vectors"], 8))
    uc.reg_write(arm.UC_ARM_REG_SP, stack)
    return int(entry)


def _execute(uc: Any, symbols: dict[str, int], folder: Path, timeout_s: float) -> str:
    """Runs to the end; what went wrong, empty when nothing did."""
    host = _Host(uc, folder)
    uc.hook_add(unicorn.UC_HOOK_INTR, host.interrupt)
    entry = reset(uc, symbols)
    deadline = time.monotonic() + timeout_s
    try:
        at = entry
        while not host.exited:
            left_us = int((deadline - time.monotonic()) * 1_000_000)
            if left_us <= 0:
                return f"did not finish within {timeout_s:g} s"
            uc.emu_start(at | 1, 0xFFFFFFFE, timeout=left_us)
            at = uc.reg_read(arm.UC_ARM_REG_PC)
    except UcError as error:
        pc = uc.reg_read(arm.UC_ARM_REG_PC)
        lr = uc.reg_read(arm.UC_ARM_REG_LR)
        return f"the core stopped: {error} at pc=0x{pc:08x} lr=0x{lr:08x}"
    finally:
        host.close()
    return "" if host.ok else host.problem or "ended with an error status"


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
    """Counts the instructions between the blx at ek_call_begin and its return to ek_call_end, exactly.

    A block is counted when it is entered, by the number of instructions in it. Each instruction of NAME_run
    counts for its own slot, and what it calls for the slot of the instruction that ran last.
    """

    def __init__(self, uc: Any, symbols: dict[str, int], ranges: Sequence[CodeRange], slots: int) -> None:
        self.begin, self.end = symbols["ek_call_begin"] & ~1, symbols["ek_call_end"] & ~1
        self.slot_of = slot_finder(ranges)
        self.nothing = [0] * slots
        self.row = list(self.nothing)  # of the current call; between calls what nobody reads
        self.slot = 0
        self.called = False  # between ek_call_begin and ek_call_end
        self.active = False  # the same without the caller's own block, where ranges are known
        self.calls: list[tuple[int, ...]] = []  # instructions (call, slot)
        self.visits: dict[tuple[int, int, int], list[int]] = {}  # runs and jumps by start, end and slot, of the first
        self.last: tuple[int, list[int]] = (0, [0, 0])  # the end of the block before, and its visits
        # By address and size of a block: its length, or, where it is special, the lengths of its slots.
        self.blocks: dict[tuple[int, int], int | list[tuple[int | None, int]]] = {}
        uc.hook_add(unicorn.UC_HOOK_BLOCK, self._block)

    def _block(self, uc: Any, address: int, size: int, _data: Any) -> None:
        block = self.blocks.get((address, size))
        if block is None:
            block = self.blocks[address, size] = self._translate(address, bytes(uc.mem_read(address, size)))
        if self.called and not self.calls:
            self._visit(address, size)
        if isinstance(block, int):
            self.row[self.slot] += block
        else:
            self._special(address, size, block)

    def _visit(self, address: int, size: int) -> None:
        end, last = self.last
        last[1] += end != address
        if address != self.end:
            visits = self.visits.setdefault((address, address + size, self.slot), [0, 0])
            visits[0] += 1
            self.last = address + size, visits

    def _special(self, address: int, size: int, parts: list[tuple[int | None, int]]) -> None:
        """A block of NAME_run, or one around the call of it."""
        if address == self.end and self.called:
            self.calls.append(tuple(self.row))
            self.called = self.active = False
        for slot, length in parts:
            self.slot = self.slot if slot is None else slot
            self.row[self.slot] += length
        if address <= self.begin < address + size:  # the blx, which ends it, is not NAME_run's
            self.row, self.slot = list(self.nothing), 0
            self.called = True
        elif self.called:
            self.active = True

    def _translate(self, address: int, code: bytes) -> int | list[tuple[int | None, int]]:
        slots = [self.slot_of(address + at) for at in instruction_starts(code)]
        special = address <= self.begin < address + len(code) or address == self.end
        if not special and all(slot is None for slot in slots):
            return len(slots)
        return [(slot, 1) for slot in slots]


class _Watch:
    """Sees accesses of NAME_run, and of what it calls, outside of the regions that they may touch.

    Only the addresses between the regions are hooked, so that Python is not called for a legal access.
    """

    def __init__(self, uc: Any, counter: _Counter, regions: Sequence[Region]) -> None:
        self.counter = counter
        self.allowed = {access: [(r.low, r.high) for r in regions if r.access & access] for access in (READ, WRITE)}
        self.found: list[tuple[int, int, int, int, bool]] = []  # slot, pc, address, bytes, is a store
        self.total = 0
        for access, hook in ((READ, unicorn.UC_HOOK_MEM_READ), (WRITE, unicorn.UC_HOOK_MEM_WRITE)):
            for low, high in _gaps(self.allowed[access]):
                uc.hook_add(hook, self._access, None, low, high - 1)

    def _access(self, uc: Any, kind: int, address: int, size: int, _value: int, _data: Any) -> None:
        store = kind == unicorn.UC_MEM_WRITE
        allowed = self.allowed[WRITE if store else READ]
        if not self.counter.active or any(low <= address and address + size <= high for low, high in allowed):
            return
        self.total += 1
        if len(self.found) < MAX_VIOLATIONS:
            pc = uc.reg_read(arm.UC_ARM_REG_PC)
            slot = self.counter.slot_of(pc)
            self.found.append((self.counter.slot if slot is None else slot, pc, address, size, store))


def _gaps(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of the 32-bit address space lies between the ranges, and the last bytes of each.

    A hook sees where an access starts, so one that runs over a range's end starts in its last bytes.
    """
    gaps, at = [], 0
    for low, high in [*sorted(ranges), (1 << 32, 1 << 32)]:
        if low > at:
            gaps.append((at, low))
        at = max(at, high - (_ACCESS_BYTES - 1), low)
    return gaps
