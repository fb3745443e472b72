"""`edgekc check`: how each operator of a model would run, and everything that stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc check net.tflite", "edgekc check net.onnx --board nucleo-f446re --json")


def check(
    model: Annotated[Path, typer.Argument(help="Any model: .tflite, .onnx, .pt2, .keras, .h5, .ekc.", metavar="MODEL")],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="A board's name (see `edgekc boards`) or file.",
            autocompletion=way.complete_board,
        ),
    ] = "mps2-an386",
    allow_float: Annotated[
        bool,
        typer.Option("--allow-float", help="Run what the model computes in float as portable C, in float."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """Say how each operator will run, and list everything that stands in the way. Nothing is compiled or written.

    The exit code is 2 where something is refused, else 0. A float model is looked at as compress would quantise it.
    """
    from ..api.checking import check as look
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        shown.progress(f"read {model.name}", 0, 0)
        found = look(model, board=board, allow_float=allow_float)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
    if not found.ok:
        raise typer.Exit(2)
