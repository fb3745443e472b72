"""`edgekc verify`: the same bytes from numpy reference, host and emulated device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import way

if TYPE_CHECKING:
    from ..emulate.compare import Comparison


def verify(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.")],
    samples: Annotated[int, typer.Option(min=1, help="How many inputs: lowest, highest, a ramp, then random.")] = 16,
    board: Annotated[str, typer.Option("--board", help="Default: the board that the folder was compiled for.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the random inputs.")] = 0,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="The file that was compiled, where it is not beside the folder or here."),
    ] = None,
    no_device: Annotated[bool, typer.Option("--no-device", help="Compare reference and host only.")] = False,
    optimise: way.OptimiseFor = way.Optimised.speed,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    no_flash: way.NoFlash = False,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds for each run or step.", min=1)] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare reference, host and device, layer by layer; exit 2 at the first difference.

    The reference is compared with the file that was compiled, as imported, and with LiteRT where it is installed.

    The device is the board's emulator; with --link, --probe, --tool or --port it is the board itself (or its
    emulator, asked over the same console).
    """
    from ..boards.board import load_board
    from ..emulate import host
    from ..emulate.compare import compare
    from ..emulate.origin import find_source
    from ..files.output import read_manifest
    from ..terminal import say, say_json

    manifest = read_manifest(folder)
    source = find_source(folder, str(manifest["name"]), model)
    target = None if no_device else load_board(board or str(manifest.get("board", "")))
    reach = way.make_way(
        link, tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s,
        optimise=optimise.value,
    )  # fmt: skip
    if reach is not None:
        from ..console.session import on_board, run_samples

        inputs = host.samples(manifest, samples, seed)
        result = compare(folder, None, inputs, source=source)
        device = load_board(board or str(manifest.get("board", "")))
        with on_board(folder, device, reach, trace=True) as (console, image, line):
            done = run_samples(console, image, folder, inputs, link=line, check=True, log=lambda _: None)
        if as_json:
            say_json({**result.as_json(), "on_board": done.as_json()})
            return
        who = f"reference = host = {done.board} (over {done.link})"
        say(f"{result.network}: {who}, {done.samples} samples, {result.layers} layers, every byte equal")
        _say(result)
        return
    result = compare(
        folder,
        target,
        host.samples(manifest, samples, seed),
        source=source,
        timeout_s=timeout_s,
        optimise=optimise.value,
    )
    if as_json:
        say_json(result.as_json())
        return
    who = "reference = host" + (f" = {result.board} ({result.emulator})" if target is not None else "")
    say(f"{result.network}: {who}, {result.samples} samples, {result.layers} layers, every byte equal")
    _say(result)


def _say(result: Comparison) -> None:
    from ..terminal import say

    for line in result.origin_lines():
        say(line)
    say(f"outputs sha256 {result.output_sha256}")
