"""`edgekc doctor`: shows which compilers and emulators are here, and how to add those that are not."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show which compilers and emulators are here, and the command that adds each missing one.

    Exits with 2 when something required is missing.
    """
    from rich.table import Table

    from ..firmware.toolchain import doctor as look
    from ..terminal import console, say_json, styled

    findings = look()
    if as_json:
        say_json([dataclasses.asdict(finding) for finding in findings], indent=2)
    else:
        table = Table(title="edgekc doctor", title_justify="left")
        for column in ("", "tool", "for", "found, or how to add it"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            if finding.found:
                mark, last = styled("yes", "green"), styled(finding.version or finding.path, "")
            else:
                mark = styled("NO", "red") if finding.required else styled("no", "yellow")
                last = styled(finding.install, "bold")
            tool = styled(finding.tool, "")
            if finding.required:
                tool.append(" (required)", "dim")
            table.add_row(mark, tool, finding.purpose, last)
        console().print(table)
    if any(finding.required and not finding.found for finding in findings):
        raise typer.Exit(2)
