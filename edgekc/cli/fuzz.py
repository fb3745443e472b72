"""`edgekc fuzz`: random networks, computed in every way that edgekc has, and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = (
    "edgekc fuzz --seconds 60",
    "edgekc fuzz --seconds 60 --board mps2-an386 --flags all",
    "edgekc fuzz --networks 200 --op conv2d --op clustered_conv2d",
    "edgekc fuzz --seed 7 --networks 40 -o found --json",
)


def fuzz(
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="N", min=1, help="No batch begins after this. Default: 60, or no limit."),
    ] = None,
    networks: Annotated[
        int | None, typer.Option("--networks", metavar="N", min=1, help="End after so many networks.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Draws the networks. Default: a new one, printed."),
    ] = None,
    boards: Annotated[
        list[str] | None,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="Run them on this board's emulator too; may be repeated.",
            autocompletion=way.complete_board,
        ),
    ] = None,
    flags: Annotated[
        str,
        typer.Option(
            "--flags",
            metavar="FLAGS",
            help="Compile by these, as -Os. all: each level in turn. Default: sanitizers here, boards' own there.",
        ),
    ] = "",
    ops: Annotated[
        list[str] | None,
        typer.Option("--op", metavar="NAME", help="Only networks with this operator; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", metavar="DIR", help="Where files of what is found go.")] = Path(),
    first: Annotated[bool, typer.Option("--first", help="End at the first difference.")] = False,
    as_json: way.AsJson = False,
) -> None:
    """Draw random networks, and compare everything that computes them; exit 1 where bytes differ.

    Each is compared with its file as imported, LiteRT, and the C of every family of kernels on this machine, layer by
    layer, and with --board on emulated boards. What differs is made small and written as files that `edgekc verify`
    takes. Ctrl-C ends it with its summary.
    """
    from ..fuzzing.session import fuzz as run
    from ..progress import unsaid
    from ..tables import show
    from ..terminal import say, say_json
    from ..train.bars import bars

    with bars() as shown:
        found = run(
            seed, seconds=seconds, networks=networks, boards=boards or (), flags=flags, ops=ops or (), out=out,
            first=first, log=unsaid if as_json else say, progress=shown.progress,
        )  # fmt: skip
    if as_json:
        say_json(found.to_dict())
    else:
        show(found.parts())
    if not found.ok:
        raise typer.Exit(1)
