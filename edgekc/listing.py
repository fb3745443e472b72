"""What `compile` and `boards` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import terminal
from .boards.board import Board
from .pipeline import Compiled


def render_compiled(result: Compiled, folder: Path, console: Console | None = None) -> None:
    """Where the sources are and what the plan holds; sizes of code come from `edgekc measure`."""
    console = console or terminal.console()
    plan = result.plan
    sizes = ", ".join(f"{s.kind.name.lower()} {s.nbytes:,}" for s in result.packed.sections)
    ekc = next(len(data) for path, data in result.files.items() if path.endswith(".ekc"))
    sources = sum(path.startswith("src/") for path in result.files)
    console.print(f"{folder}: {sources} C files, {len(plan.steps)} layers, {sum(s.macs for s in plan.steps):,} MACs")
    console.print(f"packed model {ekc:,} bytes: {sizes}", highlight=False)
    over = plan.arena_bytes / max(plan.lower_bound, 1)
    console.print(
        f"arena {plan.arena_bytes:,} bytes, {over:.3f} x the lower bound of {plan.lower_bound:,}, "
        f"peak during {plan.peak_layer}",
        highlight=False,
    )


def render_boards(boards: Sequence[Board], console: Console | None = None) -> None:
    """One row a board."""
    table = Table(title="boards", title_justify="left")
    for column in ("board", "core", "features", "flash", "RAM", "reached by", "note"):
        table.add_column(column, justify="right" if column in ("flash", "RAM") else "left", overflow="fold")
    for b in boards:
        table.add_row(
            b.name, b.core.name, " ".join(sorted(b.features)), _kib(b.flash_bytes), _kib(b.ram_bytes),
            ", ".join(b.reached), b.note,
        )  # fmt: skip
    (console or terminal.console()).print(table)


def _kib(size: int | None) -> str:
    return "-" if size is None else f"{size // 1024} KiB"
