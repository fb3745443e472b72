"""`edgekc diff`: two builds, figure by figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def diff(
    before: Annotated[Path, typer.Argument(help="A compiled folder, or a file of `measure --json`.")],
    after: Annotated[Path, typer.Argument(help="The same, of the other build.")],
    board: Annotated[str, typer.Option("--board", help="For folders. Default: what each was compiled for.")] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Also what did not change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """Compare two builds: flash by kind and layer, arena, stack, instructions."""
    from rich.table import Table

    from ..boards.board import load_board
    from ..files.output import read_manifest
    from ..files.place import recover
    from ..measure.difference import compare_measurements, read_measurement
    from ..measure.emulated import measure
    from ..terminal import console, say, say_json

    def figures_of(path: Path) -> dict[str, Any]:
        recover(path)
        if not path.is_dir():
            return read_measurement(path)
        target = load_board(board or str(read_manifest(path).get("board", "")))
        return json.loads(json.dumps(measure(path, target, samples=1, timeout_s=300.0).as_json()))  # type: ignore[no-any-return]

    changes = compare_measurements(figures_of(before), figures_of(after))
    if as_json:
        rows = [{"what": c.what, "before": c.before, "after": c.after, "delta": c.delta} for c in changes]
        say_json(rows)
        return
    table = Table(title=f"{before} -> {after}", title_justify="left")
    for column in ("", "before", "after", "change"):
        table.add_column(column, justify="right" if column else "left")
    shown = [c for c in changes if show_all or c.delta or c.before is None or c.after is None]
    for c in shown:
        table.add_row(c.what, *("" if n is None else f"{n:,}" for n in (c.before, c.after)), f"{c.delta:+,}")
    if shown:
        console().print(table)
    else:
        say("no figure differs")
