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
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier output that were changed since.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say what each pass did, and why it is exact.")
    ] = False,
) -> None:
    """Compile a model to C99 with static memory, and its packed form."""
    from ..boards.board import load_board
    from ..files.output import check_dump, check_output, write_folder
    from ..listing import render_compiled
    from ..names import default_name
    from ..pipeline import DUMPS, check_rounding, compile_model, target_of
    from ..terminal import say

    check_output(out, keep, force=force)
    if keep is not None:
        for dump in DUMPS:
            check_dump(keep / dump, force=force)
    target = target_of(load_board(board))
    log = say if verbose else (lambda text: None)
    result = compile_model(
        model, name or default_name(model), target, rounding=check_rounding(rounding), log=log, keep=keep
    )
    write_folder(result.files, out, force=force)
    render_compiled(result, out)
