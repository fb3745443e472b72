"""Turns a linked ELF with debug information into symbols, sections, code ranges per layer and frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ..errors import ToolError
from .riscv import store_offset

_MACHINES = {"EM_ARM": "arm", "EM_AARCH64": "aarch64", "EM_RISCV": "riscv"}
_SP = {"arm": 13, "aarch64": 31, "riscv": 2}  # DWARF register numbers


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
    machine: str  # "arm", "aarch64" or "riscv"
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
    """Raises ToolError if it is no ELF file of a machine that edgekc knows."""
    try:
        with path.open("rb") as file:
            return _read(path, ELFFile(file))
    except ELFError as error:
        raise ToolError(f"not an ELF file: {error}", where=str(path)) from error


def _read(path: Path, elf: ELFFile) -> Elf:
    machine = _MACHINES.get(elf["e_machine"])
    if machine is None:
        raise ToolError(f"expected an ELF file for Arm or RISC-V, got {elf['e_machine']}", where=str(path))
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
        # ".L0 ": clang's, where the linker may shorten RISC-V code.
        if kind in ("section", "file") or entry.name.startswith(("$", ".L")):
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
        # NAME_run calls NAME_run_rows where the input comes in rows, NAME_run_parallel where layers have parts.
        if s.kind == "func" and s.name.partition(".")[0] in (f"{name}_run", f"{name}_run_rows", f"{name}_run_parallel")
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
                if elf.machine == "riscv":
                    return _entry_sp_riscv(elf, entry.get_decoded().table, pc, lowest)
                return _entry_sp(entry.get_decoded().table, _SP[elf.machine], pc, lowest)
    return None


def _entry_sp_riscv(elf: Elf, rows: Sequence[Mapping[Any, Any]], pc: int, lowest: int) -> int | None:
    """The frame is made first; the store says how far above SP its bytes lie."""
    row = next((row for row in reversed(rows) if row["pc"] <= pc), None)
    offset = store_offset(elf.code(pc, pc + 4))
    if row is None or offset is None or row["cfa"].reg != _SP[elf.machine]:
        return None
    return int(lowest - offset + row["cfa"].offset)


def _entry_sp(rows: Sequence[Mapping[Any, Any]], sp: int, pc: int, lowest: int) -> int | None:
    before = next((row for row in reversed(rows) if row["pc"] <= pc), None)
    after = next((row for row in rows if row["pc"] > pc), None)
    if before is None or after is None:
        return None
    if after["cfa"].reg == sp and after["cfa"].offset != before["cfa"].offset:
        return int(lowest + after["cfa"].offset)  # a push: SP is now at the lowest byte stored
    saved = [after[reg].arg for reg in after if isinstance(reg, int) and reg not in before]
    return int(lowest - min(saved)) if saved else None
