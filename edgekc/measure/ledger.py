"""Turns a linked image and its map file into a ledger: each loaded byte of flash, and each of RAM, has one owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from ..errors import ToolError
from ..firmware.branches import branch_targets
from ..firmware.build import Image
from ..firmware.elf import Elf, Section, read_elf
from ..firmware.mapfile import Piece, read_map

# What the bytes are, in the order of the report. Before these come the kinds of .ekc sections, as
# the manifest names them: weights, bias, requant, ...
FORMAT = "format"  # header, section table and padding of the .ekc file
TABLES = "layer tables"  # the parameter structs of the network function
LAID_OUT = "laid out"  # weights once more, in the order in which vector kernels read them
NETWORK = "network function"
KERNELS = "kernels"
HELPERS = "helpers"  # what model code calls of the compiler's and the C library: memcpy, 64-bit division
STATIC = "static data"  # of the model; there should be none
HARNESS = "harness"  # startup, file access, measuring, and the library code that only it calls
PADDING = "padding"  # between input sections

_COMPILER_LIBRARIES = ("libgcc.a(", "compiler_rt", "clang_rt")
_BARE_LIBRARIES = (".a(", "ekh_libc.o")  # that last one is ours, for compilers without a C library


@dataclass(frozen=True, slots=True)
class Entry:
    """Bytes of one kind from one object file."""

    kind: str
    owner: str  # object file, or the .ekc file
    size_bytes: int
    of_model: bool  # a product that links the model pays for it; False: only the measuring harness needs it


@dataclass(frozen=True, slots=True)
class Ledger:
    flash: tuple[Entry, ...]  # sums to flash_bytes exactly
    flash_bytes: int  # of all sections that the ELF loads, initial values of .data included
    model_static_ram: tuple[Entry, ...]  # .data and .bss of the model's own objects: should be empty
    harness_ram_bytes: int  # the rest of RAM but arena, state and stack: input, output, guards, variables

    @property
    def model_flash_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.flash if entry.of_model)


def read_ledger(image: Image, arena_bytes: int, ekc_sections: Sequence[Mapping[str, Any]]) -> Ledger:
    """Args:
        image: as build_image made it: the model's objects lie in obj/ beside the ELF, the harness's
            among them start with ekh_.
        arena_bytes: of the model.
        ekc_sections: what `embedded_sections` gives.

    Raises:
        ToolError: the map does not fit the ELF.
    """
    elf, pieces = read_elf(image.elf), read_map(image.map)
    model, helpers = _of_model(image, elf, pieces)
    flash: Counter[tuple[str, str, bool]] = Counter()
    for section in elf.sections:
        if not section.loaded:
            continue
        covered = 0
        for piece, size in _placed(section, pieces):
            covered += size
            for kind, bytes_, of_model in _kinds(image.name, elf, section, piece, size, model, helpers, ekc_sections):
                flash[kind, _owner(piece.object), of_model] += bytes_
        flash[PADDING, "linker", False] += section.size_bytes - covered
    flash_bytes = sum(section.size_bytes for section in elf.sections if section.loaded)
    entries = tuple(Entry(kind, owner, n, mine) for (kind, owner, mine), n in sorted(flash.items()) if n > 0)
    if sum(entry.size_bytes for entry in entries) != flash_bytes:
        raise ToolError(
            f"the map accounts for {sum(entry.size_bytes for entry in entries)} bytes of flash, "
            f"and the ELF loads {flash_bytes}",
            where=str(image.map),
        )
    static: Counter[str] = Counter()
    ram = 0
    for section in elf.sections:
        # What linker scripts of edgekc set aside for the stack is not use; the stack is measured.
        if not section.writable or section.name == ".ekc_stack":
            continue
        ram += section.size_bytes
        for piece, size in _placed(section, pieces):
            if piece.object in model and not _is_relocated_constant(section):
                static[_owner(piece.object)] += size
    return Ledger(
        entries,
        flash_bytes,
        tuple(Entry(STATIC, owner, size, True) for owner, size in sorted(static.items())),
        ram - sum(static.values()) - arena_bytes - image.state_bytes,
    )


def model_pieces(image: Image) -> tuple[Piece, ...]:
    """The loaded pieces of the model's own objects, and those of libraries that they call, as they lie in flash.

    Raises:
        ToolError: the map does not fit the ELF.
    """
    elf, pieces = read_elf(image.elf), read_map(image.map)
    model, helpers = _of_model(image, elf, pieces)
    placed = [(p, size) for section in elf.sections if section.loaded for p, size in _placed(section, pieces)]
    return tuple(replace(p, size_bytes=size) for p, size in placed if p.object in model or p in helpers)


def _of_model(image: Image, elf: Elf, pieces: Sequence[Piece]) -> tuple[set[str], frozenset[Piece]]:
    """The model's objects, and the library pieces that they call."""
    model = {p.object for p in pieces if _is_model(Path(p.object))}
    bare = image.board.core.system == "bare"
    return model, _helpers(elf, pieces, model, _BARE_LIBRARIES if bare else _COMPILER_LIBRARIES)


def embedded_sections(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Kind, offset and bytes of each section of the packed model that the image embeds: all, or what --strip left."""
    found: Sequence[Mapping[str, Any]] = manifest.get("embedded", manifest["sections"])
    return found


def _is_model(path: Path) -> bool:
    """Whether an object is of the model's code, by its path below the folder of the build, as the map has it."""
    return path.parent == Path("obj") and not path.name.startswith("ekh_")


def _is_relocated_constant(section: Section) -> bool:
    """Constants whose pointers a dynamic loader fills in; not variables."""
    return section.name.startswith(".data.rel.ro")


def _owner(path: str) -> str:
    """libc.a(memcpy.o) of /usr/lib/libc.a(memcpy.o), so that the ledger is the same on every machine."""
    library, bracket, member = path.partition("(")
    return library.rpartition("/")[2] + (f"({member.rpartition('/')[2]}" if bracket else "")


def _placed(section: Section, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, int]]:
    """The pieces of an output section, and the bytes of each that no later one covers."""
    inside = sorted(
        (p for p in pieces if p.output_section == section.name and section.address <= p.address < section.end),
        key=lambda p: p.address,
    )
    for index, piece in enumerate(inside):
        end = inside[index + 1].address if index + 1 < len(inside) else section.end
        # Merged strings are listed with the size that they had before.
        yield piece, min(piece.end, end) - piece.address


def _kinds(
    name: str,
    elf: Elf,
    section: Section,
    piece: Piece,
    size: int,
    model: set[str],
    helpers: frozenset[Piece],
    ekc_sections: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, int, bool]]:
    """Kind, bytes and whose they are, of each part of the piece."""
    if piece in helpers:
        yield HELPERS, size, True
        return
    if piece.object not in model or piece.section.startswith((".eh_frame", ".ARM.ex")):
        # Unwind tables are in the Linux build only, where they are the default.
        yield HARNESS, size, False
        return
    ekc = elf.symbol(f"{name}_ekc")
    if ekc is not None and piece.address <= ekc.address < piece.address + size:
        named = 0
        for part in ekc_sections:
            named += int(part["bytes"])
            yield str(part["kind"]), int(part["bytes"]), True
        if named > ekc.size_bytes:
            raise ToolError(
                f"the manifest's sections have {named} bytes, and {ekc.name} has {ekc.size_bytes}",
                where=str(elf.path),
            )
        yield FORMAT, ekc.size_bytes - named, True
        size -= ekc.size_bytes
    network = Path(piece.object).stem == name
    constant = not section.executable or not piece.section.startswith(".text")
    if section.writable and not _is_relocated_constant(section):
        yield STATIC, size, True
    elif network:
        yield TABLES if constant else NETWORK, size, True
    elif Path(piece.object).stem == f"{name}_data":
        yield LAID_OUT if piece.section.endswith("_laid_out") else FORMAT, size, True
    else:
        yield KERNELS, size, True


def _helpers(elf: Elf, pieces: Sequence[Piece], model: set[str], libraries: Sequence[str]) -> frozenset[Piece]:
    """Library pieces that the model's objects call, and what these call in turn.

    The harness may use them too; they count for the model, which could not do without. On Linux the C
    library is the system's, and no part of the model.
    """
    loaded = [section for section in elf.sections if section.loaded]
    library = [
        p
        for p in pieces
        if p.object not in model
        and any(part in _owner(p.object) for part in libraries)
        and any(s.name == p.output_section and s.address <= p.address < s.end for s in loaded)
    ]
    wanted: set[str] = set().union(*(_undefined(elf.path.parent / path) for path in sorted(model)))
    addresses = {symbol.address for symbol in elf.symbols if symbol.name in wanted}
    found: set[Piece] = set()
    branches = branch_targets(elf)
    while True:
        new = {p for p in library if p not in found and any(p.address <= a < p.end for a in addresses)}
        if not new:
            break
        found |= new
        addresses = {to for after, to in branches if any(p.address < after <= p.end for p in new)}
    # Its constants, where the member is small enough to be one function's.
    members = {p.object for p in found if p.section == ".text"}
    found.update(p for p in library if p.object in members and p.section.startswith(".rodata"))
    return frozenset(found)


def _undefined(path: Path) -> set[str]:
    """Names that an object file expects others to define."""
    try:
        with path.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                return set()
            return {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
    except (OSError, ELFError) as error:
        raise ToolError(f"cannot read the object file: {error}", where=str(path)) from error
