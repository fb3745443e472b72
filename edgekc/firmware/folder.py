"""Where `edgekc build` puts a board's firmware below a compiled folder, and how it is known as ours later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import __version__
from ..boards.board import Board
from ..files.output import BUILD, build_folder
from ..files.place import save
from .build import Image, Optimise, build_image, build_library
from .flat import flat_image

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
    force: bool = False,
) -> Image:
    """Builds the board's program from what `edgekc compile` wrote, and lists its files in firmware.json.

    Raises:
        BoardError, CapacityError, ToolError, UsageError: as build_image, flat_image and build_folder.
    """
    target = firmware_folder(folder, board, out, link=link, optimise=optimise)
    with build_folder(target, _listing(board, optimise), force=force) as new:
        image = _build(folder, board, new, trace=trace, link=link, optimise=optimise)
    target = target.resolve()
    return replace(
        image,
        elf=target / image.elf.name,
        map=target / image.map.name,
        stack_usage=tuple(target / path.relative_to(new) for path in image.stack_usage),
    )


def _build(
    folder: Path,
    board: Board,
    new: Path,
    *,
    trace: bool = False,
    link: str = "",
    optimise: Optimise = "speed",
) -> Image:
    """The program in a new folder."""
    image = build_image(folder, board, new, trace=trace, link=link, optimise=optimise)
    if board.core.system == "bare":
        _, data = flat_image(image.elf, board)
        save(new / _IMAGE, data)
    return image


def _listing(board: Board, optimise: Optimise) -> dict[str, str]:
    return {"tool": f"edgekc {__version__}", "board": board.name, "optimise": optimise}
