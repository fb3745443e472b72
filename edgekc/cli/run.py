"""`edgekc run`: samples through the program on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc run out",
    "edgekc run out --board nucleo-f446re --link rtt --layers",
    "edgekc run out --input samples.bin -o outputs.bin",
)


def run(
    folder: way.Folder,
    board: way.OtherBoard = "",
    data: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Samples, one after the other, as NAME_run takes them."),
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=1, help="Without --input: lowest, highest, a ramp, then random.")
    ] = 4,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="A new file for the outputs.")] = None,
    optimise: way.OptimiseFor = way.Optimised.speed,
    updates: way.UpdateKeys = None,
    monocypher: way.Monocypher = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")] = False,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    no_flash: way.NoFlash = False,
    layers: Annotated[bool, typer.Option("--layers", help="Count cycles of each layer: a build with traces.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For an inference, and each step.")
    ] = 60.0,
    as_json: way.AsJson = False,
) -> None:
    """Flash the board, run samples there, and print cycles and stack; over an emulated board's console too."""
    from ..api.compiling import open_program
    from ..api.updatable import with_updates
    from ..console.session import Way
    from ..files.output import check_writable, write_file
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    way.check_for_updates(updates, monocypher=monocypher)
    program = open_program(folder, board=board)
    if out is not None:
        check_writable(out, force=force)
    reach = way.make_way(
        link or "auto", tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s,
        optimise=optimise.value,
    )  # fmt: skip
    reach = with_updates(reach or Way(), program, updates or (), monocypher)
    with bars() as shown:
        done = program.run_on_board(
            None if data is None else data.read_bytes(), samples=samples, way=reach, layers=layers,
            progress=shown.progress,
        )  # fmt: skip
    if out is not None:
        write_file(out, done.outputs, force=force)
    if as_json:
        say_json(done.to_dict())
    else:
        show(done.parts())
