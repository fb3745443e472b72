"""Turns the compiler's frame sizes and the linked calls into a bound of the stack that an inference can need."""

from __future__ import annotations

import dataclasses
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import VerifyError
from ..firmware.branches import branch_targets, indirect_calls, short_jumps
from ..firmware.build import Image
from ..firmware.elf import Elf, Symbol, read_elf
from ..firmware.riscv import moved

# FILE:LINE:COLUMN:FUNCTION <tab> BYTES <tab> static | dynamic | dynamic,bounded
_POINTED = "_pointed"  # how the functions end that kernels call through a pointer, and no others
_USAGE = re.compile(r"^.*:([^:\t]+)\t(\d+)\t(\S+)$")


@dataclass(frozen=True, slots=True)
class StackBound:
    """The deepest path, or why there is no bound."""

    size_bytes: int | None  # below SP at the call of NAME_run
    path: tuple[tuple[str, int], ...]  # functions from NAME_run down, each with its frame
    reason: str  # why size_bytes is None; empty if it is not


def stack_bound(image: Image) -> StackBound:
    """The sum of frames on the deepest path from NAME_run.

    Frames come from -fstack-usage; those of code that has none (the library's, all of zig's, assembly), from the
    instructions by which it moves the stack pointer. Calls are those of the linked code.
    """
    if image.board.core.system != "bare":
        return StackBound(None, (), "only bare-metal programs have a bound")
    elf = read_elf(image.elf)
    usage, problem = _usages(image.stack_usage)
    functions = _functions(elf)
    start = next((f for f in functions if f.name == f"{image.name}_run"), None)
    if start is None:
        return StackBound(None, (), f"the program has no {image.name}_run")
    calls = _calls(elf, functions)
    indirect = {f.name for at in indirect_calls(elf) if (f := _at(functions, at - 1)) is not None}
    pointed = [f for f in functions if f.name.endswith(_POINTED)]
    # Of a kernel; anything else calls a function of the user's, who knows which.
    known = {name for name in indirect if name.startswith("ek_") and pointed}
    for name in known:
        calls.setdefault(name, []).extend(pointed)
    done: dict[str, tuple[tuple[str, int], ...]] = {}
    active: list[str] = []
    reasons: list[str] = []

    def deepest(function: Symbol) -> tuple[tuple[str, int], ...]:
        name = function.name
        if name in active:
            reasons.append(f"{name} calls itself")
            return ()
        if name not in done:
            if name in indirect - known:
                reasons.append(f"{name} calls through a pointer")
            if name in problem:
                reasons.append(f"{name} has a frame of {problem[name]} size")
            active.append(name)
            below = [deepest(callee) for callee in calls.get(name, ())]
            active.pop()
            # Naked functions are assembly, whose frame the compiler states as 0.
            frame = usage.get(name, 0) or _moved(elf, function)
            done[name] = ((name, frame), *max(below, key=_sum, default=()))
        return done[name]

    path = deepest(start)
    if reasons:
        return StackBound(None, path, reasons[0])
    return StackBound(_sum(path), path, "")


def check_stack(bound: StackBound, measured_bytes: int | None, where: str) -> None:
    """Raises VerifyError where a run used more stack than its bound: one of the two is wrong."""
    if bound.size_bytes is not None and measured_bytes is not None and measured_bytes > bound.size_bytes:
        raise VerifyError(
            f"the stack reached {measured_bytes} bytes, and its static bound is {bound.size_bytes} "
            f"({' > '.join(name for name, _ in bound.path)})",
            where=where,
        )


def _sum(path: Sequence[tuple[str, int]]) -> int:
    return sum(size for _, size in path)


def _usages(files: Sequence[Path]) -> tuple[dict[str, int], dict[str, str]]:
    """Frame of each function, and which frames have no fixed size. Two static functions of a name: the larger."""
    sizes: dict[str, int] = {}
    unbounded: dict[str, str] = {}
    for path in files:
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match = _USAGE.match(line)
            if match is None:
                continue
            name, kind = match[1].split()[-1], match[3]
            sizes[name] = max(int(match[2]), sizes.get(name, 0))
            if kind == "dynamic":
                unbounded[name] = kind
    return sizes, unbounded


def _functions(elf: Elf) -> tuple[Symbol, ...]:
    """All code by address. Library code in assembly may have no size: it goes on to the next symbol."""
    sections = {section.name: section for section in elf.sections if section.executable and section.loaded}
    code = [s for s in elf.symbols if s.section in sections and s.kind in ("func", "notype")]
    named = {s.address: s for s in sorted(code, key=lambda s: (s.kind == "func", s.size_bytes))}  # the best of aliases
    ordered = [named[address] for address in sorted(named)]
    found = []
    for index, symbol in enumerate(ordered):
        after = ordered[index + 1].address if index + 1 < len(ordered) else sections[symbol.section].end
        size = symbol.size_bytes or min(after, sections[symbol.section].end) - symbol.address
        if index + 1 < len(ordered) and ordered[index + 1].kind == "func":
            size = min(size, after - symbol.address)  # one of libgcc's that goes on into the next states both
        found.append(dataclasses.replace(symbol, address=symbol.address & ~1, size_bytes=size))
    return tuple(found)


def _at(functions: Sequence[Symbol], address: int) -> Symbol | None:
    index = bisect_right([f.address for f in functions], address) - 1
    if index < 0 or address >= functions[index].address + functions[index].size_bytes:
        return None
    return functions[index]


def _calls(elf: Elf, functions: Sequence[Symbol]) -> dict[str, list[Symbol]]:
    """Who calls or jumps to whom, by names; a branch to one's own start is taken for a call."""
    starts = {function.address: function for function in functions}
    lows = [function.address for function in functions]
    found: dict[str, list[Symbol]] = {}
    for after, to in branch_targets(elf):
        caller, callee = _at(functions, after - 1), starts.get(to & ~1)
        if caller is not None and callee is not None:
            found.setdefault(caller.name, []).append(callee)
    for after, to in short_jumps(elf):
        low = bisect_right(lows, after - 1) - 1
        if low == bisect_right(lows, to) - 1:
            continue  # within a function, as most are
        caller, callee = _at(functions, after - 1), _at(functions, to)
        # A part that the compiler moved out (NAME.cold) goes back into NAME, whose frame is counted.
        if caller is not None and callee is not None and _stem(caller) != _stem(callee):
            found.setdefault(caller.name, []).append(callee)
    return found


def _stem(function: Symbol) -> str:
    return function.name.partition(".")[0]


def _moved(elf: Elf, function: Symbol) -> int:
    """Bytes by which a function's instructions lower the stack pointer, each taken once."""
    if elf.machine == "riscv":
        return moved(elf.code(function.address, function.address + function.size_bytes))
    section = next(s for s in elf.sections if s.name == function.section)
    at = function.address - section.address
    half = np.frombuffer(section.data[at : at + (function.size_bytes & ~1)], "<u2").tolist()
    total = index = 0
    while index < len(half):
        first = half[index]
        second = half[index + 1] if index + 1 < len(half) else 0
        if first >> 9 == 0b1011010:  # PUSH {registers[, lr]}
            total += 4 * (first & 0x1FF).bit_count()
        elif first >> 7 == 0b101100001:  # SUB sp, #imm7 * 4
            total += 4 * (first & 0x7F)
        elif first == 0xE92D:  # PUSH.W
            total += 4 * second.bit_count()
        elif first == 0xF84D and second & 0xF00 == 0xD00:  # STR ..., [sp, #-imm8]!; with 4, PUSH {one}
            total += second & 0xFF
        elif first == 0xED2D and second >> 9 & 7 == 0b101:  # VPUSH, of any registers
            total += 4 * (second & 0xFF)
        elif first & ~0x400 == 0xF1AD and second & 0x8F00 == 0x0D00:  # SUB.W sp, sp, #modified constant
            total += _modified((first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF)
        elif first & ~0x400 == 0xF2AD and second & 0x8F00 == 0x0D00:  # SUBW sp, sp, #imm12
            total += (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
        elif first & 0xFFF0 in (0xE960, 0xE9E0) and first & 0xF == 0xD:  # STRD with write-back: STRD ..., [sp, #-imm]!
            total += 4 * (second & 0xFF)
        index += 2 if first >> 11 >= 0b11101 else 1
    return total


def _modified(imm12: int) -> int:
    """A Thumb modified immediate constant (ARMv7-M ARM, A5.3.2)."""
    byte = imm12 & 0xFF
    if imm12 >> 10 == 0:
        return {0: byte, 1: byte << 16 | byte, 2: byte << 24 | byte << 8, 3: byte * 0x01010101}[imm12 >> 8 & 3]
    return (0x80 | imm12 & 0x7F) << (32 - (imm12 >> 7))
