"""`edgekc worker`: measures candidates for a search that runs on another host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc worker desk.local:13000 --model net.onnx --data images.zip",)


def worker(
    address: Annotated[
        str, typer.Argument(help="What the search was given as --serve, with its host.", metavar="HOST:PORT")
    ],
    model: Annotated[Path, typer.Option(metavar="MODEL", help="The search's float model.", show_default=False)],
    data: Annotated[Path, typer.Option(metavar="DATA", help="The search's samples.", show_default=False)],
    validation: Annotated[
        Path | None, typer.Option(metavar="DATA", help="The search's validation samples, if it was given any.")
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            metavar="BOARD", help="The search's board, if it is a file of yours.", autocompletion=way.complete_board
        ),
    ] = "",
    checkpoints: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder that a killed training resumes from. Default: none is kept."),
    ] = None,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="To wait for a search that does not answer.")
    ] = 60.0,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say what each step and pass did.")] = False,
) -> None:
    """Measure candidates for a search on another host, until it ends.

    Both hosts need the same edgekc, model and data: a worker with others is refused.
    """
    from ..api.searching import work
    from ..terminal import say
    from ..train.bars import bars

    with bars() as shown:

        def log(text: str) -> None:
            if verbose or text.startswith(("warning", "note")):
                say(text, err=True)

        count = work(
            address, model=model, data=data, validation=validation, board=board, checkpoints=checkpoints,
            patience=patience, log=log, progress=shown.progress,
        )  # fmt: skip
    say(f"the search has ended: {count} candidates were measured here")
