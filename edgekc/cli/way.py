"""The options that say how a program is built and how a real board is reached, which several commands share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..console.session import Way
    from ..firmware.build import Optimise


class Optimised(str, Enum):
    """edgekc.firmware.build.Optimise, as the command line wants it."""

    speed = "speed"
    size = "size"


OptimiseFor = Annotated[
    Optimised, typer.Option("--optimise", help="Compile the model's code for speed (-O2) or size (-Os): same bits.")
]
Link = Annotated[
    str, typer.Option("--link", help="Ask the program on the board, over: rtt, uart, semihosting, stdio, or auto.")
]
Probe = Annotated[str, typer.Option("--probe", help="As in `edgekc flash`; asks the board, as --link does.")]
Tool = Annotated[str, typer.Option("--tool", help="As in `edgekc flash`; asks the board, as --link does.")]
Port = Annotated[str, typer.Option("--port", help="HOST:PORT or serial port that carries the console.")]
OpenocdConfig = Annotated[Path | None, typer.Option("--openocd-config", help="As in `edgekc flash`.")]
ToolOption = Annotated[list[str] | None, typer.Option("--tool-option", help="As in `edgekc flash`.")]
NoFlash = Annotated[bool, typer.Option("--no-flash", help="The console's program is on the board already.")]


def make_way(
    link: str, tool: str, probe: str, port: str, openocd_config: Path | None, options: list[str] | None, *,
    flash: bool, timeout_s: float, optimise: Optimise = "speed",
) -> Way | None:  # fmt: skip
    """How to reach the board; None where no option speaks of one, so that its emulator is meant."""
    from ..console.session import Way

    if not (link or tool or probe or port or openocd_config):
        return None
    named = "" if link == "auto" else link
    return Way(named, tool, probe, port, openocd_config, tuple(options or ()), flash, timeout_s, optimise)
