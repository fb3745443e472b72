"""`edgekc evaluate`: labelled samples through a compiled program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc evaluate out --data test.npz", "edgekc evaluate out --data images.zip --count 20 --on-board")


def evaluate(
    folder: way.Folder,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Labelled samples: an .npz with x and y, or a folder or zip of images by class.",
            show_default=False,
        ),
    ],
    board: way.OtherBoard = "",
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", min=1, help="Only the first N samples. Default: all.")
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="MODEL", help="A float or int8 model to compare with. May be repeated."),
    ] = None,
    on_board: Annotated[
        bool, typer.Option("--on-board", help="Run them on the board's emulator. Default: on this machine, same bits.")
    ] = False,
    reset_each: Annotated[
        bool, typer.Option("--reset-each", help="Samples do not follow each other: start a streaming network at each.")
    ] = False,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    no_flash: way.NoFlash = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For the run on an emulator, or each step.", min=1)
    ] = 600.0,
    as_json: way.AsJson = False,
) -> None:
    """Count right answers, and show which class was taken for which.

    The generated C runs on this machine, and gives the bytes of every board. With --on-board the board's emulator runs
    it; with --link, --probe, --tool or --port the board itself.
    """
    from ..api.compiling import open_program
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    program = open_program(folder, board=board)
    reach = way.make_way(
        link, tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s
    )  # fmt: skip
    with bars() as shown:
        found = program.evaluate(
            data, device="board" if on_board or reach is not None else "host", way=reach, count=count,
            against=against or (), reset_each=reset_each, timeout_s=timeout_s, progress=shown.progress,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
