"""Arguments and options that several commands share: a compiled folder, its board, how it is reached, and training."""

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


def complete_board(incomplete: str) -> list[str]:
    """Names of boards for the shell, without reading their files."""
    from ..assets import BOARDS

    return sorted(p.parent.name for p in BOARDS.glob("*/board.toml") if p.parent.name.startswith(incomplete))


def complete_recipe(incomplete: str) -> list[str]:
    """Names of recipes for the shell."""
    from ..assets import RECIPES

    return sorted(p.stem for p in RECIPES.glob("*.toml") if p.stem.startswith(incomplete))


Folder = Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")]
OtherBoard = Annotated[
    str,
    typer.Option(
        "--board",
        metavar="BOARD",
        help="A board's name or file. Default: the board that DIR was compiled for.",
        autocompletion=complete_board,
    ),
]
FloatModel = Annotated[Path, typer.Argument(help="A float model: .onnx, .pt2, .tflite, .keras, .h5.", metavar="MODEL")]
Validation = Annotated[
    Path | None,
    typer.Option(metavar="DATA", help="Samples that choose epochs. Default: the data's, or some split off."),
]
Test = Annotated[
    Path | None, typer.Option(metavar="DATA", help="Labelled samples that judge, at the end. Default: the data's.")
]
Checkpoints = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="A folder that a killed run resumes from. Default: none is kept."),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where steps that train compute: cpu, cuda, cuda:1, or auto. Under torchrun each process has a GPU.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=0,
        help="Processes that decode images which memory does not hold. Default: by the number of cores.",
    ),
]
OptimiseFor = Annotated[
    Optimised,
    typer.Option(
        "--optimise",
        metavar="speed|size",
        help="Compile the model's code for speed (-O2) or size (-Os). The outputs are the same.",
    ),
]
Link = Annotated[
    str,
    typer.Option(
        "--link",
        metavar="LINK",
        help="Ask the program on the board over its console: rtt, uart, semihosting, stdio, or auto.",
    ),
]
Probe = Annotated[
    str,
    typer.Option(
        "--probe", metavar="PROBE", help="Which board, if there are several; see `edgekc flash -h`. Asks the board."
    ),
]
Tool = Annotated[
    str, typer.Option("--tool", metavar="TOOL", help="What reaches the board; see `edgekc flash -h`. Asks the board.")
]
Port = Annotated[
    str, typer.Option("--port", metavar="PORT", help="Serial port, or HOST:PORT, that carries the console.")
]
OpenocdConfig = Annotated[
    Path | None, typer.Option("--openocd-config", metavar="FILE", help="OpenOCD: this file instead of the board's.")
]
ToolOption = Annotated[
    list[str] | None,
    typer.Option("--tool-option", metavar="WORD", help="One more word for the tool's command line; may be repeated."),
]
NoFlash = Annotated[bool, typer.Option("--no-flash", help="The console's program is on the board already.")]
Data = Annotated[
    str,
    typer.Option("--data", metavar="DATA", help="Real samples: an .npz with x, or a folder or zip of images by class."),
]
UpdateKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--updates",
        metavar="KEY",
        help="The program answers the console and takes updates signed with this key's private half; may be repeated.",
    ),
]
Monocypher = Annotated[
    Path | None,
    typer.Option("--monocypher", metavar="DIR", help="With --updates: Monocypher 4's sources check signatures."),
]
UpdatesLink = Annotated[
    str, typer.Option("--link", metavar="LINK", help="With --updates: the console's line. Default: the board's first.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def check_for_updates(updates: list[Path] | None, **options: object) -> None:
    """UsageError for options of a program that takes updates, of one that takes none."""
    from ..errors import UsageError

    if not updates and (given := [name for name, value in options.items() if value]):
        raise UsageError(f"--{given[0]} is for --updates", fix="leave it out, or name a key with --updates")


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
