"""`edgekc bench`: what models cost on boards, as one table, and what became worse since an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc bench kws.tflite ic.tflite --boards microbit,rpi-pico -o costs.md",
    "edgekc bench kws.tflite --boards nucleo-f446re --optimise speed,size,ram",
    "edgekc bench kws.tflite -o costs.json",
    "edgekc bench kws.tflite --baseline costs.json --fail-if-worse 1%",
)


def bench(
    models: Annotated[list[Path], typer.Argument(help="What `edgekc compile` takes.", metavar="MODEL...")],
    boards: Annotated[
        str, typer.Option(metavar="BOARD,...", help="Names (see `edgekc boards`) or files.")
    ] = "mps2-an386",
    optimise: Annotated[str, typer.Option(metavar="GOAL,...", help="Of speed, size and ram.")] = "speed",
    out: Annotated[
        list[Path] | None,
        typer.Option("-o", metavar="FILE", help="Write it as .md, .csv, .json or .html; may be repeated."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An earlier table, as .json: also print what differs.")
    ] = None,
    fail_if_worse: Annotated[
        str,
        typer.Option(metavar="PERCENT", help="Exit with 1 where a figure is more than this above the baseline's."),
    ] = "",
    ram: Annotated[
        str, typer.Option("--ram", metavar="SIZE", help="Most that arena, state and stack may take, as for `compile`.")
    ] = "",
    allow_float: Annotated[
        bool,
        typer.Option("--allow-float", help="Run what the model computes in float as portable C, in float."),
    ] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each run.", min=1)] = 300.0,
    as_json: way.AsJson = False,
) -> None:
    """Measure models on boards: flash, RAM, instructions, estimated cycles and milliseconds, a row for each pair.

    Each model is compiled for each board and goal, linked, and run once on the board's emulated core. A model that a
    board has no room for has a row that says so. With --baseline the exit code tells a build server what became worse.
    """
    from ..api.benching import FORMATS
    from ..api.benching import bench as run
    from ..errors import UsageError
    from ..files.output import check_writable, write_file
    from ..measure.matrix import parse_percent
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    allowed = parse_percent(fail_if_worse, "--fail-if-worse") if fail_if_worse else 0.0
    if fail_if_worse and baseline is None:
        raise UsageError("there is nothing to be worse than", where="--fail-if-worse", fix="add --baseline FILE")
    for path in out or ():
        if path.suffix not in FORMATS:
            raise UsageError("is no kind of table", where=str(path), fix=f"name it with one of {', '.join(FORMATS)}")
        check_writable(path, force=True)
    with bars() as shown:
        found = run(
            models, boards=_names(boards), optimise=_names(optimise), baseline=baseline, allowed_percent=allowed,
            allow_float=allow_float, ram=ram or None, timeout_s=timeout_s, progress=shown.progress,
        )  # fmt: skip
    for path in out or ():
        write_file(path, found.written(path.suffix).encode())
    if as_json:
        say_json(found.to_dict(), indent=1)
    else:
        show(found.parts())
    if fail_if_worse and found.worse:
        raise typer.Exit(1)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
