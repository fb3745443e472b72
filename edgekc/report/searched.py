"""The folder of a search to what its report shows: all candidates, the front, and the chosen one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..errors import UsageError
from ..exploration.candidate import Candidate as Choice
from ..names import visible
from .chart import Chart
from .front import Candidate, scatter

SCHEMA = 1  # of pareto.json


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
        trials: plain records.
    """

    name: str
    board: str
    subtitle: str
    met: bool
    unit: str
    chosen: Choice
    best: str
    budget: Mapping[str, Any]
    trials: tuple[Mapping[str, Any], ...]


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
        trials = tuple(t for t in found["trials"] if t["figures"] is not None)
        best = next(t for t in trials if t["key"] == found["best"])
        count = f"{len(trials)} measured candidates"
        met = "the chosen one meets the budgets" if found["met"] else "no candidate meets the budgets"
        chosen = Choice.from_dict(best["candidate"])
        for t in trials:  # what the picture needs is there
            float(t["figures"]["flash"]), float(t["figures"]["ram"]), float(t["figures"]["loss"]), bool(t["pareto"])
        return Searched(
            str(found["name"]), str(found["board"]), f"on {found['board']}: {count}, {met}", bool(found["met"]),
            str(found["loss_unit"]), chosen, str(found["best"]), dict(found["budget"]), trials,
        )  # fmt: skip
    except (AttributeError, LookupError, OSError, RecursionError, StopIteration, TypeError, ValueError) as error:
        raise UsageError(
            f"damaged ({type(error).__name__}: {error})", where=str(path), fix="search again, or pass another folder"
        ) from None


def search_chart(search: Searched) -> Chart:
    """Loss over flash of every measured candidate; the table has those that no other one beats."""
    number = tables.number
    figures = map(number, ("epochs", "flash", "RAM", "cycles", "loss"))
    sheet = tables.Sheet("candidates that no other one beats", "candidate", "", tables.words("choices"), *figures)
    points, seen = [], set[str]()
    for t in sorted(search.trials, key=lambda t: int(t["figures"]["flash"])):
        f, key = t["figures"], str(t["key"])
        if key in seen:
            continue
        seen.add(key)
        best = key == search.best
        hint = f"{key}: {f['flash']:,} bytes of flash, {f['ram']:,} of RAM, loss {f['loss']:.2f} {search.unit}"
        points.append(
            Candidate(int(f["flash"]), float(f["loss"]), hint, "best" if best else "front" if t["pareto"] else "other")
        )
        if t["pareto"] or best:
            cycles = "" if f.get("cycles") is None else f"{f['cycles']:,}"
            choice = Choice.from_dict(t["candidate"])
            forms = sorted(dict.fromkeys(form for _, form in choice.layers))
            words = ", ".join(f"{sum(f == form for _, f in choice.layers)} {form}" for form in forms)
            cells = (words, str(choice.epochs), f"{f['flash']:,}", f"{f['ram']:,}", cycles, f"{f['loss']:.2f}")
            sheet.add(key, "chosen" if best else "", *cells)
    title = f"{visible(search.name)} on {visible(search.board)}: loss over flash of {len(points)} candidates"
    picture = scatter(title, points, search.unit, search.budget.get("flash"), search.budget.get("loss"))
    limits = ", ".join(f"{name} {value:,}" for name, value in search.budget.items() if value is not None)
    lead = (
        f"Each point is a network that was built and measured. Allowed: {limits or 'anything'}. The loss is of the "
        "samples that chose; on others it may be larger."
    )
    return Chart("front", "Pareto front", lead, (picture,), (sheet,))
