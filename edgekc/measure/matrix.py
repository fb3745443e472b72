"""Turns measurements of several models, boards and goals into rows, files of rows, and what became worse."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ..errors import UsageError

SCHEMA = 1
Outcome: TypeAlias = Literal["measured", "too large"]
Key: TypeAlias = tuple[str, str, str]
# Of a row, and where less is better: what a user pays, each once. Arena and stack are within RAM, time follows cycles.
FIGURES = {
    "flash_bytes": "flash",
    "ram_bytes": "RAM",
    "instructions": "instructions",
    "estimated_cycles": "estimated cycles",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one board, compiled for one goal.

    Attributes:
        model: as it was named: its path.
        board: name.
        optimise: what it was compiled for: speed, size or ram.
        outcome: `too large`: the board has no room for it, and there are no figures.
        detail: by how much it is too large; else empty.
        flash_bytes, ram_bytes, arena_bytes, stack_bytes: of the model, as `Costs` has them.
        instructions: of one inference; None where nothing counts them.
        estimated_cycles: of one inference, likely; None where nothing estimates them.
        milliseconds: by these at the board's clock; None where the board names none.
    """

    model: str
    board: str
    optimise: str
    outcome: Outcome = "measured"
    detail: str = ""
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    arena_bytes: int | None = None
    stack_bytes: int | None = None
    instructions: int | None = None
    estimated_cycles: int | None = None
    milliseconds: float | None = None

    @property
    def key(self) -> Key:
        """What the row is about."""
        return self.model, self.board, self.optimise


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of a row that is not what it was.

    Attributes:
        key: what the row is about.
        what: the figure, or `outcome`.
        before, after: None: there was no such row or figure, or there is none now.
        worse: whether it is worse by more than was allowed.
    """

    key: Key
    what: str
    before: int | str | None
    after: int | str | None
    worse: bool

    @property
    def percent(self) -> float | None:
        """How much more it is; None where one of the two is no number, or the first is 0."""
        if isinstance(self.before, int) and isinstance(self.after, int) and self.before:
            return 100 * (self.after / self.before - 1)
        return None


def changes(before: Iterable[Row], after: Iterable[Row], percent: float) -> tuple[Change, ...]:
    """What differs between rows about the same model, board and goal, and which rows only one side has.

    Args:
        percent: a figure may grow by so much before it counts as worse. What fitted and does not fit any more is worse.
            A row that is new is not, nor one that nobody asked for now.
    """
    old, new = ({row.key: row for row in rows} for rows in (before, after))
    found = []
    for key in dict.fromkeys((*old, *new)):
        a, b = old.get(key), new.get(key)
        if a is None or b is None or a.outcome != b.outcome:
            was, now = (None if row is None else row.outcome for row in (a, b))
            found.append(Change(key, "outcome", was, now, worse=(was, now) == ("measured", "too large")))
            continue
        for name in FIGURES:
            x, y = getattr(a, name), getattr(b, name)
            if x != y:
                more = x is not None and (y is None or y > x * (1 + percent / 100))
                found.append(Change(key, name, x, y, worse=more))
    return tuple(found)


def parse_percent(text: str, option: str) -> float:
    """`1%`, `0.5 %` or `1` -> 1.0. UsageError where it is none, or negative."""
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"{text!r} is no percentage", where=option, fix="write it as 1% or 0.5%")
    return value


# ---- files ----


def as_json(rows: Sequence[Row], version: str) -> dict[str, Any]:
    """What `edgekc bench --json` prints, and a baseline is read from."""
    return {"schema": SCHEMA, "edgekc": version, "rows": [asdict(row) for row in rows]}


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a file that `edgekc bench -o NAME.json` wrote. UsageError where it is something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']!r}, and this version reads {SCHEMA}")
        return tuple(map(_row, data["rows"]))
    except (LookupError, RecursionError, TypeError, ValueError) as error:
        raise UsageError(
            f"no table of `edgekc bench` ({error})",
            where=str(path),
            fix="pass a file that `edgekc bench -o x.json` wrote",
        ) from error


def _row(data: Mapping[str, Any]) -> Row:
    row = Row(**data)
    for name in ("model", "board", "optimise", "detail"):
        if not isinstance(getattr(row, name), str):
            raise TypeError(f"{name} is no text")
    if row.outcome not in ("measured", "too large"):
        raise ValueError(f"outcome {row.outcome!r}")
    for name in FIGURES:
        if not isinstance(getattr(row, name), (int, type(None))):
            raise TypeError(f"{name} is no whole number")
    return row


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each row below one of names; what is not known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()
