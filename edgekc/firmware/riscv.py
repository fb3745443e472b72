"""Turns 32-bit RISC-V code into its branches and calls, and into what it takes of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_RA, _SP = 1, 2
_LINKS = (1, 5)  # registers that a call leaves its return address in


@dataclass(frozen=True, slots=True)
class Branch:
    """One instruction that may go elsewhere."""

    after: int  # the address behind it
    target: int | None  # None: what a register says
    link: bool  # a call
    conditional: bool


def _signed(value: int, bits: int) -> int:
    return (value ^ 1 << bits - 1) - (1 << bits - 1)


def _gathered(half: int, *bits: tuple[int, int]) -> int:
    """The immediate of a compressed instruction, from where each bit stands to where it belongs."""
    return sum((half >> source & 1) << place for source, place in bits)


def _instructions(code: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Address, word and size of each; a half word is a compressed one."""
    at = 0
    while at + 2 <= len(code):
        size = 4 if code[at] & 3 == 3 else 2
        yield start + at, int.from_bytes(code[at : at + size], "little"), size
        at += size


def _kind(half: int) -> tuple[int, int]:
    """What a compressed instruction is told apart by: its highest three bits and its lowest two."""
    return half >> 13, half & 3


def branches(code: bytes, start: int) -> Iterator[Branch]:
    """Those of the code, which begins with an instruction at `start`; returns are none."""
    upper: dict[int, int] = {}  # what AUIPC, as the last instruction, left in its register
    for pc, word, size in _instructions(code, start):
        found = _branch(pc, word, size, upper)
        upper = {}
        if found is not None:
            yield found
        elif size == 4 and word & 0x7F == 0x17:  # AUIPC
            upper[word >> 7 & 31] = pc + (word & 0xFFFFF000)


def _branch(pc: int, word: int, size: int, upper: dict[int, int]) -> Branch | None:
    after = pc + size
    if size == 2:
        return _compressed(pc, word)
    opcode, rd, rs1 = word & 0x7F, word >> 7 & 31, word >> 15 & 31
    if opcode == 0x6F:  # JAL
        offset = word >> 31 << 20 | (word >> 12 & 0xFF) << 12 | (word >> 20 & 1) << 11 | (word >> 21 & 0x3FF) << 1
        return Branch(after, pc + _signed(offset, 21), rd in _LINKS, False)
    if opcode == 0x67:  # JALR
        if rs1 in upper:
            return Branch(after, (upper[rs1] + _signed(word >> 20, 12)) & 0xFFFFFFFF, rd in _LINKS, False)
        return Branch(after, None, rd in _LINKS, False) if rd in _LINKS or rs1 != _RA else None
    if opcode == 0x63:  # BEQ and others
        offset = word >> 31 << 12 | (word >> 7 & 1) << 11 | (word >> 25 & 0x3F) << 5 | (word >> 8 & 0xF) << 1
        return Branch(after, pc + _signed(offset, 13), False, True)
    return None


def _compressed(pc: int, half: int) -> Branch | None:
    after, kind = pc + 2, _kind(half)
    if kind in ((1, 1), (5, 1)):  # C.JAL, C.J
        offset = _gathered(
            half, (12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5)
        )
        return Branch(after, pc + _signed(offset, 12), kind == (1, 1), False)
    if kind in ((6, 1), (7, 1)):  # C.BEQZ, C.BNEZ
        offset = _gathered(half, (12, 8), (11, 4), (10, 3), (6, 7), (5, 6), (4, 2), (3, 1), (2, 5))
        return Branch(after, pc + _signed(offset, 9), False, True)
    register = half >> 7 & 31
    if kind == (4, 2) and half >> 2 & 31 == 0 and register:  # C.JR, C.JALR
        link = bool(half >> 12 & 1)
        return Branch(after, None, link, False) if link or register != _RA else None
    return None


def store_offset(code: bytes) -> int | None:
    """How far above SP the first instruction of the code stores a register; None: it stores none there."""
    word = int.from_bytes(code[:4], "little")
    if word & 0xFFFFF == word & 0xF80 | 0x2023 | _SP << 15:  # SW
        return _signed(word >> 25 << 5 | word >> 7 & 31, 12)
    if _kind(word & 0xFFFF) == (6, 2):  # C.SWSP
        return (word >> 9 & 15) << 2 | (word >> 7 & 3) << 6
    return None


def moved(code: bytes) -> int:
    """Bytes by which the code lowers the stack pointer, each instruction taken once."""
    total = 0
    held: dict[int, int] = {}  # what LUI and ADDI left in registers, for frames that no immediate says
    for _, word, size in _instructions(code, 0):
        step = _step(word, size)
        if step is not None:
            total += max(-step, 0)
        elif size == 4 and word & 0x7F == 0x37:  # LUI
            held[word >> 7 & 31] = _signed(word & 0xFFFFF000, 32)
        elif size == 4 and word & 0x707F == 0x13 and word >> 15 & 31 in held:  # ADDI
            held[word >> 7 & 31] = held[word >> 15 & 31] + _signed(word >> 20, 12)
        elif size == 2 and _kind(word) in ((3, 1), (0, 1)):  # C.LUI, C.ADDI
            register, value = word >> 7 & 31, _signed((word >> 12 & 1) << 5 | word >> 2 & 31, 6)
            held[register] = value << 12 if word >> 13 else held.get(register, 0) + value
        elif size == 4 and word & 0xFE0FFFFF == 0x33 | _SP << 7 | _SP << 15:  # ADD sp, sp, register
            total += max(-held.get(word >> 20 & 31, 0), 0)
        elif size == 4 and word & 0xFE0FFFFF == 0x40000033 | _SP << 7 | _SP << 15:  # SUB sp, sp, register
            total += max(held.get(word >> 20 & 31, 0), 0)
        elif size == 2 and word & 0xFF83 == 0x9102:  # C.ADD sp, register
            total += max(-held.get(word >> 2 & 31, 0), 0)
    return total


def _step(word: int, size: int) -> int | None:
    """What ADDI sp, sp, C.ADDI16SP and C.ADDI sp add; None: it is another instruction."""
    if size == 4:
        return _signed(word >> 20, 12) if word & 0xFFFFF == 0x13 | _SP << 7 | _SP << 15 else None
    if word & 0xEF83 == 0x6101:  # C.ADDI16SP
        return _signed(_gathered(word, (12, 9), (6, 4), (5, 6), (4, 8), (3, 7), (2, 5)), 10)
    if word & 0xEF83 == 0x0101:  # C.ADDI sp
        return _signed((word >> 12 & 1) << 5 | word >> 2 & 31, 6)
    return None
