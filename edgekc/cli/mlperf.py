"""`edgekc mlperf`: models of MLPerf Tiny through the benchmark's two modes, and a submission's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc mlperf kws_int8.tflite -o submission --data kws=kws01.npz",
    "edgekc mlperf ic.tflite ad.tflite --board nucleo-l4r5zi -o submission",
)


def mlperf(
    models: Annotated[
        list[Path], typer.Argument(help="int8 models of ic, kws, vww and ad, each once.", metavar="MODEL...")
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="DIR", help="The folder of the submission.", show_default=False),
    ],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="A microcontroller with a UART, by name or file.",
            autocompletion=way.complete_board,
        ),
    ] = "mps2-an386",
    submitter: Annotated[str, typer.Option(metavar="NAME", help="The organisation that submits.")] = "SUBMITTER",
    division: Annotated[
        str, typer.Option(metavar="closed|open", help="Default: closed, but open where a recipe changed the weights.")
    ] = "",
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="BENCHMARK=PATH",
            help="Labelled samples for accuracy mode: the benchmark's folder with y_labels.csv, an .npz, or images by "
            "class. May be repeated.",
        ),
    ] = None,
    samples: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many of them. Default: all.")] = None,
    iterations: Annotated[
        int, typer.Option(metavar="N", min=1, help="Inferences of each of five runs, at least.")
    ] = 10,
    probe: way.Probe = "",
    tool: way.Tool = "",
    port: way.Port = "",
    openocd_config: way.OpenocdConfig = None,
    tool_option: way.ToolOption = None,
    no_flash: way.NoFlash = False,
    no_run: Annotated[bool, typer.Option("--no-run", help="Build and write only.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For each command `infer`.", min=1)
    ] = 300.0,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files of an earlier folder that were changed since.")
    ] = False,
    as_json: way.AsJson = False,
) -> None:
    """Build MLPerf Tiny's firmware over models, and run performance and accuracy mode over the board's UART.

    An emulated board is run here, and what it counts are instructions, not time. Another is flashed and run where an
    option says how it is reached. The folder has the layout of a
    submission, and says what is missing for one.
    """
    from ..api.mlperf import run_mlperf
    from ..errors import UsageError
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    named = {}
    for text in data or ():
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise UsageError(f"{text!r} is not BENCHMARK=PATH", where="--data", fix="write it as kws=kws01.npz")
        if name in named:
            raise UsageError(f"{name} is named twice", where="--data", fix="name it once")
        named[name] = path
    reach = way.make_way(
        "", tool, probe, port, openocd_config, tool_option, flash=not no_flash, timeout_s=timeout_s
    )  # fmt: skip
    with bars() as shown:
        found = run_mlperf(
            models, out, board=board, submitter=submitter, division=division, data=named, samples=samples,
            iterations=iterations, way=reach, run=not no_run, timeout_s=timeout_s, force=force,
            progress=shown.progress,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
