"""`edgekc fit`: the boards that hold a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc fit net.tflite", "edgekc fit net.ekc --board microbit --board rpi-pico")


def fit(
    model: Annotated[Path, typer.Argument(help="What `edgekc compile` takes.", metavar="MODEL")],
    board: Annotated[
        list[str] | None,
        typer.Option("--board", metavar="BOARD", help="Only this; may be repeated.", autocompletion=way.complete_board),
    ] = None,
    allow_float: Annotated[
        bool,
        typer.Option("--allow-float", help="Run what the model computes in float as portable C, in float."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the boards whose flash and RAM hold the model, and by how much the others are too small.

    Flash is that of the linked model on each core: code and constants. RAM is the arena, input, output, and the most
    that the stack can take; `edgekc measure` prints the same figure as what a board needs.
    """
    from ..api.boards import find_boards
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        shown.progress(f"read {model.name}", 0, 0)
        found = find_boards(model, board or (), allow_float=allow_float, progress=shown.progress)
    if as_json:
        say_json(found.to_dict()["rows"])
    else:
        show(found.parts())
