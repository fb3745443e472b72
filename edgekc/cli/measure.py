"""`edgekc measure`: shows what a compiled model costs in flash, RAM and executed instructions."""

from __future__ import annotations

from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc measure out",
    "edgekc measure out --data test.npz --samples 8",
    "edgekc measure out --clock 120M",
    "edgekc measure out --max-flash 64k --max-ram 16k --json",
    "edgekc measure out --board nucleo-f446re --link auto",
)


def measure(
    folder: way.Folder,
    board: way.OtherBoard = "",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Inferences to run, on random inputs or on the first of --data.", min=1)
    ] = 2,
    data: way.Data = "",
    optimise: way.OptimiseFor = way.Optimised.speed,
    link: way.Link = "",
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For each run or step.", min=1)
    ] = 300.0,
    ledger: Annotated[bool, typer.Option("--ledger", help="Also print flash by layer and kind, and all RAM.")] = False,
    max_flash: Annotated[
        str, typer.Option(help="Fail if the model has more flash than this: 64000, 64k, 64Ki.", metavar="SIZE")
    ] = "",
    max_ram: Annotated[
        str, typer.Option(help="Fail if arena, static data and stack are more than this.", metavar="SIZE")
    ] = "",
    clock: Annotated[
        str, typer.Option(help="For milliseconds: the core's clock, 120M, 64MHz. Default: the board's.", metavar="HZ")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the measurement as JSON.")] = False,
) -> None:
    """Build and run the model on the board's emulator: bytes of flash and RAM, instructions and cycles per layer.

    Instructions are counted exactly. Cycles and milliseconds are estimated from them by the core's published timing,
    with the range of what is not known. With --link, --probe, --tool or --port it
    is the board itself that runs it, and cycles are counted. Exits with 2 when the model touched memory outside
    of its arena, input, output, stack and constants, when its stack is deeper than the static bound, or when it
    is over a budget.
    """
    from ..api.compiling import open_program
    from ..figures import parse_bytes
    from ..measure.cycles.speed import parse_clock
    from ..measure.report import ledger_parts
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    most = [
        parse_bytes(text, f"--{name}") if text else None
        for name, text in (("max-flash", max_flash), ("max-ram", max_ram))
    ]
    clock_hz = parse_clock(clock) if clock else None
    program = open_program(folder, board=board)
    reach = way.make_way(
        link, tool, probe, port, openocd_config, tool_option, flash=True, timeout_s=timeout_s, optimise=optimise.value
    )  # fmt: skip
    with bars() as shown:
        costs = program.measure(
            samples, data=data or None, way=reach, optimise=optimise.value, timeout_s=timeout_s,
            clock_hz=clock_hz, progress=shown.progress,
        )  # fmt: skip
    if as_json:
        say_json(costs.measurement.as_json(), indent=2)
    else:
        show([*costs.parts(), *(ledger_parts(costs.measurement) if ledger else ())])
    costs.check(max_flash_bytes=most[0], max_ram_bytes=most[1])
