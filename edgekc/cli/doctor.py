"""`edgekc doctor`: shows which compilers and emulators are here, and how to add those that are not."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = ("edgekc doctor",)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show which compilers and emulators are here, and the command that adds each missing one.

    Exits with 2 when something required is missing.
    """
    from ..api.boards import check_tools
    from ..tables import show
    from ..terminal import say_json
    from ..train.bars import bars

    with bars() as shown:
        shown.progress("look for compilers and emulators", 0, 0)
        tools = check_tools()
    if as_json:
        say_json(tools.to_dict()["findings"], indent=2)
    else:
        show(tools.parts())
    if not tools.ok:
        raise typer.Exit(2)
