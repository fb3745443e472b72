"""Turns a linker's map file (GNU ld or lld) into the input sections that it placed, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolError


@dataclass(frozen=True, slots=True)
class Piece:
    """One input section of one object file, as it lies in memory."""

    output_section: str
    section: str
    address: int
    size_bytes: int
    object: str  # path of the object file; LIB.a(MEMBER.o) for a member of a library

    @property
    def end(self) -> int:
        return self.address + self.size_bytes


# GNU ld:  .text.ek_copy  0x00000738        0xc obj/ek_copy.o
# with the name on a line of its own when it is long; no space before the name of an output section.
_GNU_OUTPUT = re.compile(r"^([._a-zA-Z]\S*)")
_GNU_NAME = re.compile(r"^ (\S+)$")
_GNU_PIECE = re.compile(r"^ (\S*)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S.*)$")
# lld:     VMA      LMA     Size Align Out     In      Symbol
#           40       40      3c0     4         obj/harness.o:(.text.main)
_LLD_OUTPUT = re.compile(r"^\s*[0-9a-f]+\s+[0-9a-f]+\s+[0-9a-f]+\s+\d+ ([._a-zA-Z]\S*)$")
_LLD_PIECE = re.compile(r"^\s*([0-9a-f]+)\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ {9}(\S.*):\((.+)\)$")


def read_map(path: Path) -> tuple[Piece, ...]:
    """All placed input sections that are not empty, debug sections included.

    Raises:
        ToolError: the file is neither linker's map.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if "Linker script and memory map" in text:
        return tuple(_gnu(text.partition("Linker script and memory map")[2]))
    if re.match(r"\s*VMA\s+LMA\s+Size", text):
        return tuple(_lld(text))
    raise ToolError("neither GNU ld's nor lld's map file", where=str(path))


def _gnu(text: str) -> Iterator[Piece]:
    output = name = ""
    for line in text.splitlines():
        if match := _GNU_OUTPUT.match(line):
            output = match[1]
        elif match := _GNU_NAME.match(line):
            name = match[1]
        elif match := _GNU_PIECE.match(line):
            size = int(match[3], 16)
            # A line without a name continues the one before; *fill* has no object and does not match.
            if size > 0 and not match[4].startswith("("):
                yield Piece(output, match[1] or name, int(match[2], 16), size, match[4])
            name = ""


def _lld(text: str) -> Iterator[Piece]:
    output = ""
    for line in text.splitlines():
        if match := _LLD_OUTPUT.match(line):
            output = match[1]
        elif (match := _LLD_PIECE.match(line)) and int(match[2], 16) > 0:
            yield Piece(output, match[4], int(match[1], 16), int(match[2], 16), match[3])
