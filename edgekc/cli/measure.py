"""`edgekc measure`: shows what a compiled model costs in flash, RAM and executed instructions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way


def measure(
    folder: Annotated[Path, typer.Argument(help="What `edgekc compile -o` wrote.", metavar="DIR")],
    board: Annotated[
        str, typer.Option("--board", help="A board's name or file. Default: the board that DIR was compiled for.")
    ] = "",
    samples: Annotated[int, typer.Option(help="Inferences to run, on random inputs.", min=1)] = 2,
    optimise: way.OptimiseFor = way.Optimised.speed,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    timeout_s: Annotated[float, typer.Option("--timeout", help="Seconds for each run or step.", min=1)] = 300.0,
    ledger: Annotated[bool, typer.Option("--ledger", help="Also print flash by layer and kind, and all RAM.")] = False,
    max_flash: Annotated[
        str, typer.Option(help="Fail if the model has more flash than this: 65536, 64k, 1M.", metavar="SIZE")
    ] = "",
    max_ram: Annotated[
        str, typer.Option(help="Fail if arena, static data and stack are more than this.", metavar="SIZE")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurement as JSON.")] = False,
) -> None:
    """Build and run the model on the board's emulator: bytes of flash and RAM, instructions per layer.

    Instructions are counted exactly; they are neither cycles nor time. With --link, --probe, --tool or --port it
    is the board itself that runs it, and cycles are counted. Exits with 2 when the model touched memory outside
    of its arena, input, output, stack and constants, when its stack is deeper than the static bound, or when it
    is over a budget.
    """
    from ..boards.board import load_board
    from ..files.output import read_manifest
    from ..measure.budget import check_budget, parse_size
    from ..measure.emulated import check_accesses
    from ..measure.emulated import measure as run
    from ..measure.report import render, render_ledger
    from ..terminal import console, say_json

    limits = [parse_size(text, name) if text else None for name, text in _named(max_flash, max_ram)]
    target = load_board(board or str(read_manifest(folder).get("board", "")))
    reach = way.make_way(
        link, tool, probe, port, openocd_config, tool_option, flash=True, timeout_s=timeout_s, optimise=optimise.value
    )  # fmt: skip
    if reach is None:
        measurement = run(folder, target, samples=samples, timeout_s=timeout_s, optimise=optimise.value)
    else:
        from ..measure.on_board import measure_on_board

        measurement = measure_on_board(folder, target, reach, samples=samples)
    if as_json:
        say_json(measurement.as_json(), indent=2)
    else:
        console().print(render(measurement))
        if ledger:
            console().print(render_ledger(measurement))
    check_accesses(measurement)
    check_budget(measurement, *limits)


def _named(max_flash: str, max_ram: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("--max-flash", max_flash), ("--max-ram", max_ram)
