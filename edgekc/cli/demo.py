"""`edgekc demo`: the whole road on a small model that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc demo", "edgekc demo --board nucleo-f446re -o digits")


def demo(
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="The folder to write the C sources to.")
    ] = Path("edgekc-demo"),
    board: Annotated[
        str,
        typer.Option("--board", metavar="BOARD", help="See `edgekc boards`.", autocompletion=way.complete_board),
    ] = "mps2-an386",
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier output that were changed since.")
    ] = False,
) -> None:
    """Compile a trained digit classifier, prove it bit-exact, run it on an emulated core, and measure it."""
    from ..demo.walk import run_demo

    run_demo(out, board, force=force)
