"""Turns bytes of machine code into what a timing table asks of an instruction: its kind, and its registers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

from ...firmware.thumb import instruction_starts

Kind = Literal[
    "alu", "it", "mul", "mla", "mull", "mlal", "dsp", "div", "load", "store", "loads", "stores", "branch", "call",
    "table_branch", "float", "float_div", "float_mla", "vector", "vector_load", "vector_store", "system",
]  # fmt: skip

_MEMORY = 3  # capstone's type of an operand in memory, of both instruction sets


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, as far as published timing tables tell instructions apart."""

    kind: Kind
    size_bytes: int
    registers: int  # that a load or store of several moves; else 1
    reads: frozenset[str]
    writes: frozenset[str]
    address: frozenset[str]  # registers that make up an address; a subset of reads
    to_pc: bool = False  # a load that jumps


# By how the mnemonic begins, first match; what is not here is one step of the arithmetic unit.
_THUMB: tuple[tuple[str, Kind], ...] = (
    (r"it[te]{0,3}$", "it"),
    (r"ldrd|ldm|pop|vldm|vpop", "loads"),
    (r"strd|stm|push|vstm|vpush", "stores"),
    (r"ldr|vldr", "load"),
    (r"str|vstr", "store"),
    (r"tb[bh]$", "table_branch"),
    (r"blx?(\.w)?$", "call"),
    (r"(bx|cbn?z|b(eq|ne|[cmv][cs]|hs|l[ost]|mi|pl|hi|g[et]|le)?)(\.[nw])?$", "branch"),
    (r"[su]div", "div"),
    (r"[su]mull", "mull"),
    (r"[su]mlal(\.|$)|umaal", "mlal"),
    (r"ml[as]", "mla"),
    (r"mul", "mul"),
    (r"sm[lmu]|usad", "dsp"),
    (r"vdiv|vsqrt", "float_div"),
    (r"vf?n?ml?[as]\.|vfn?m[as]", "float_mla"),
    (r"v", "float"),
    (r"msr|mrs|dsb|dmb|isb|cps|svc|bkpt", "system"),
)
_A64: tuple[tuple[str, Kind], ...] = (
    (r"ldn?p|ld[1-4]", "loads"),
    (r"stn?p|st[1-4]", "stores"),
    (r"ld", "load"),
    (r"st", "store"),
    (r"blr?$", "call"),
    (r"(br?|b\..*|ret|cbn?z|tbn?z)$", "branch"),
    (r"[su]div", "div"),
    (r"m(add|sub|ul|neg)|[su]m(add|sub|ul|neg)", "mul"),
    (r"fdiv|fsqrt", "float_div"),
    (r"f", "float"),
    (r"mrs|msr|dsb|dmb|isb|svc", "system"),
)
_VECTOR: dict[Kind, Kind] = {
    "load": "vector_load",
    "loads": "vector_load",
    "store": "vector_store",
    "stores": "vector_store",
}
_NONE: frozenset[str] = frozenset()


def instructions(code: bytes, machine: str) -> list[Instruction]:
    """The instructions of `code`, which starts at one.

    Args:
        machine: "arm" for Thumb code, "aarch64" for A64.
    """
    starts = range(0, len(code), 4) if machine == "aarch64" else instruction_starts(code)
    return [decode(code[low:high], machine) for low, high in pairwise([*starts, len(code)])]


@lru_cache(maxsize=65536)
def decode(word: bytes, machine: str) -> Instruction:
    """One instruction from its bytes."""
    if machine == "arm" and (newer := _armv8m(word)) is not None:
        return Instruction(newer, len(word), 1, _NONE, _NONE, _NONE)
    found = next(_disassembler(machine).disasm(word, 0), None)
    if found is None:
        return Instruction("alu", len(word), 1, _NONE, _NONE, _NONE)
    reads, writes = (frozenset(map(found.reg_name, registers)) for registers in found.regs_access())
    table = _THUMB if machine == "arm" else _A64
    kind: Kind = next((kind for pattern, kind in table if re.match(pattern, found.mnemonic)), "alu")
    if machine == "aarch64" and re.search(r"\b[vqd]\d", found.op_str):
        kind = _VECTOR.get(kind, "vector")
    address, count = _NONE, 1
    if kind in ("load", "store", "loads", "stores", "vector_load", "vector_store"):
        memory = [o.mem for o in found.operands if o.type == _MEMORY]
        address = frozenset(found.reg_name(r) for m in memory for r in (m.base, m.index) if r)
        if not memory:  # LDM and STM name their address first, PUSH and POP do not name it
            address = frozenset({"sp" if re.match("v?p", found.mnemonic) else found.reg_name(found.operands[0].reg)})
        moved = (writes if kind == "loads" else reads) - address
        count = sum(2 if register[0] == "d" else 1 for register in moved) if kind in ("loads", "stores") else 1
    jumps = "pc" in writes and kind in ("load", "loads")
    return Instruction(kind, len(word), max(count, 1), reads, writes, address, jumps)


def _armv8m(word: bytes) -> Kind | None:
    """Helium and the loops of ARMv8.1-M by their encoding (Armv8-M ARM, C2.4), which the disassembler does not know."""
    if len(word) != 4:
        return None
    first, second = int.from_bytes(word[:2], "little"), int.from_bytes(word[2:], "little")
    if first >> 4 in (0xF00, 0xF01, 0xF02, 0xF03, 0xF04) and second & 0xF001 in (0xC001, 0xE001):
        return "branch"  # WLS, DLS, LE, and their forms for a last incomplete vector
    if first >> 9 == 0b1110110 and second >> 8 & 0b11110 == 0b11110:  # VLDR, VSTR of 128 bits, contiguous
        return "vector_load" if first & 0x10 else "vector_store"
    if first >> 8 in (0xFC, 0xFD) and second >> 8 & 0b11110 == 0b11110:  # VLD2, VLD4, VST2, VST4
        return "vector_load" if first & 0x10 else "vector_store"
    if first & 0xEF80 == 0xEC80 and second >> 8 & 0b11110 == 0b01110:  # gathers and scatters by offsets
        return "vector_load" if first & 0x10 else "vector_store"
    if first >> 8 in (0xEE, 0xEF, 0xFE, 0xFF) and second >> 8 & 0b1110 in (0b1110, 0b1000, 0b0000):
        return "vector"
    return None


@lru_cache
def _disassembler(machine: str) -> Any:
    import capstone  # an extra, as the emulators are

    new: Any = capstone.Cs
    if machine == "aarch64":
        md = new(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
    else:
        md = new(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    md.detail = True
    return md
