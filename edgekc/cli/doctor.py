"""`edgekc doctor`: shows which compilers and emulators are here, and how to add those that are not."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show which compilers and emulators are here, and the command that adds each missing one.

    Exits with 2 when something required is missing.
    """
    from rich.console import Console
    from rich.table import Table

    from edgekc.toolchain import doctor as look

    findings = look()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        table = Table(title="edgekc doctor", title_justify="left")
        for column in ("", "tool", "for", "found, or how to add it"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            if finding.found:
                mark, last = "[green]yes[/green]", finding.version or finding.path
            else:
                mark = "[red]NO[/red]" if finding.required else "[yellow]no[/yellow]"
                last = f"[bold]{finding.install}[/bold]"
            need = " [dim](required)[/dim]" if finding.required else ""
            table.add_row(mark, f"{finding.tool}{need}", finding.purpose, last)
        Console().print(table)
    if any(finding.required and not finding.found for finding in findings):
        raise typer.Exit(2)
