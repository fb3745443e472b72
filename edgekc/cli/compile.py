"""`edgekc compile`: a model to a folder of C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc compile net.tflite -o out --board nucleo-f446re --name kws",
    "edgekc compile kws.ekc -o out --board rpi-pico2 --keep dumps -v",
)


def compile_(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite or .onnx model, or a packed .ekc.", metavar="MODEL")],
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="The folder to write; replaced if it is an earlier output.",
            show_default=False,
        ),
    ],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="A board's name (see `edgekc boards`) or file.",
            autocompletion=way.complete_board,
        ),
    ] = "mps2-an386",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The network's name in C. Default: from the file.")
    ] = "",
    rounding: Annotated[
        str,
        typer.Option(
            metavar="tflite|double",
            help="tflite: as LiteRT's reference kernels. double: fully connected as in TFLM and CMSIS-NN.",
        ),
    ] = "tflite",
    allow_float: Annotated[
        bool,
        typer.Option("--allow-float", help="Run what the model computes in float as portable C, in float."),
    ] = False,
    optimise: Annotated[
        str,
        typer.Option(
            metavar="speed|size|ram",
            help="What kernels are chosen for: estimated cycles, bytes of linked code, or the smallest arena.",
        ),
    ] = "speed",
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a text dump of every stage to this folder.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier output that were changed since.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say what each pass did, and why it is exact.")
    ] = False,
) -> None:
    """Compile a quantised model to C99 with static memory, and its packed form."""
    from ..api.compiling import check_program_folder, compile
    from ..tables import show
    from ..terminal import say
    from ..train.bars import bars

    check_program_folder(out, keep, force=force)
    with bars(shown=not verbose) as shown:
        shown.progress(f"compile {model.name}", 0, 0)
        program = compile(
            model,
            board=board,
            name=name,
            rounding=rounding,
            allow_float=allow_float,
            optimise=optimise,
            keep=keep,
            log=say if verbose else (lambda text: None),
        )
    program.save(out, force=force)
    show(program.parts())
