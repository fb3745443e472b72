"""Turns the code of a linked ELF into its branches, its calls, and where a network's function returns to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import riscv
from .elf import Elf, Section, Symbol

# Of each branch: the address after it, its target, whether it is a call.
_Branches = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def return_addresses(elf: Elf, name: str) -> tuple[int, ...]:
    """Where NAME_run may return to.

    That is after each direct call of it (BL, BLX); but the harness calls it by pointer in ek_measured_call,
    and compilers turn a last call into a jump, so that the return skips a level. Hence also: after each
    indirect call in ek_measured_call, and after each call of a function that jumps to one of these.

    Found by decoding all code, each piece by its instruction set. What a literal pool without a mark adds by chance is
    harmless: an address only counts when the program runs through it.
    """
    code = [section for section in elf.sections if section.executable and section.loaded]
    branches = [decoded for section in code for decoded in _branches(elf, section)]
    wrapper = elf.symbol("ek_measured_call")
    targets: set[int] = set()
    new = {s.address for s in (elf.symbol(f"{name}_run"), wrapper) if s is not None}
    while new:
        targets |= new
        jumps = [int(at) for after, to, link in branches for at in after[np.isin(to, list(new)) & ~link]]
        callers = (_function_before(elf, at) for at in jumps)
        new = {s.address for s in callers if s is not None} - targets
    found = {s.address for s in elf.symbols if s.name == "ek_call_end"}  # the harness's own label
    for after, to, link in branches:
        found.update(int(at) for at in after[np.isin(to, list(targets)) & link])
    if wrapper is not None:
        low, high = wrapper.address, wrapper.address + wrapper.size_bytes
        found.update(at for section in code for at in _indirect_calls(elf, section) if low < at < high)
    return tuple(sorted(found))


def _function_before(elf: Elf, end: int) -> Symbol | None:
    """The function that holds the instruction which ends at this address."""
    return next((s for s in elf.symbols if s.kind == "func" and s.address < end <= s.address + s.size_bytes), None)


def branch_targets(elf: Elf) -> tuple[tuple[int, int], ...]:
    """Address after and target of all branches of the machine's common code; some are literals by chance.

    Thumb code only, on 32-bit Arm; calls only, on RISC-V, whose jumps stay within a function as short ones do.
    """
    found: list[tuple[int, int]] = []
    for section in elf.sections:
        if section.executable and section.loaded:
            after, to, link = _branches(elf, section)[0]
            kept = link if elf.machine == "riscv" else slice(None)
            found.extend(zip(after[kept].tolist(), to[kept].tolist(), strict=True))
    return tuple(found)


def short_jumps(elf: Elf) -> tuple[tuple[int, int], ...]:
    """Address after and target of the Thumb branches that `branch_targets` leaves out: the short and the conditional.

    And of each instruction that goes on into the next. Compiled code stays within a function by these; assembly, such
    as libgcc's, goes from one function into another.
    """
    found: list[tuple[int, int]] = []
    if elf.machine == "riscv":
        return tuple((b.after, b.target) for b in _riscv(elf) if b.target is not None and not b.link)
    for section in elf.sections:
        if elf.machine == "arm" and section.executable and section.loaded:
            for low, high in _thumb_stretches(elf, section):
                found.extend(_short_jumps(section, low, high))
    return tuple(found)


def _thumb_stretches(elf: Elf, section: Section) -> Iterator[tuple[int, int]]:
    marks = [mark for mark in elf.marks if section.address <= mark[0] < section.end]
    for (low, kind), (high, _) in zip(marks, [*marks[1:], (section.end, "")], strict=True):
        if kind == "t":
            yield low, high


def _short_jumps(section: Section, low: int, high: int) -> Iterator[tuple[int, int]]:
    half = np.frombuffer(section.data[low - section.address :][: (high - low) & ~1], "<u2").tolist()
    index = 0
    while index < len(half):
        pc, first = low + 2 * index, half[index]
        wide = first >> 11 >= 0b11101
        second = half[index + 1] if wide and index + 1 < len(half) else 0
        index += 2 if wide else 1
        offset = _short_offset(first, second)
        if offset is not None:
            yield low + 2 * index, pc + 4 + offset
        if index < len(half) and not _ends(first, second):
            yield low + 2 * index, low + 2 * index


def _short_offset(first: int, second: int) -> int | None:
    """From pc + 4 to where B, B<c>, CBZ or B<c>.W goes; None: it is another instruction."""
    if first >> 11 == 0b11100:  # B
        return 2 * ((first & 0x7FF ^ 0x400) - 0x400)
    if first >> 12 == 0b1101 and first >> 8 & 0xF < 0xE:  # B<c>
        return 2 * ((first & 0xFF ^ 0x80) - 0x80)
    if first & 0xF500 == 0xB100:  # CBZ, CBNZ
        return (first >> 9 & 1) << 6 | (first >> 3 & 0x1F) << 1
    if first >> 11 == 0b11110 and second & 0xD000 == 0x8000 and first >> 7 & 7 != 7:  # B<c>.W
        high = (first >> 10 & 1) << 20 | (second >> 11 & 1) << 19 | (second >> 13 & 1) << 18
        value = high | (first & 0x3F) << 12 | (second & 0x7FF) << 1
        return (value ^ 1 << 20) - (1 << 20)
    return None


def _ends(first: int, second: int) -> bool:
    """Whether nothing goes on behind a Thumb instruction; a call may be one that never returns."""
    return (
        first >> 11 == 0b11100  # B
        or first & 0xFF00 in (0x4700, 0xBD00, 0xDE00)  # BX and BLX, POP with pc, UDF
        or first & 0xFF87 == 0x4687  # MOV pc
        or first == 0xBF00  # NOP that fills up
        or (first >> 11 == 0b11110 and (second >> 14 == 3 or second & 0xD000 == 0x9000))  # BL, B.W
        or (first & 0xFE50 == 0xE810 and second >> 15 == 1)  # LDM with pc
        or (first & 0xFF70 == 0xF850 and second >> 12 == 15)  # LDR pc
        or (first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000)  # TBB, TBH
    )


def indirect_calls(elf: Elf) -> tuple[int, ...]:
    """Address after each call through a register."""
    code = [section for section in elf.sections if section.executable and section.loaded]
    found = ((section, at) for section in code for at in _indirect_calls(elf, section))
    return tuple(at for section, at in found if elf.machine != "arm" or not _is_within(elf, section, at - 2))


def _is_within(elf: Elf, section: Section, at: int) -> bool:
    """Whether the address is in the middle of a Thumb instruction, whose second half may be any bits, or in data.

    Instructions are walked from where the code begins.
    """
    before = [mark for mark in elf.marks if section.address <= mark[0] <= at]
    if not before or before[-1][1] == "a":
        return False
    address, kind = before[-1]
    if kind == "d":
        return True
    while address < at:
        offset = address - section.address
        half = int.from_bytes(section.data[offset : offset + 2], "little")
        address += 4 if half >= 0xE800 else 2
    return address != at


def _branches(elf: Elf, section: Section) -> tuple[_Branches, ...]:
    if elf.machine == "riscv":
        return (_branches_riscv(elf, section),)
    if elf.machine != "arm":
        return (_where(elf, "x", _branches_a64(section)),)
    return _where(elf, "t", _branches_thumb(section)), _where(elf, "a", _branches_a32(section))


def _where(elf: Elf, mark: str, branches: _Branches) -> _Branches:
    """Those that end in code of one instruction set: Thumb code, read as A32, has calls that are none."""
    after, to, link = branches
    if not elf.marks:
        return branches
    places = np.array([address for address, _ in elf.marks])
    is_mark = np.array([False, *(kind == mark for _, kind in elf.marks)])
    hit = is_mark[np.searchsorted(places, after - 1, side="right")]
    return after[hit], to[hit], link[hit]


def _words(section: Section, dtype: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    size = np.dtype(dtype).itemsize
    words = np.frombuffer(section.data[: len(section.data) // size * size], dtype).astype(np.int64)
    return words, section.address + size * np.arange(len(words), dtype=np.int64)


def _signed(value: np.ndarray[Any, Any], bits: int) -> np.ndarray[Any, Any]:
    return (value ^ (1 << (bits - 1))) - (1 << (bits - 1))


def _branches_a64(section: Section) -> _Branches:
    word, pc = _words(section, "<u4")
    hit = (word >> 26) & 0b011111 == 0b000101  # BL has the top bit, B has not
    return (pc + 4)[hit], (pc + 4 * _signed(word & 0x3FFFFFF, 26))[hit], (word >> 31 == 1)[hit]


def _branches_a32(section: Section) -> _Branches:
    word, pc = _words(section, "<u4")
    offset = 4 * _signed(word & 0xFFFFFF, 24)
    branch, blx = ((word >> 25) & 7 == 0b101) & (word >> 28 != 0xF), word >> 25 == 0b1111101
    link, hit = blx | ((word >> 24) & 1 == 1), branch | blx
    return (pc + 4)[hit], (pc + 8 + offset + 2 * ((word >> 24) & 1) * blx)[hit], link[hit]


def _branches_thumb(section: Section) -> _Branches:
    """BL, BLX and B.W, each of 32 bits: the short branches of compiled code stay within a function."""
    word, pc = _words(section, "<u2")
    first, second, pc = word[:-1], word[1:], pc[:-1]
    sign = (first >> 10) & 1
    i1, i2 = 1 ^ ((second >> 13) & 1) ^ sign, 1 ^ ((second >> 11) & 1) ^ sign
    value = (sign << 24) | (i1 << 23) | (i2 << 22) | ((first & 0x3FF) << 12) | ((second & 0x7FF) << 1)
    offset = _signed(value, 25)
    prefix, link = first >> 11 == 0b11110, second >> 14 == 3
    to_arm = link & ((second >> 12) & 1 == 0)
    hit = prefix & (link | ((second >> 14 == 2) & ((second >> 12) & 1 == 1)))
    return (pc + 4)[hit], (np.where(to_arm, (pc + 4) & ~3, pc + 4) + offset)[hit], link[hit]


def _riscv(elf: Elf) -> Iterator[riscv.Branch]:
    """All branches of functions: what else lies in their sections may be anything."""
    starts = dict.fromkeys((s.address, s.address + s.size_bytes) for s in elf.symbols if s.kind == "func")
    for low, high in starts:
        yield from riscv.branches(elf.code(low, high), low)


def _branches_riscv(elf: Elf, section: Section) -> _Branches:
    found = [
        (b.after, b.target, b.link)
        for b in _riscv(elf)
        if b.target is not None and not b.conditional and section.address < b.after <= section.end
    ]
    columns = zip(*found, strict=True) if found else ((), (), ())
    after, to, link = (list(column) for column in columns)
    return np.array(after, np.int64), np.array(to, np.int64), np.array(link, bool)


def _indirect_calls(elf: Elf, section: Section) -> list[int]:
    if elf.machine == "riscv":
        return [
            b.after for b in _riscv(elf) if b.target is None and b.link and section.address < b.after <= section.end
        ]
    word, pc = _words(section, "<u4")
    if elf.machine != "arm":
        return [int(at) + 4 for at in pc[word & 0xFFFFFC1F == 0xD63F0000]]  # BLR
    half, half_pc = _words(section, "<u2")
    thumb = half_pc[half & 0xFF87 == 0x4780] + 2  # BLX Rm
    return [int(at) for at in (*thumb, *(pc[word & 0x0FFFFFF0 == 0x012FFF30] + 4))]
