"""`edgekc inject`: faults in flash, RAM, registers and power on an emulated core, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc inject kws.ekc --board nucleo-f446re --check",
    "edgekc inject kws.ekc --board rpi-pico --check-run --runs 1000 --json",
    "edgekc inject out --fault weights --fault registers --seed 7",
)


def inject(
    model: Annotated[
        Path, typer.Argument(help="A model that `edgekc compile` takes, or what it wrote.", metavar="DIR|MODEL")
    ],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="A board's name or file. Default: mps2-an386, or the board that DIR was compiled for.",
            autocompletion=way.complete_board,
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compile with NAME_check, and call it before each run.")
    ] = False,
    check_run: Annotated[
        bool, typer.Option("--check-run", help="--check, and NAME_run compares its layer tables.")
    ] = False,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="KIND", help="Only this kind of faults; may be repeated. Default: all."),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, help="Faults of each kind.")] = 100,
    samples: Annotated[int, typer.Option("--samples", metavar="N", min=1, help="Inputs, which take turns.")] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws inputs and faults.")] = 0,
    data: way.Data = "",
    as_json: way.AsJson = False,
) -> None:
    """Inject faults into a network on an emulated core, one at a time, and say what became of them.

    Bits of weights, tables, code, arena and registers flip or are stuck, RAM loses bits, the core is reset, the stack
    is too small, the arena misaligned. Each fault is detected, harmless (the outputs are right, and nothing else was
    changed), or wrong in silence.
    """
    from ..api.injecting import inject as run
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        found = run(
            model, board=board, check=check, check_run=check_run, faults=faults or (), runs=runs, samples=samples,
            seed=seed, data=data or None, progress=shown.progress,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
