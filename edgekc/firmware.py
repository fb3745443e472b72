"""Where `edgekc build` puts a board's firmware below a compiled folder, and how it is known as ours later."""

from __future__ import annotations

import json
from pathlib import Path

from edgekc import __version__
from edgekc.board import Board
from edgekc.build import Image, build_image, build_library
from edgekc.flashing.image import flat_image
from edgekc.output import BUILD, FIRMWARE_FILE, write_file

_IMAGE = "image.bin"


def firmware_folder(folder: Path, board: Board, out: Path | None) -> Path:
    """DIR/build/BOARD, or what the user named."""
    return folder / BUILD / board.name if out is None else out


def build_all(folder: Path, board: Board, out: Path | None) -> dict[str, int]:
    """What `edgekc build` makes for the board: a program, library objects or both; names and sizes in bytes.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_firmware and build_library.
    """
    target = firmware_folder(folder, board, out)
    made: list[Path] = []
    if board.library:
        made += build_library(folder, board, target)
    if board.core.system != "library":
        image = build_firmware(folder, board, out)
        made += [image.elf, image.map, target / _IMAGE]
    else:
        _list_files(target, board)
    return {path.name: path.stat().st_size for path in made if path.is_file()}


def build_firmware(
    folder: Path, board: Board, out: Path | None = None, *, trace: bool = False, link: str = ""
) -> Image:
    """Builds the board's program from what `edgekc compile` wrote, and lists its files in firmware.json.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_image and flat_image.
    """
    target = firmware_folder(folder, board, out)
    image = build_image(folder, board, target, trace=trace, link=link)
    if board.core.system == "bare":
        _, data = flat_image(image.elf, board)
        write_file(target / _IMAGE, data)
    _list_files(target, board)
    return image


def _list_files(target: Path, board: Board) -> None:
    files = sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())
    listing = {"tool": f"edgekc {__version__}", "board": board.name, "files": [f for f in files if f != FIRMWARE_FILE]}
    write_file(target / FIRMWARE_FILE, (json.dumps(listing, indent=1) + "\n").encode())
