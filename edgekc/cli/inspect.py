"""`edgekc inspect`: shows what an .ekc file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("edgekc inspect net.ekc", "edgekc inspect out/kws.ekc --json")


def inspect(
    model: Annotated[Path, typer.Argument(help="An .ekc file.", metavar="FILE")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """Show header, sections, layers and metadata of an .ekc file, after checking every byte of it."""
    from ..api.builds import inspect as read
    from ..tables import show
    from ..terminal import say_json

    found = read(model)
    if as_json:
        say_json(found.to_dict(), indent=2)
    else:
        show(found.parts())
