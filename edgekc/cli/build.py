"""`edgekc build`: a compiled folder to a board's firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc build out",
    "edgekc build out --board nucleo-f446re --optimise size -o firmware",
    "edgekc build out --updates update.pem.pub --link uart",
)


def build(
    folder: way.Folder,
    board: way.OtherBoard = "",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="The folder to write. Default: DIR/build/BOARD, or BOARD-size."
        ),
    ] = None,
    optimise: way.OptimiseFor = way.Optimised.speed,
    updates: way.UpdateKeys = None,
    monocypher: way.Monocypher = None,
    link: way.UpdatesLink = "",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier build that were changed.")
    ] = False,
    as_json: way.AsJson = False,
) -> None:
    """Build the board's program: the model, startup, linker script and the measuring harness.

    With --updates it is the program that serves the console, and takes updates over it.
    """
    from ..api.compiling import open_program
    from ..api.updatable import build_updatable
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    way.check_for_updates(updates, link=link, monocypher=monocypher)
    program = open_program(folder, board=board)
    with bars() as shown:
        shown.progress(f"build the program for {program.board.name}", 0, 0)
        if updates:
            built = build_updatable(
                program, updates, out=out, link=link, optimise=optimise.value, force=force, monocypher=monocypher
            )
        else:
            built = program.build(out, optimise=optimise.value, force=force)
    if as_json:
        say_json(built.to_dict())
    else:
        show(built.parts())
