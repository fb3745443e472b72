"""Turns a linked ELF into the flat bytes that lie in flash, from the lowest address on."""

from __future__ import annotations

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from ..boards.board import Board
from ..errors import CapacityError, ToolError

_ERASED = 0xFF


def flat_image(elf: Path, board: Board) -> tuple[int, bytes]:
    """Address and bytes of all that is to be programmed, gaps as erased flash has them.

    Raises:
        CapacityError: it does not lie within the board's flash.
        ToolError: not an ELF, or it loads nothing.
    """
    try:
        with elf.open("rb") as file:
            segments = [
                (int(s["p_paddr"]), s.data())
                for s in ELFFile(file).iter_segments()
                if s["p_type"] == "PT_LOAD" and s["p_filesz"]
            ]
    except (OSError, ELFError) as error:
        raise ToolError(f"cannot read the program: {error}", where=str(elf)) from error
    if not segments:
        raise ToolError("the program loads nothing", where=str(elf))
    base = min(address for address, _ in segments)
    end = max(address + len(data) for address, data in segments)
    flash = board.flash
    if base < flash.origin or end > flash.end:
        over = max(end - flash.end, flash.origin - base)
        raise CapacityError(
            f"the image (0x{base:08x}..0x{end - 1:08x}) lies {over:,} bytes outside of {flash.name} "
            f"(0x{flash.origin:08x}..0x{flash.end - 1:08x})",
            where=f"board {board.name}",
        )
    flat = bytearray([_ERASED]) * (end - base)
    for address, data in segments:
        flat[address - base : address - base + len(data)] = data
    return base, bytes(flat)
