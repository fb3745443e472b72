"""`edgekc run`: samples through the program on a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way


def run(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")],
    board: Annotated[
        str, typer.Option("--board", help="A board's name or file. Default: the board that DIR was compiled for.")
    ] = "",
    data: Annotated[
        Path | None, typer.Option("--input", help="Samples, one after the other, as NAME_run takes them.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Without --input: lowest, highest, a ramp, then random.")] = 4,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="A new file for the outputs.")] = None,
    optimise: way.OptimiseFor = way.Optimised.speed,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of -o.")] = False,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    no_flash: way.NoFlash = False,
    layers: Annotated[bool, typer.Option("--layers", help="Count cycles of each layer: a build with traces.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds for an inference, and each step.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Flash the board, run samples there, and print cycles and stack; over an emulated board's console too."""
    from ..boards.board import load_board
    from ..console.session import on_board, run_samples
    from ..emulate import host
    from ..files.output import check_writable, read_manifest, write_file
    from ..measure.stack import check_stack, stack_bound
    from ..terminal import say, say_json

    manifest = read_manifest(folder)
    if out is not None:
        check_writable(out, force=force)
    target = load_board(board or str(manifest.get("board", "")))
    inputs = host.samples(manifest, samples, 0) if data is None else data.read_bytes()
    reach = way.make_way(
        link or "auto", tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s,
        optimise=optimise.value,
    )  # fmt: skip
    assert reach is not None  # by "auto"
    with on_board(folder, target, reach, trace=layers) as (console, image, line):
        done = run_samples(console, image, folder, inputs, link=line, check=False, log=lambda _: None)
    check_stack(stack_bound(image), done.stack_bytes or None, f"{done.network} on {done.board}")
    if out is not None:
        write_file(out, done.outputs, force=force)
    if as_json:
        say_json(done.as_json())
        return
    say(f"{done.network} on {done.board} over {done.link}: {done.samples} samples")
    if done.counter != "none":
        say(f"{', '.join(f'{n:,}' for n in done.cycles)} {done.unit}")
        say(f"peak stack {done.stack_bytes:,} bytes")
    for name, cycles in done.layer_cycles:
        say(f"  {name} {cycles[0]:,}")
