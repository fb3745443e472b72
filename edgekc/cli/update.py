"""`edgekc update`: a signed update to the program on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc update kws.eku --board nucleo-f412zg --port /dev/ttyACM0",
    "edgekc update kws.eku out --board mps2-an386",
)


def update(
    file: Annotated[Path, typer.Argument(help="A file of `edgekc sign`.", metavar="UPDATE")],
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="What `edgekc compile -o` or `edgekc build` wrote: for RTT, and for a board that is emulated.",
            metavar="[DIR]",
        ),
    ] = None,
    board: Annotated[
        str,
        typer.Option(
            "--board", metavar="BOARD", help="A board's name or file. Default: the board of DIR.",
            autocompletion=way.complete_board,
        ),
    ] = "",
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    optimise: way.OptimiseFor = way.Optimised.speed,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For each request that writes or erases.", min=1)
    ] = 60.0,
    as_json: way.AsJson = False,
) -> None:  # fmt: skip
    """Send an update to a board, whose program was built with `edgekc build --updates`.

    The board checks key, signature, network and sequence before it writes anything, and the payload's hash before it
    runs it. Whatever goes wrong, what ran goes on.
    """
    from ..api.updatable import update_device
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    reach = way.make_way(
        link or "auto", tool, probe, port, openocd_config, tool_option, flash=False, timeout_s=timeout_s,
        optimise=optimise.value,
    )  # fmt: skip
    with bars() as shown:
        done = update_device(file, board=board, folder=folder, way=reach, progress=shown.progress)
    if as_json:
        say_json(done.to_dict())
    else:
        show(done.parts())
