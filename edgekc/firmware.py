"""Where `edgekc build` puts a board's firmware below a compiled folder, and how it is known as ours later."""

from __future__ import annotations

import json
from pathlib import Path

from edgekc import __version__
from edgekc.board import Board
from edgekc.build import Image, Optimise, build_image, build_library
from edgekc.flashing.image import flat_image
from edgekc.output import BUILD, FIRMWARE_FILE, write_file

_IMAGE = "image.bin"


def firmware_folder(
    folder: Path, board: Board, out: Path | None, *, link: str = "", optimise: Optimise = "speed"
) -> Path:
    """DIR/build/BOARD, with the console's line and the optimisation where it is another; or what the user named.

    Each kind of program has a folder of its own, so that none is taken for another.
    """
    if out is not None:
        return out
    return folder / BUILD / "-".join((board.name, *filter(None, (link, "size" if optimise == "size" else ""))))


def build_all(folder: Path, board: Board, out: Path | None, *, optimise: Optimise = "speed") -> dict[str, int]:
    """What `edgekc build` makes for the board: a program, library objects or both; names and sizes in bytes.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_firmware and build_library.
    """
    target = firmware_folder(folder, board, out, optimise=optimise)
    made: list[Path] = []
    if board.library:
        made += build_library(folder, board, target, optimise=optimise)
    if board.core.system != "library":
        image = build_firmware(folder, board, out, optimise=optimise)
        made += [image.elf, image.map, target / _IMAGE]
    else:
        _list_files(target, board, optimise)
    return {path.name: path.stat().st_size for path in made if path.is_file()}


def build_firmware(
    folder: Path,
    board: Board,
    out: Path | None = None,
    *,
    trace: bool = False,
    link: str = "",
    optimise: Optimise = "speed",
) -> Image:
    """Builds the board's program from what `edgekc compile` wrote, and lists its files in firmware.json.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_image and flat_image.
    """
    target = firmware_folder(folder, board, out, link=link, optimise=optimise)
    image = build_image(folder, board, target, trace=trace, link=link, optimise=optimise)
    if board.core.system == "bare":
        _, data = flat_image(image.elf, board)
        write_file(target / _IMAGE, data)
    _list_files(target, board, optimise)
    return image


def _list_files(target: Path, board: Board, optimise: Optimise) -> None:
    files = sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())
    listing = {
        "tool": f"edgekc {__version__}",
        "board": board.name,
        "optimise": optimise,
        "files": [f for f in files if f != FIRMWARE_FILE],
    }
    write_file(target / FIRMWARE_FILE, (json.dumps(listing, indent=1) + "\n").encode())
