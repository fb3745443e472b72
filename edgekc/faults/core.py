"""A program on an emulated core that is stopped at any instruction, changed, sent on, and put back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn import UcError

from ..boards.board import Memory
from ..emulate import unicorn_core
from ..errors import ToolError
from ..firmware.build import Image
from ..firmware.elf import Elf, Symbol, read_elf
from ..graph.ir import Array
from .records import Buffer

_STARTUP_LIMIT = 100_000_000  # instructions; it clears .bss
_ABOVE = 64  # bytes of the stack above a call's, for arguments and what they point to
_WORD = 4
_SECTION = ".ekc_arena"  # of the linker script, for the harness's buffers
_BEFORE = 15  # bytes before a byte at which an access that takes it in may begin
_KEPT = tuple(f"R{i}" for i in range(4, 12))  # by whom is called (AAPCS, 6.1.1)
_MARK = 0x5A5A0000  # what they hold at a call

How = Literal["returned", "stopped", "fault", "endless"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: it returned, it stands where it was to stop, the core faulted, or it went on too long."""

    how: How
    status: int = 0  # what it returned


@dataclass(frozen=True, slots=True)
class Moment:
    """All that the core and its RAM hold."""

    registers: Any
    ram: tuple[Array, ...]  # bytes of each region


class Core:
    """A board's core with an image in its memory, behind its startup.

    Attributes:
        image: what lies in its flash.
        elf: its symbols.
        arena, input, output, state: the harness's buffers, without their guards; a state has bytes where there is one.
        ram: the regions in which the program has something.
    """

    def __init__(self, image: Image) -> None:
        """ToolError where startup does not come to its end."""
        self.image, self.elf = image, read_elf(image.elf)
        self.uc, self.symbols = unicorn_core.loaded(image)
        self._reset = self.uc.context_save()
        self._end = self._symbol("main")  # nobody comes there behind startup: it serves as return address
        whole = _object(self.elf, "input")
        guard = (whole.size_bytes - image.input_bytes) // 2
        self.input, self.output, self.arena = (_between(self.elf, n, guard) for n in ("input", "output", "arena"))
        self.state = _between(self.elf, "state", guard) if image.state_bytes else Buffer(0, 0)
        self.ram = _used(image, self.elf)
        self._settle: Callable[[], None] = lambda: None
        self.stack_limit, self.stack_top = self.symbols["ek_stack_limit"], self.symbols["ek_stack_top"]
        self.start()

    def _symbol(self, name: str) -> int:
        return self.symbols[name] & ~1

    # ---- what it does ----

    def start(self) -> None:
        """From the reset vector to main, with RAM as it is."""
        self.uc.context_restore(self._reset)
        entry = unicorn_core.reset(self.uc, self.symbols)
        ended = self._go(entry, self._end, _STARTUP_LIMIT)
        if ended.how != "returned":
            raise ToolError(f"startup ended with: {ended.how}", where=f"board {self.image.board.name} (unicorn)")

    def enter(self, function: str, arguments: Sequence[int] = (), stack: int | None = None) -> None:
        """Registers as at a call with at most four words and one on the stack."""
        stack = self.stack_top - _ABOVE if stack is None else stack
        for i, value in enumerate(arguments[:4]):
            self._write(f"R{i}", value)
        if len(arguments) > 4:
            self.uc.mem_write(stack, arguments[4].to_bytes(_WORD, "little"))
        for i, name in enumerate(_KEPT):
            self._write(name, _MARK + i)
        self._write("SP", stack)
        self._write("LR", self._end | 1)
        self._write("PC", self._symbol(function) | 1)
        self._entered = stack

    def go_on(self, instructions: int) -> Ended:
        """From where it stands, for at most so many instructions; `stopped` where these did not suffice."""
        return self._go(self._read("PC"), self._end, instructions)

    def call(self, function: str, arguments: Sequence[int], limit: int, stack: int | None = None) -> Ended:
        """The same from a function's beginning; `endless` where `limit` instructions did not suffice."""
        self.enter(function, arguments, stack)
        return within(self.go_on(limit))

    def _go(self, at: int, until: int, instructions: int) -> Ended:
        try:
            self.uc.emu_start(at | 1, until, count=max(instructions, 1))
        except UcError:
            return Ended("fault")
        if self._read("PC") & ~1 != until:
            return Ended("stopped")
        return Ended("returned", self._read("R0"))

    def _read(self, register: str) -> int:
        return int(self.uc.reg_read(getattr(arm, f"UC_ARM_REG_{register}")))

    def _write(self, register: str, value: int) -> None:
        self.uc.reg_write(getattr(arm, f"UC_ARM_REG_{register}"), value)

    # ---- what it holds ----

    def save(self) -> Moment:
        """Registers and RAM as they are."""
        return Moment(self.uc.context_save(), self.memory())

    def restore(self, moment: Moment) -> None:
        """Registers and RAM as they were."""
        self.uc.context_restore(moment.registers)
        for region, held in zip(self.ram, moment.ram, strict=True):
            self.uc.mem_write(region.origin, held.tobytes())

    def memory(self) -> tuple[Array, ...]:
        """The bytes of RAM."""
        self._settle()
        return tuple(np.frombuffer(self.uc.mem_read(r.origin, r.size_bytes), np.uint8) for r in self.ram)

    def bytes_of(self, buffer: Buffer) -> bytes:
        """What a buffer holds."""
        self._settle()
        return bytes(self.uc.mem_read(buffer.address, buffer.size_bytes))

    def fill(self, buffer: Buffer, data: bytes) -> None:
        """Writes a buffer's first bytes."""
        self.uc.mem_write(buffer.address, data)

    def is_tidy(self, before: Sequence[Array]) -> bool:
        """Whether a call that returned left alone what is not its own: other RAM, and registers that a call keeps.

        Args:
            before: what `memory` gave at its beginning, or later.
        """
        if self._read("SP") != self._entered or any(self._read(n) != _MARK + i for i, n in enumerate(_KEPT)):
            return False
        for region, old, new in zip(self.ram, before, self.memory(), strict=True):
            changed = region.origin + np.flatnonzero(old != new)
            for low, high in self._own():
                changed = changed[(changed < low) | (changed >= high)]
            if len(changed):
                return False
        return True

    def _own(self) -> list[tuple[int, int]]:
        buffers = [(b.address, b.address + b.size_bytes) for b in (self.arena, self.output, self.state)]
        return [*buffers, (self.stack_limit, self._entered)]

    # ---- what goes wrong ----

    def flip(self, address: int, bit: int) -> None:
        """A bit of memory is another, of flash too."""
        self.put(address, self.uc.mem_read(address, 1)[0] ^ 1 << bit)

    def put(self, address: int, value: int) -> None:
        """A byte of memory, of flash too."""
        self.uc.mem_write(address, bytes([value]))
        self.uc.ctl_flush_tb()  # it may be code

    def flip_register(self, register: str, bit: int) -> None:
        """A bit of a core register is another."""
        self._write(register, self._read(register) ^ 1 << bit)

    @contextmanager
    def held(self, address: int, bit: int, value: int) -> Iterator[None]:
        """A bit of RAM keeps its value, whatever is written: whoever loads it sees that."""

        def settle() -> None:
            byte = self.uc.mem_read(address, 1)[0]
            self.uc.mem_write(address, bytes([byte & ~(1 << bit) | value << bit]))

        self._settle = settle
        self.uc.ctl_flush_tb()  # what was translated without a hook would not call it
        hook = self.uc.hook_add(unicorn.UC_HOOK_MEM_READ, lambda *_: settle(), None, address - _BEFORE, address)
        try:
            yield
        finally:
            self.uc.hook_del(hook)
            self.uc.ctl_flush_tb()
            self._settle = lambda: None

    def decay(self, rng: np.random.Generator, halvings: int) -> None:
        """Each bit of RAM is another with a probability of one half, halved so many times."""
        for region in self.ram:
            lost = np.frombuffer(rng.bytes(region.size_bytes), np.uint8).copy()
            for _ in range(halvings):
                lost &= np.frombuffer(rng.bytes(region.size_bytes), np.uint8)
            now = np.frombuffer(self.uc.mem_read(region.origin, region.size_bytes), np.uint8)
            self.uc.mem_write(region.origin, (now ^ lost).tobytes())


def within(ended: Ended) -> Ended:
    """Of a call whose instructions were limited: one that did not return by then goes on too long."""
    return Ended("endless") if ended.how == "stopped" else ended


def _object(elf: Elf, name: str) -> Symbol:
    """A variable of the harness."""
    found = next((s for s in elf.symbols if s.name == name and s.kind == "object" and s.section == _SECTION), None)
    if found is None:
        raise ToolError(f"the program has no buffer {name}", where=str(elf.path))
    return found


def _between(elf: Elf, name: str, guard: int) -> Buffer:
    """A buffer of the harness without its two guards."""
    symbol = _object(elf, name)
    return Buffer(symbol.address + guard, symbol.size_bytes - 2 * guard)


def _used(image: Image, elf: Elf) -> tuple[Memory, ...]:
    """RAM that holds the stack, which the first region does, or something else of the program."""
    places = [section.address for section in elf.sections]
    rams = [memory for memory in image.board.memories if memory.kind == "ram"]
    return tuple(m for m in rams if m is image.board.ram or any(m.origin <= at < m.end for at in places))
