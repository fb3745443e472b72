"""Measured candidates to a picture: loss over flash, as SVG, without a library."""

from __future__ import annotations

from collections.abc import Sequence

from ..exploration.candidate import Budget
from ..report.front import Candidate, scatter
from .trials import Trial, front, measured


def picture(name: str, board: str, trials: Sequence[Trial], best: Trial, budget: Budget, unit: str) -> str:
    """The whole SVG. Both axes are linear; that of the loss begins at the least of all.

    Args:
        unit: of the loss.
    """
    shown = measured(trials)
    keys = {t.candidate.key for t in front(shown)}
    points = [
        Candidate(
            t.figures.flash,
            t.figures.loss,
            f"{t.candidate.key}: {t.figures.flash:,} bytes, {t.figures.loss:.2f} {unit}",
            "best" if t.candidate.key == best.candidate.key else "front" if t.candidate.key in keys else "other",
        )
        for t in shown
        if t.figures is not None
    ]
    title = f"{name} on {board}: loss over flash of {len(points)} candidates"
    return scatter(title, points, unit, budget.flash, budget.loss) + "\n"
