"""Models, boards and goals to a table of what each costs on each, and to what became worse since another table."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__, tables
from ..boards.board import Board, load_board
from ..errors import CapacityError, UsageError
from ..generate.goals import check_goal
from ..measure import matrix
from ..progress import Progress, silent
from .compiling import DEFAULT_BOARD, compile
from .model import load
from .results import Costs

FORMATS = (".md", ".csv", ".json", ".html")


@dataclass(frozen=True, slots=True)
class Bench(tables.Shown):
    """What each model costs on each board, and what differs from an earlier table.

    Attributes:
        rows: one for each model, board and goal, in the order in which they were named.
        changes: what differs from the baseline; empty without one.
        allowed_percent: by how much a figure may have grown without being called worse.
    """

    rows: tuple[matrix.Row, ...]
    changes: tuple[matrix.Change, ...] = ()
    allowed_percent: float = 0.0

    @property
    def worse(self) -> tuple[matrix.Change, ...]:
        """The changes that are more than was allowed."""
        return tuple(change for change in self.changes if change.worse)

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc bench --json` prints; its `rows` are a baseline for a later run."""
        found = matrix.as_json(self.rows, __version__)
        if self.changes:
            found["changes"] = [
                {"model": c.key[0], "board": c.key[1], "optimise": c.key[2], "what": c.what, "before": c.before,
                 "after": c.after, "worse": c.worse} for c in self.changes
            ]  # fmt: skip
        return found

    def parts(self) -> list[tables.Part]:
        """The table, why some models have no room, and what differs from the baseline."""
        why = [f"{row.model}, {row.optimise}: {row.detail}" for row in self.rows if row.detail]
        return [self._costs(), *why, *self._differences()]

    def written(self, suffix: str) -> str:
        """The text of a file: Markdown, CSV, JSON or HTML by its suffix, one of FORMATS."""
        if suffix == ".csv":
            return matrix.as_csv(self.rows)
        if suffix == ".json":
            return json.dumps(self.to_dict(), indent=1) + "\n"
        if suffix == ".md":
            return "\n\n".join(p.markdown() if isinstance(p, tables.Sheet) else str(p) for p in self.parts()) + "\n"
        title = html.escape(f"edgekc {__version__}: what models cost")
        style = "body{font:16px/1.5 system-ui;margin:2rem;color-scheme:light dark}td,th{padding:.2rem .8rem}"
        head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        return f"{head}<h1>{title}</h1>{tables.html(self.parts())}</html>\n"

    def _costs(self) -> tables.Sheet:
        number = tables.number
        goals = len({row.optimise for row in self.rows}) > 1
        sheet = tables.Sheet(
            "", "model", "board", *["for"] * goals, number("flash"), number("RAM"), number("arena"), number("stack"),
            number("instructions"), number("est. cycles"), number("est. ms"), keys=2 + goals,
        )  # fmt: skip
        for row in self.rows:
            counts = (row.flash_bytes, row.ram_bytes, row.arena_bytes, row.stack_bytes, row.instructions)
            time = "" if row.milliseconds is None else f"{row.milliseconds:,.2f}"
            about = (row.model, row.board, *[row.optimise] * goals)
            if row.outcome == "measured":
                sheet.add(*about, *(tables.size(n, "") for n in (*counts, row.estimated_cycles)), time)
            else:
                sheet.add(*about, row.outcome)
        return sheet

    def _differences(self) -> list[tables.Part]:
        if not self.changes:
            return []
        number = tables.number
        sheet = tables.Sheet(
            f"changes; allowed: {self.allowed_percent:g} %", "model", "board", "for", tables.words("figure"),
            number("before"), number("after"), number("more"), "", keys=3,
        )  # fmt: skip
        for c in self.changes:
            values = [tables.size(v) if isinstance(v, int) else v or "none" for v in (c.before, c.after)]
            more = "" if c.percent is None else f"{c.percent:+.2f} %"
            sheet.add(*c.key, matrix.FIGURES.get(c.what, c.what), *values, more, "worse" if c.worse else "")
        return [sheet]


def bench(
    models: Sequence[str | Path],
    *,
    boards: Sequence[str | Path | Board] = (DEFAULT_BOARD,),
    optimise: Sequence[str] = ("speed",),
    baseline: str | Path | Bench | None = None,
    allowed_percent: float = 0.0,
    allow_float: bool = False,
    ram: int | str | None = None,
    timeout_s: float = 300.0,
    progress: Progress = silent,
) -> Bench:
    """Compile and measure each model for each board and goal: one inference on an input that is the same each time.

    Args:
        models: what `compile` takes; their paths are their names in the table.
        boards: names or files. A board that is not emulated is measured on the emulated core of the same kind.
        optimise: goals, as `compile` has them: speed, size, ram. For `size` the compiler gets -Os.
        baseline: an earlier table, or its JSON file. What differs is in `changes`.
        allowed_percent: a figure may have grown by so much.
        allow_float: what a model computes in float runs in portable C, as for `compile`.
        ram: bytes that arena, state and stack may take, as for `compile`.
        timeout_s: for each run of an emulator.
        progress: is told what is measured, and how many of all are done.

    Returns:
        The table. A model that a board has no room for has a row without figures.

    Raises:
        UsageError: nothing is named, something is named twice, or the baseline is no table.
        BoardError, ModelError, FormatError, UnsupportedError, ToolError: as `compile` and `Program.measure`.
    """
    names = [str(model) for model in models]
    targets = [board if isinstance(board, Board) else load_board(board) for board in boards]
    goals = [str(check_goal(goal)) for goal in optimise]
    for what, given in (("model", names), ("board", [b.name for b in targets]), ("goal", goals)):
        if not given:
            raise UsageError(f"no {what} is named", fix=f"name one {what} at least")
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise UsageError(f"the {what} {twice[0]} is named twice", fix="name it once")
    old = None if baseline is None else _rows_of(baseline)
    loaded = [load(path, allow_float=allow_float) for path in names]  # what cannot be read costs no time
    rows = []
    cells = [(i, board, goal) for i in range(len(names)) for board in targets for goal in goals]
    for k, (i, board, goal) in enumerate(cells):
        progress(f"measure {names[i]} on {board.name}, for {goal}", k, len(cells))
        try:
            program = compile(loaded[i], board=board, optimise=goal, allow_float=allow_float, ram=ram)
            costs = program.measure(1, optimise="size" if goal == "size" else "speed", timeout_s=timeout_s)
        except CapacityError as error:
            rows.append(matrix.Row(names[i], board.name, goal, "too large", str(error)))
        else:
            rows.append(_row(names[i], goal, costs))
    progress("measured", len(cells), len(cells))
    found = () if old is None else matrix.changes(old, rows, allowed_percent)
    return Bench(tuple(rows), found, allowed_percent)


def _rows_of(table: str | Path | Bench) -> tuple[matrix.Row, ...]:
    return table.rows if isinstance(table, Bench) else matrix.read_rows(Path(table))


def _row(model: str, goal: str, costs: Costs) -> matrix.Row:
    speed = costs.measurement.speed
    likely = None if speed is None or speed.milliseconds is None else speed.milliseconds.likely
    return matrix.Row(
        model, costs.board, goal, "measured", "", costs.flash_bytes, costs.ram_bytes, costs.arena_bytes,
        costs.stack_bytes, costs.instructions, costs.estimated_cycles, None if likely is None else round(likely, 3),
    )  # fmt: skip
