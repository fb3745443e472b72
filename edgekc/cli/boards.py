"""`edgekc boards`: the boards that can be compiled for."""

from __future__ import annotations

from typing import Annotated

import typer


def boards(as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False) -> None:
    """List the boards with their core, memory, and how each is reached: flash tools and emulators."""
    from ..boards.board import list_boards, load_board
    from ..listing import render_boards
    from ..terminal import say_json

    found = [load_board(name) for name in list_boards()]
    if as_json:
        rows = [
            {
                "name": b.name,
                "description": b.description,
                "core": b.core.name,
                "features": sorted(b.features),
                "flash_bytes": b.flash_bytes,
                "ram_bytes": b.ram_bytes,
                "emulators": list(b.emulators),
                "flash_tools": list(b.flash_tools),
                "real": b.probe is not None,
                "source": b.source,
                "note": b.note,
            }
            for b in found
        ]
        say_json(rows)
    else:
        render_boards(found)
