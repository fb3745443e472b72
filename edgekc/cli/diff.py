"""`edgekc diff`: two builds, figure by figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import way

EXAMPLES = ("edgekc diff before after", "edgekc diff old.json new.json --all")


def diff(
    before: Annotated[Path, typer.Argument(help="A compiled folder, or a file of `measure --json`.", metavar="BEFORE")],
    after: Annotated[Path, typer.Argument(help="The same, of the other build.", metavar="AFTER")],
    board: Annotated[
        str,
        typer.Option(
            "--board",
            metavar="BOARD",
            help="For folders. Default: what each was compiled for.",
            autocompletion=way.complete_board,
        ),
    ] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Also what did not change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """Compare two builds: flash by kind and layer, arena, stack, instructions."""
    from ..api.builds import compare_builds
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        shown.progress(f"measure {before} and {after}", 0, 0)
        found = compare_builds(before, after, board=board)
    if as_json:
        say_json(found.to_dict()["rows"])
    else:
        show(found.table(found.changes if show_all else found.changed))
