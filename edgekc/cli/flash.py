"""`edgekc flash`: a compiled folder into a board's flash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way


def flash(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")],
    board: Annotated[
        str, typer.Option("--board", help="A board's name or file. Default: the board that DIR was compiled for.")
    ] = "",
    optimise: way.OptimiseFor = way.Optimised.speed,
    probe: Annotated[
        str,
        typer.Option(help="Which one, if several: unique id, remote:host:port, user@host, adb serial, UF2 drive."),
    ] = "",
    tool: Annotated[
        str, typer.Option(help="pyocd, openocd, stlink, uf2, ssh, adb or gdb. Default: the first here.")
    ] = "",
    openocd_config: Annotated[
        Path | None, typer.Option(help="OpenOCD: this file instead of the board's interface and target.")
    ] = None,
    tool_option: Annotated[
        list[str] | None, typer.Option(help="One more word for the tool's command line; may be repeated.")
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds for each step.", min=1)] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build, and print the exact commands only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print each command before it runs.")] = False,
) -> None:
    """Build the board's program, put it into its flash, read it back and compare every byte."""
    from ..boards.board import load_board
    from ..files.output import read_manifest
    from ..firmware.folder import build_firmware, firmware_folder
    from ..flashing import run
    from ..terminal import say

    target = load_board(board or str(read_manifest(folder).get("board", "")))
    chosen = run.choose_tool(target, tool)
    image = build_firmware(folder, target, optimise=optimise.value)
    job = run.make_job(
        image, firmware_folder(folder, target, None, optimise=optimise.value),
        probe=probe, openocd_config=openocd_config, options=tuple(tool_option or ()),
    )  # fmt: skip
    if dry_run:
        for line in run.command_lines(chosen, job):
            say(line)
        return
    log = say if verbose else (lambda text: None)
    done = run.flash(chosen, job, timeout_s=timeout_s, log=log)
    checked = "read back and equal" if done.read_back else f"not read back: {done.tool} cannot"
    say(f"{done.board}: {done.size_bytes:,} bytes at 0x{done.base:08x} by {done.tool}, {checked}")
