"""Turns a linked ELF with debug information into code ranges per layer, return addresses and frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ..errors import ToolError

_MACHINES = {"EM_ARM": "arm", "EM_AARCH64": "aarch64"}
# Of each branch: the address after it, its target, whether it is a call.
_Branches = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
_SP = {"arm": 13, "aarch64": 31}  # DWARF register numbers


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    address: int  # without the Thumb bit
    size_bytes: int
    kind: str  # "func", "object", "notype"
    section: str


@dataclass(frozen=True, slots=True)
class Section:
    """An allocated section, as it lies in memory when the program runs."""

    name: str
    address: int
    size_bytes: int
    writable: bool
    executable: bool
    loaded: bool  # its bytes are in the file, that is in flash; False: zeroed at start
    data: bytes  # empty if not loaded

    @property
    def end(self) -> int:
        return self.address + self.size_bytes


@dataclass(frozen=True, slots=True)
class CodeRange:
    """Code [low, high) of the network function; slot 0 is outside all layers, slot i + 1 is layer i."""

    low: int
    high: int
    slot: int


@dataclass(frozen=True, slots=True)
class Elf:
    path: Path
    machine: str  # "arm" or "aarch64"
    static: bool  # linked to fixed addresses
    symbols: tuple[Symbol, ...]  # defined ones, by address
    sections: tuple[Section, ...]  # allocated ones, by address
    marks: tuple[tuple[int, str], ...]  # where A32 code ("a"), Thumb code ("t"), A64 code ("x"), data ("d") begin

    def symbol(self, name: str) -> Symbol | None:
        return next((symbol for symbol in self.symbols if symbol.name == name), None)

    def code(self, low: int, high: int) -> bytes:
        """The bytes of [low, high), which lies in one section.

        Raises:
            ToolError: no section has them.
        """
        section = next((s for s in self.sections if s.address <= low and high <= s.address + len(s.data)), None)
        if section is None:
            raise ToolError(f"no section holds the code at 0x{low:08x}", where=str(self.path))
        return section.data[low - section.address : high - section.address]

    def function_at(self, pc: int) -> str:
        """Name of the function that holds pc; '?' if the symbol table has none."""
        return next(
            (s.name for s in self.symbols if s.kind == "func" and s.address <= pc < s.address + s.size_bytes),
            "?",
        )


def read_elf(path: Path) -> Elf:
    """Raises ToolError if it is no Arm ELF file."""
    try:
        with path.open("rb") as file:
            return _read(path, ELFFile(file))
    except ELFError as error:
        raise ToolError(f"not an ELF file: {error}", where=str(path)) from error


def _read(path: Path, elf: ELFFile) -> Elf:
    machine = _MACHINES.get(elf["e_machine"])
    if machine is None:
        raise ToolError(f"expected an Arm ELF file, got {elf['e_machine']}", where=str(path))
    names = [section.name for section in elf.iter_sections()]
    table = elf.get_section_by_name(".symtab")
    symbols, marks = [], []
    for entry in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        index = entry["st_shndx"]
        if not isinstance(index, int) and index != "SHN_ABS":
            continue
        if entry.name[:2] in ("$a", "$t", "$x", "$d"):  # mapping symbols of the Arm ABI
            marks.append((entry["st_value"], entry.name[1]))
        kind = entry["st_info"]["type"].removeprefix("STT_").lower()
        if kind in ("section", "file") or entry.name.startswith("$"):
            continue
        thumb = machine == "arm" and kind == "func"
        address = entry["st_value"] & ~1 if thumb else entry["st_value"]
        where = names[index] if isinstance(index, int) else "*ABS*"
        symbols.append(Symbol(entry.name, address, entry["st_size"], kind, where))
    return Elf(
        path,
        machine,
        elf["e_type"] == "ET_EXEC",
        tuple(sorted(symbols, key=lambda s: (s.address, s.name))),
        tuple(sorted(_sections(elf), key=lambda s: (s.address, s.name))),
        tuple(sorted(marks)),
    )


def _sections(elf: ELFFile) -> Iterator[Section]:
    for section in elf.iter_sections():
        flags = section["sh_flags"]
        if not flags & SH_FLAGS.SHF_ALLOC or section["sh_size"] == 0:
            continue
        loaded = section["sh_type"] != "SHT_NOBITS"
        yield Section(
            section.name,
            section["sh_addr"],
            section["sh_size"],
            bool(flags & SH_FLAGS.SHF_WRITE),
            bool(flags & SH_FLAGS.SHF_EXECINSTR),
            loaded,
            section.data() if loaded else b"",
        )


def slot_finder(ranges: Sequence[CodeRange]) -> Callable[[int], int | None]:
    """A function from an instruction's address to its slot; None: it is of another function."""
    ordered = sorted(ranges, key=lambda r: r.low)
    lows = [r.low for r in ordered]

    def slot_of(pc: int) -> int | None:
        at = bisect_right(lows, pc) - 1
        return ordered[at].slot if at >= 0 and pc < ordered[at].high else None

    return slot_of


def run_ranges(elf: Elf, name: str, layer_lines: Sequence[tuple[int, int]]) -> tuple[CodeRange, ...]:
    """Which layer each piece of NAME_run's code belongs to, from the DWARF line table.

    Code without a line of NAME.c (inlined from a header, or line 0) belongs to what stands before it.

    Args:
        elf: the image, built with -g.
        name: the model's name; its network function is NAME_run in NAME.c.
        layer_lines: first and last line of each layer's statement in NAME.c.

    Returns:
        Ranges in ascending order that cover NAME_run and its split-off parts; empty if there is no NAME_run.
    """
    bodies = [
        (s.address, s.address + s.size_bytes)
        for s in elf.symbols
        # gcc moves cold parts out as NAME_run.cold, NAME_run.part.0; clang as NAME_run.cold.1.
        # NAME_run calls NAME_run_rows where the input comes in rows.
        if s.kind == "func" and s.name.partition(".")[0] in (f"{name}_run", f"{name}_run_rows")
    ]
    slots = {line: index + 1 for index, (first, last) in enumerate(layer_lines) for line in range(first, last + 1)}
    rows = _line_rows(elf.path, f"{name}.c", bodies)
    addresses = [address for address, _ in rows]
    found = []
    for low, high in bodies:
        inside = bisect_right(addresses, low) - 1
        pieces = [(max(address, low), line) for address, line in rows[max(inside, 0) :] if address < high]
        ends = [address for address, _ in pieces[1:]] + [high]
        if not pieces or pieces[0][0] > low:
            pieces, ends = [(low, None), *pieces], [pieces[0][0] if pieces else high, *ends]
        slot = 0
        for (address, line), end in zip(pieces, ends, strict=False):
            slot = slot if line is None else slots.get(line, 0)
            if end > address:
                found.append(CodeRange(address, end, slot))
    return tuple(found)


def _line_rows(path: Path, source: str, bodies: Sequence[tuple[int, int]]) -> list[tuple[int, int | None]]:
    """Address and line, sorted, of the source file's code in `bodies`; line None: inlined from another file."""
    rows: dict[int, int | None] = {}
    with path.open("rb") as file:
        elf = ELFFile(file)
        if not elf.has_dwarf_info():
            return []
        dwarf = elf.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            title = unit.get_top_DIE().attributes.get("DW_AT_name")
            if title is None or _file_name(title.value) != source:
                continue  # a library's line table can be a hundred times the program's
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            files = program.header["file_entry"]
            base = 0 if program.header["version"] >= 5 else 1
            for entry in program.get_entries():
                state = entry.state
                if state is None or not any(low <= state.address < high for low, high in bodies):
                    continue
                if state.end_sequence:
                    continue
                index = state.file - base
                name = _file_name(files[index].name) if 0 <= index < len(files) else ""
                ours = name == source and state.line > 0
                rows[state.address] = state.line if ours else None
    return sorted(rows.items())


def _file_name(path: bytes) -> str:
    return path.decode(errors="replace").replace("\\", "/").rpartition("/")[2]


def return_addresses(elf: Elf, name: str) -> tuple[int, ...]:
    """Where NAME_run may return to.

    That is after each direct call of it (BL, BLX); but the harness calls it by pointer in ek_measured_call,
    and compilers turn a last call into a jump, so that the return skips a level. Hence also: after each
    indirect call in ek_measured_call, and after each call of a function that jumps to one of these.

    Found by decoding all code, each piece by its instruction set. What a literal pool without a mark adds by chance is
    harmless: an address only counts when the program runs through it.
    """
    code = [section for section in elf.sections if section.executable and section.loaded]
    arm = elf.machine == "arm"
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
        found.update(at for section in code for at in _indirect_calls(section, arm=arm) if low < at < high)
    return tuple(sorted(found))


def _function_before(elf: Elf, end: int) -> Symbol | None:
    """The function that holds the instruction which ends at this address."""
    return next((s for s in elf.symbols if s.kind == "func" and s.address < end <= s.address + s.size_bytes), None)


def branch_targets(elf: Elf) -> tuple[tuple[int, int], ...]:
    """Address after and target of all branches of the machine's common code; some are literals by chance.

    Thumb code only, on 32-bit Arm.
    """
    found: list[tuple[int, int]] = []
    for section in elf.sections:
        if section.executable and section.loaded:
            after, to, _ = _branches(elf, section)[0]
            found.extend(zip(after.tolist(), to.tolist(), strict=True))
    return tuple(found)


def short_jumps(elf: Elf) -> tuple[tuple[int, int], ...]:
    """Address after and target of the Thumb branches that `branch_targets` leaves out: the short and the conditional.

    And of each instruction that goes on into the next. Compiled code stays within a function by these; assembly, such
    as libgcc's, goes from one function into another.
    """
    found: list[tuple[int, int]] = []
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
    found = ((section, at) for section in code for at in _indirect_calls(section, arm=elf.machine == "arm"))
    return tuple(at for section, at in found if elf.machine != "arm" or not _is_within(elf, section, at - 2))


def _is_within(elf: Elf, section: Section, at: int) -> bool:
    """Whether the address is in the middle of a Thumb instruction, whose second half may be any bits, or in data.

    Instructions are walked from where the code begins.
    """
    before = [mark for mark in elf.marks if section.address <= mark[0] <= at]
    if not before or before[-1][1] == "a":
        return False
    address, kind = before[-1]
    while address < at:
        half = int.from_bytes(section.data[address - section.address :][:2], "little")
        address += 4 if half >= 0xE800 else 2
    return kind == "d" or address != at


def _branches(elf: Elf, section: Section) -> tuple[_Branches, ...]:
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


def _indirect_calls(section: Section, *, arm: bool) -> list[int]:
    word, pc = _words(section, "<u4")
    if not arm:
        return [int(at) + 4 for at in pc[word & 0xFFFFFC1F == 0xD63F0000]]  # BLR
    half, half_pc = _words(section, "<u2")
    thumb = half_pc[half & 0xFF87 == 0x4780] + 2  # BLX Rm
    return [int(at) for at in (*thumb, *(pc[word & 0x0FFFFFF0 == 0x012FFF30] + 4))]


def entry_sp(elf: Elf, pc: int, lowest: int) -> int | None:
    """SP at entry of the function at pc, when its instruction at pc stored to the stack from `lowest` up.

    The frame description (DWARF call frame information) says how far below the frame's top those bytes lie.
    None if the function has no such description.
    """
    with elf.path.open("rb") as file:
        dwarf = ELFFile(file).get_dwarf_info()
        entries = list(dwarf.CFI_entries()) if dwarf.has_CFI() else []
        entries += list(dwarf.EH_CFI_entries()) if dwarf.has_EH_CFI() else []
        for entry in entries:
            if not isinstance(entry, FDE):
                continue
            low = entry.header["initial_location"]
            if low <= pc < low + entry.header["address_range"]:
                return _entry_sp(entry.get_decoded().table, _SP[elf.machine], pc, lowest)
    return None


def _entry_sp(rows: Sequence[Mapping[Any, Any]], sp: int, pc: int, lowest: int) -> int | None:
    before = next((row for row in reversed(rows) if row["pc"] <= pc), None)
    after = next((row for row in rows if row["pc"] > pc), None)
    if before is None or after is None:
        return None
    if after["cfa"].reg == sp and after["cfa"].offset != before["cfa"].offset:
        return int(lowest + after["cfa"].offset)  # a push: SP is now at the lowest byte stored
    saved = [after[reg].arg for reg in after if isinstance(reg, int) and reg not in before]
    return int(lowest - min(saved)) if saved else None
