"""Where `edgekc build` puts a board's firmware below a compiled folder, and how it is known as ours later."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..boards.board import Board
from ..errors import UsageError
from ..files.output import BUILD, FIRMWARE_FILE, build_folder
from ..files.place import save
from ..names import visible
from .build import Image, Optimise, build_image, build_library
from .flat import flat_image
from .updates import SLOTS_FILE, Updates

_IMAGE = "image.bin"


def firmware_folder(
    folder: Path, board: Board, out: Path | None, *, link: str = "", optimise: Optimise = "speed",
    updates: bool = False,
) -> Path:  # fmt: skip
    """DIR/build/BOARD, with the console's line, updates and optimisation where it has these; or what the user named.

    Each kind of program has a folder of its own, so that none is taken for another.
    """
    if out is not None:
        return out
    kinds = (link, "updates" * updates, "size" * (optimise == "size"))
    return folder / BUILD / "-".join((board.name, *filter(None, kinds)))


def build_all(
    folder: Path, board: Board, out: Path | None, *, optimise: Optimise = "speed", force: bool = False
) -> dict[str, int]:
    """What `edgekc build` makes for the board: a program, library objects or both; names and sizes in bytes.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_firmware and build_library.
    """
    target = firmware_folder(folder, board, out, optimise=optimise)
    made: list[Path] = []
    with build_folder(target, _listing(board, optimise), force=force) as new:
        if board.library:
            made += build_library(folder, board, new, optimise=optimise)
        if board.core.system != "library":
            image = _build(folder, board, new, optimise=optimise)
            made += [image.elf, image.map, new / _IMAGE]
        return {path.name: path.stat().st_size for path in made if path.is_file()}


def build_firmware(
    folder: Path,
    board: Board,
    out: Path | None = None,
    *,
    trace: bool = False,
    link: str = "",
    optimise: Optimise = "speed",
    updates: Updates | None = None,
    force: bool = False,
) -> Image:
    """Builds the board's program from what `edgekc compile` wrote, and lists its files in firmware.json.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_image, flat_image and build_folder.
    """
    target = firmware_folder(folder, board, out, link=link, optimise=optimise, updates=updates is not None)
    listing: dict[str, Any] = _listing(board, optimise)
    if updates is not None:
        listing |= {
            "link": link, "keys": [key.hex() for key in updates.keys], "network": updates.network.hex(),
            "monocypher": updates.monocypher is not None,
        }  # fmt: skip
    with build_folder(target, listing, force=force) as new:
        image = _build(folder, board, new, trace=trace, link=link, optimise=optimise, updates=updates)
        if updates is not None and (target / SLOTS_FILE).is_file():
            shutil.copyfile(target / SLOTS_FILE, new / SLOTS_FILE)  # an emulated board's flash outlives its program
    target = target.resolve()
    return replace(
        image,
        elf=target / image.elf.name,
        map=target / image.map.name,
        stack_usage=tuple(target / path.relative_to(new) for path in image.stack_usage),
    )


def open_updatable(place: Path, board: Board) -> tuple[Image, str]:
    """A program that takes updates, as build_firmware has built it, and its line. The network's sizes are 0.

    Raises:
        UsageError: there is none, or it is another board's.
    """
    fix = "build it with `edgekc build DIR --updates KEY.pub`"
    try:
        listing = json.loads((place / FIRMWARE_FILE).read_text(encoding="utf-8"))
        link, named, optimise = str(listing["link"]), visible(str(listing["board"])), listing["optimise"]
        elf = next(place / name for name in listing["files"] if name.endswith(".elf")).resolve()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration, RecursionError):
        raise UsageError("holds no program that takes updates", where=str(place), fix=fix) from None
    if named != board.name:
        raise UsageError(f"its program is for {named}, not {board.name}", where=str(place), fix=fix)
    return Image(elf.stem, elf, elf.with_suffix(".map"), board, "", optimise, False, 0, 0, ()), link


def _build(
    folder: Path,
    board: Board,
    new: Path,
    *,
    trace: bool = False,
    link: str = "",
    optimise: Optimise = "speed",
    updates: Updates | None = None,
) -> Image:
    """The program in a new folder."""
    image = build_image(folder, board, new, trace=trace, link=link, optimise=optimise, updates=updates)
    if board.core.system == "bare":
        _, data = flat_image(image.elf, board)
        save(new / _IMAGE, data)
    return image


def _listing(board: Board, optimise: Optimise) -> dict[str, str]:
    return {"tool": f"edgekc {__version__}", "board": board.name, "optimise": optimise}
