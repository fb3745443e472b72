"""`edgekc new-app`: a kind of app to a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc new-app keyword -o wake", "edgekc new-app blank -o mine --model net.tflite --board mps3-an547")


def complete_app(incomplete: str) -> list[str]:
    """Kinds of apps, for the shell."""
    from ..apps import APPS

    return [kind for kind in APPS if kind.startswith(incomplete)]


def new_app(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="blank: samples in, the index of the largest output out. keyword: 16 kHz audio in, words out. "
            "sensor: samples of an IMU in, the activity or an anomaly's score out. "
            "vision: rows of a camera in, a class or boxes out.",
            autocompletion=complete_app,
        ),
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="The folder to write; a new one.", show_default=False)
    ],
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="A quantised or packed model that fits the kind. Default: the kind's own."),
    ] = None,
    board: Annotated[
        str,
        typer.Option("--board", metavar="BOARD", help="See `edgekc boards`.", autocompletion=way.complete_board),
    ] = "mps2-an386",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The network's name in C.")] = "net",
    as_json: way.AsJson = False,
) -> None:
    """Write a project around a model: firmware, a test and a README, which runs at once on the emulated board."""
    from ..api.apps import new_app as write_project
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        project = write_project(kind, out, model=model, board=board, name=name, progress=shown.progress)
    if as_json:
        say_json(project.to_dict())
    else:
        show(project.parts())
