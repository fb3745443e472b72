"""`edgekc verify`: the same bytes from numpy reference, host and emulated device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc verify out",
    "edgekc verify out --samples 100 --no-device",
    "edgekc verify out --data test.npz --model net.tflite",
    "edgekc verify out --board nucleo-f446re --link auto",
    "edgekc verify fuzz-7-1.ekc --data fuzz-7-1.npz --board mps2-an386",
)


def verify(
    folder: Annotated[
        Path, typer.Argument(help="What `edgekc compile -o` wrote, or a model that it takes.", metavar="DIR|MODEL")
    ],
    samples: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="How many inputs: lowest, highest, a ramp, then random; or the first of --data."
        ),
    ] = 16,
    board: way.OtherBoard = "",
    data: way.Data = "",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the random inputs.")] = 0,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE", help="The file that was compiled, where it is not beside the folder or here."
        ),
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
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For each run or step.", min=1)
    ] = 600.0,
    as_json: way.AsJson = False,
) -> None:
    """Compare reference, host and device, layer by layer; exit 2 at the first difference.

    The reference is compared with the file that was compiled, as imported, and with LiteRT where it is installed.

    The device is the board's emulator; with --link, --probe, --tool or --port it is the board itself (or its
    emulator, asked over the same console).
    """
    from ..api.compiling import DEFAULT_BOARD, compile, open_program
    from ..errors import VerifyError
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    program = compile(folder, board=board or DEFAULT_BOARD) if folder.is_file() else open_program(folder, board=board)
    reach = way.make_way(
        link, tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s,
        optimise=optimise.value,
    )  # fmt: skip
    with bars() as shown:
        found = program.verify(
            samples, seed=seed, data=data or None, device=not no_device, model=model, way=reach,
            optimise=optimise.value, timeout_s=timeout_s, progress=shown.progress,
        )  # fmt: skip
    if not found.ok:
        raise VerifyError(found.difference)
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
