"""Turns the RP2040's compiled second-stage loader into the 256 bytes that its boot ROM accepts."""

from __future__ import annotations

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from ..errors import ToolError

SIZE = 256
_SECTION = ".text.ek_boot2"
_POLYNOMIAL = 0x04C11DB7


def checksum(data: bytes) -> int:
    """CRC-32 as RP2040 datasheet section 2.8.1.3.1 has it: from all ones, most significant bit first, not inverted."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


def block(object_file: Path) -> bytes:
    """The code of ek_boot2_rp2040.o, padded, with its checksum in the last four bytes.

    Raises:
        ToolError: not that object file, or the code is too long.
    """
    where = str(object_file)
    try:
        with object_file.open("rb") as file:
            elf = ELFFile(file)
            section = elf.get_section_by_name(_SECTION)
            code = b"" if section is None else section.data()
            moved = elf.get_section_by_name(f".rel{_SECTION}") is not None
    except (OSError, ELFError) as error:
        raise ToolError(f"cannot read the object file: {error}", where=where) from error
    if not 0 < len(code) <= SIZE - 4 or moved:
        raise ToolError(f"the second-stage loader has {len(code)} bytes, or is not position-independent", where=where)
    padded = code.ljust(SIZE - 4, b"\0")
    return padded + checksum(padded).to_bytes(4, "little")
