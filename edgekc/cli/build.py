"""`edgekc build`: a compiled folder to a board's firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way


def build(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")],
    board: Annotated[
        str, typer.Option("--board", help="A board's name or file. Default: the board that DIR was compiled for.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder to write. Default: DIR/build/BOARD, or BOARD-size.")
    ] = None,
    optimise: way.OptimiseFor = way.Optimised.speed,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier build that were changed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Build the board's program: the model, startup, linker script and the measuring harness."""
    from ..boards.board import load_board
    from ..files.output import read_manifest
    from ..firmware.folder import build_all, firmware_folder
    from ..terminal import say, say_json

    target = load_board(board or str(read_manifest(folder).get("board", "")))
    sizes = build_all(folder, target, out, optimise=optimise.value, force=force)
    where = firmware_folder(folder, target, out, optimise=optimise.value)
    if as_json:
        say_json({"board": target.name, "optimise": optimise.value, "folder": str(where), "files": sizes})
        return
    say(f"{where}: {', '.join(f'{name} {size:,} bytes' for name, size in sizes.items())}")
