"""`edgekc compile`: a model to a folder of C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compile_(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite model, or a packed .ekc.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write; replaced if it is an earlier output.")],
    board: Annotated[str, typer.Option("--board", help="A board's name (see `edgekc boards`) or file.")] = "mps2-an386",
    name: Annotated[str, typer.Option("--name", help="The network's name in C. Default: from the file.")] = "",
    rounding: Annotated[
        str,
        typer.Option(help="tflite: as LiteRT's reference kernels. double: fully connected as in TFLM and CMSIS-NN."),
    ] = "tflite",
    keep: Annotated[Path | None, typer.Option(help="Write a text dump of every stage to this folder.")] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say what each pass did, and why it is exact.")
    ] = False,
) -> None:
    """Compile a model to C99 with static memory, and its packed form."""
    from ..board import load_board
    from ..listing import render_compiled
    from ..output import check_output, write_folder
    from ..pipeline import check_rounding, compile_model, default_name, target_of

    check_output(out, keep)
    target = target_of(load_board(board))
    log = (lambda text: typer.echo(text)) if verbose else (lambda text: None)
    result = compile_model(
        model, name or default_name(model), target, rounding=check_rounding(rounding), log=log, keep=keep
    )
    write_folder(result.files, out)
    render_compiled(result, out)
