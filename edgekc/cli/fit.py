"""`edgekc fit`: the boards that hold a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fit(
    model: Annotated[Path, typer.Argument(help="What `edgekc compile` takes.")],
    board: Annotated[list[str] | None, typer.Option("--board", help="Only this; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the boards whose flash and RAM hold the model, and by how much the others are too small.

    Needs are of the linked model on each core: its code, constants, arena, input, output and stack.
    """
    from rich.table import Table

    from ..boards.board import list_boards, load_board
    from ..measure.which_boards import fit_boards
    from ..terminal import console, say, say_json, styled

    found = fit_boards(model, [load_board(name) for name in board or list_boards()])
    if as_json:
        say_json([row.as_json() for row in found])
        return
    table = Table(title=f"{model.name} on boards", title_justify="left")
    for column in ("board", "core", "flash", "RAM", ""):
        table.add_column(column, justify="right" if column in ("flash", "RAM") else "left")
    for row in found:
        lacks = [
            f"{what} lacks {size:,} bytes"
            for what, size in (("flash", row.flash_missing), ("RAM", row.ram_missing))
            if size
        ]
        verdict = styled("fits", "green") if row.fits else styled(", ".join(lacks), "red")
        ram = row.needs.buffers_bytes + row.needs.stack_bytes
        table.add_row(row.board, row.core, f"{row.needs.flash_bytes:,}", f"{ram:,}", verdict)
    console().print(table)
    if not any(row.fits for row in found):
        say("No board holds it: compress the model (edgekc compress --recipe), or take a smaller input.")
