"""`edgekc boards`: the boards that can be compiled for."""

from __future__ import annotations

from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc boards",
    "edgekc boards nucleo-f446re",
    "edgekc boards --core 'cortex-m4*'",
    "edgekc boards --reach qemu --json",
)


def boards(
    name: Annotated[
        str,
        typer.Argument(
            help="One board: everything about it.",
            metavar="BOARD",
            show_default=False,
            autocompletion=way.complete_board,
        ),
    ] = "",
    core: Annotated[
        str, typer.Option("--core", metavar="CORE", help="Only boards with this core, such as 'cortex-m*'.")
    ] = "",
    reach: Annotated[
        str, typer.Option("--reach", metavar="WAY", help="Only boards that this reaches: pyocd, qemu, ssh, ...")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the boards: name, core, flash, RAM, and how each is reached.

    K and M are 1,024 and 1,048,576 bytes. In a pipe each board is a line with tabs between its columns, and sizes are
    in bytes.
    """
    from .. import tables
    from ..api.boards import list_boards
    from ..boards.board import load_board
    from ..terminal import console, say_json, say_row

    if name:
        board = load_board(name)
        if as_json:
            say_json(board.to_dict())
        else:
            tables.show(board.parts())
        return
    found = list_boards(core=core, reach=reach)
    if as_json:
        say_json(found.to_dict()["boards"])
    elif console().is_terminal:
        tables.show(found.parts())
    else:
        for row in found.rows():
            say_row(row)
