"""`edgekc flash`: a compiled folder into a board's flash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc flash out",
    "edgekc flash out --board nucleo-f446re --tool openocd --dry-run",
    "edgekc flash out --board rpi5 --probe pi@raspberrypi.local",
)


def flash(
    folder: way.Folder,
    board: way.OtherBoard = "",
    optimise: way.OptimiseFor = way.Optimised.speed,
    updates: way.UpdateKeys = None,
    monocypher: way.Monocypher = None,
    link: way.UpdatesLink = "",
    probe: Annotated[
        str,
        typer.Option(
            metavar="PROBE",
            help="Which one, if several: unique id, remote:host:port, user@host, adb serial, UF2 drive.",
        ),
    ] = "",
    tool: Annotated[
        str,
        typer.Option(metavar="TOOL", help="pyocd, openocd, stlink, uf2, ssh, adb or gdb. Default: the first here."),
    ] = "",
    openocd_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="OpenOCD: this file instead of the board's interface and target."),
    ] = None,
    tool_option: way.ToolOption = None,
    timeout_s: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each step.", min=1)] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build, and print the exact commands only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print each command before it runs.")] = False,
) -> None:
    """Build the board's program, put it into its flash, read it back and compare every byte."""
    from ..api.compiling import open_program
    from ..api.updatable import with_updates
    from ..console.session import Way
    from ..tables import show
    from ..terminal import say
    from ..train.bars import bars

    way.check_for_updates(updates, link=link, monocypher=monocypher)
    program = open_program(folder, board=board)
    reach = Way(link, tool, probe, "", openocd_config, tuple(tool_option or ()), True, timeout_s)
    reach = with_updates(reach, program, updates or (), monocypher)
    if dry_run:
        for line in program.flash_commands(reach, optimise=optimise.value):
            say(line)
        return
    with bars(shown=not verbose) as shown:
        shown.progress(f"build and flash {program.board.name}", 0, 0)
        done = program.flash(reach, optimise=optimise.value, log=say if verbose else None)
    show(done.parts())
