"""The folder of a search to what its report shows: all candidates, the front, and the chosen one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..errors import UsageError
from ..exploration.candidate import Budget, Figures
from ..exploration.candidate import Candidate as Choice
from ..files import records
from ..names import visible
from .chart import Chart
from .front import Candidate, scatter

SCHEMA = 1  # of pareto.json
_MOST = 1e15  # of a figure


@dataclass(frozen=True, slots=True)
class Tried:
    """A measured candidate: how it is compressed and built, what it costs, and whether no other one beats it."""

    key: str
    choice: Choice
    figures: Figures
    pareto: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """What pareto.json says.

    Attributes:
        name, board: of the network, and what it was searched for.
        subtitle: a line for the page.
        met: whether the chosen one meets all budgets.
        unit: of losses.
        chosen: how it is compressed and built.
        best: its key.
        budget: what was allowed, by name; None: as much as it takes.
        trials: those that were measured.
    """

    name: str
    board: str
    subtitle: str
    met: bool
    unit: str
    chosen: Choice
    best: str
    budget: Budget
    trials: tuple[Tried, ...]


def read_search(folder: Path) -> Searched:
    """Read a search's folder.

    Raises:
        UsageError: its pareto.json is damaged, or of another version.
    """
    path = folder / "pareto.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']}, and {SCHEMA} is known")
        trials = tuple(_tried(t) for t in found["trials"] if t["figures"] is not None)
        best = next(t for t in trials if t.key == found["best"])
        budget: Budget = records.of_json(found["budget"], Budget, "budget")
        _check_size(budget)
        count = f"{len(trials)} measured candidates"
        met = "the chosen one meets the budgets" if found["met"] else "no candidate meets the budgets"
        return Searched(
            str(found["name"]), str(found["board"]), f"on {found['board']}: {count}, {met}", bool(found["met"]),
            str(found["loss_unit"]), best.choice, best.key, budget, trials,
        )  # fmt: skip
    except (
        AttributeError, LookupError, OSError, RecursionError, StopIteration, TypeError, UsageError, ValueError,
    ) as error:  # fmt: skip
        raise UsageError(
            f"damaged ({type(error).__name__}: {error})", where=str(path), fix="search again, or pass another folder"
        ) from None


def _check_size(found: Figures | Budget) -> None:
    """ValueError where a figure cannot be drawn: infinite, no number, or larger than anything is."""
    if not all(abs(value) < _MOST for value in asdict(found).values() if value is not None):
        raise ValueError("a figure that is no number, or is too large")


def _tried(found: Mapping[str, Any]) -> Tried:
    figures = Figures.from_dict(found["figures"])
    _check_size(figures)
    return Tried(str(found["key"]), Choice.from_dict(found["candidate"]), figures, bool(found["pareto"]))


def search_chart(search: Searched) -> Chart:
    """Loss over flash of every measured candidate; the table has those that no other one beats."""
    number = tables.number
    figures = map(number, ("epochs", "flash", "RAM", "cycles", "loss"))
    sheet = tables.Sheet("candidates that no other one beats", "candidate", "", tables.words("choices"), *figures)
    points, seen = [], set[str]()
    for t in sorted(search.trials, key=lambda t: t.figures.flash):
        f = t.figures
        if t.key in seen:
            continue
        seen.add(t.key)
        best = t.key == search.best
        hint = f"{t.key}: {f.flash:,} bytes of flash, {f.ram:,} of RAM, loss {f.loss:.2f} {search.unit}"
        points.append(Candidate(f.flash, f.loss, hint, "best" if best else "front" if t.pareto else "other"))
        if t.pareto or best:
            cycles = "" if f.cycles is None else f"{f.cycles:,}"
            forms = sorted(dict.fromkeys(form for _, form in t.choice.layers))
            words = ", ".join(f"{sum(own == form for _, own in t.choice.layers)} {form}" for form in forms)
            cells = (words, str(t.choice.epochs), f"{f.flash:,}", f"{f.ram:,}", cycles, f"{f.loss:.2f}")
            sheet.add(t.key, "chosen" if best else "", *cells)
    title = f"{visible(search.name)} on {visible(search.board)}: loss over flash of {len(points)} candidates"
    picture = scatter(title, points, search.unit, search.budget.flash, search.budget.loss)
    limits = ", ".join(f"{name} {value:,}" for name, value in asdict(search.budget).items() if value is not None)
    lead = (
        f"Each point is a network that was built and measured. Allowed: {limits or 'anything'}. The loss is of the "
        "samples that chose; on others it may be larger."
    )
    return Chart("front", "Pareto front", lead, (picture,), (sheet,))
