"""`edgekc inspect`: shows what an .ekc file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    model: Annotated[Path, typer.Argument(help="An .ekc file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """Show header, sections, layers and metadata of an .ekc file, after checking every byte of it."""
    from ..format.inspect import render, report
    from ..pipeline import read_model
    from ..terminal import console, say_json

    found = report(read_model(model), str(model))
    if as_json:
        say_json(found, indent=2)
    else:
        render(found, console())
