"""Measured candidates to a choice: which are not dominated, which is best, and what more of each budget would buy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any

from ..exploration.candidate import Budget, Candidate, Figures

OBJECTIVES = ("flash", "ram", "cycles", "loss")  # what is made small
_WORDS = {"flash": "bytes of flash", "ram": "bytes of RAM", "seconds": "ms", "loss": "points"}
_LITTLE = 0.15  # of a limit: what another choice of layers may save
_STEPS = 3  # of each budget that `buys` goes up


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate, and what became of it.

    Attributes:
        number: in the order in which they began.
        phase: `solver`, `corrected`, `around`, `short` or `long`: what proposed it, or how long it was trained.
        candidate: what was tried.
        figures: what it costs and loses; None where it could not be built, or time was up.
        over: the budgets that it is beyond, each by which share.
        proxy: the loss that the solver expected, in its units; None: not known.
        seconds: that measuring took.
        error: why there are no figures; empty where there are.
        worker: who measured it; empty: the search itself.
    """

    number: int
    phase: str
    candidate: Candidate
    figures: Figures | None
    over: Mapping[str, float]
    proxy: float | None
    seconds: float
    error: str = ""
    worker: str = ""

    @property
    def met(self) -> bool:
        """Whether it is within all budgets."""
        return self.figures is not None and not self.over

    def to_dict(self) -> dict[str, Any]:
        """The record as plain data, with the key of its candidate and whether it meets the budgets."""
        figures = None if self.figures is None else asdict(self.figures)
        return {
            **{name: getattr(self, name) for name in ("number", "phase", "proxy", "seconds", "error", "worker")},
            "key": self.candidate.key,
            "candidate": self.candidate.to_dict(),
            "figures": figures,
            "over": dict(self.over),
            "met": self.met,
        }


def objectives(figures: Figures) -> tuple[float, ...]:
    """What is made small, as numbers; what a board cannot tell is 0 for all candidates."""
    return tuple(float(getattr(figures, name) or 0) for name in OBJECTIVES)


def measured(trials: Sequence[Trial]) -> list[Trial]:
    """Those with figures, each candidate once."""
    return list({t.candidate: t for t in reversed(trials) if t.figures is not None}.values())[::-1]


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The measured ones that no other one beats: no worse in every objective, and better in one."""
    points = [(t, objectives(t.figures)) for t in measured(trials) if t.figures is not None]

    def dominated(point: tuple[float, ...]) -> bool:
        return any(q != point and all(a <= b for a, b in zip(q, point, strict=True)) for _, q in points)

    return [t for t, point in points if not dominated(point)]


def order(trial: Trial, budget: Budget) -> tuple[Any, ...]:
    """Sorts measured trials, the best first.

    Those within the budgets come before the others. Among them the loss decides where flash, RAM or time is limited,
    and flash where nothing but the loss is. Others are sorted by how far beyond the budgets they are.
    """
    figures = trial.figures
    assert figures is not None
    costs = (figures.flash, figures.ram, figures.cycles or 0)
    limited = budget.flash is not None or budget.ram is not None or budget.seconds is not None
    by = (figures.loss, *costs) if limited or budget.loss is None else (*costs, figures.loss)
    return (not trial.met, sum(trial.over.values()), *by, trial.number)


def ranked(trials: Sequence[Trial], budget: Budget) -> list[Trial]:
    """The measured ones, the best first."""
    return sorted(measured(trials), key=lambda t: order(t, budget))


def binding(trial: Trial) -> str:
    """The budget that a trial is farthest beyond; empty where it meets all."""
    return max(trial.over, key=lambda name: trial.over[name], default="")


def near(trials: Sequence[Trial], budget: Budget, count: int) -> list[Trial]:
    """The measured ones that are within the limits of flash, RAM and time, or beyond them by little; the best first."""
    if (budget.flash, budget.ram, budget.seconds) == (None, None, None):
        return []
    costs = replace(budget, loss=None)
    rows = [t for t in measured(trials) if t.figures is not None and all(
        share <= _LITTLE for share in t.figures.over(costs).values())]  # fmt: skip
    return sorted(rows, key=lambda t: (_loss(t), t.number))[:count]


def worth_training(
    trials: Sequence[Trial], budget: Budget, count: int, learns: Callable[[Candidate], bool]
) -> list[Trial]:
    """The untrained ones that training may make best.

    It wins back accuracy and leaves costs as they are, so the loss is no limit here, and the others are. Half of them
    are of those that learn more by training than others: untrained losses do not say which kind ends better.
    """
    every = [t for t in measured(trials) if t.candidate.epochs == 0]
    costs = [t for t in every if set(t.over) <= {"loss"}] or every
    if budget.loss is not None and (budget.flash, budget.ram, budget.seconds) == (None, None, None):
        # The smallest that is close enough: a few points beyond the limit are what training can win back.
        costs = [t for t in costs if t.over.get("loss", 0.0) <= _WON_BACK] or costs
        ordered = sorted(costs, key=lambda t: (_flash(t), t.number))
    else:
        ordered = sorted(costs, key=lambda t: (sum(t.over.values()), _loss(t), _flash(t), t.number))
    kinds = [[t for t in ordered if learns(t.candidate) is kind][: count // 2] for kind in (True, False)]
    chosen = [t for pair in zip_longest(*kinds) for t in pair if t is not None]
    return [*chosen, *(t for t in ordered if t not in chosen)][:count]


_WON_BACK = 4.0  # times the limit of loss


def _loss(trial: Trial) -> float:
    assert trial.figures is not None
    return trial.figures.loss


def _flash(trial: Trial) -> int:
    assert trial.figures is not None
    return trial.figures.flash


@dataclass(frozen=True, slots=True)
class Bought:
    """What more of one budget buys.

    Attributes:
        budget: `flash`, `ram` or `seconds`.
        more: of it than the best takes, in its unit.
        gained: points of loss less.
        trial: the candidate.
    """

    budget: str
    more: float
    gained: float
    trial: Trial

    def __str__(self) -> str:
        amount = f"{1000 * self.more:,.3g} ms" if self.budget == "seconds" else f"{self.more:,} {_WORDS[self.budget]}"
        return f"{amount} more: {self.gained:+.2f} points ({self.trial.candidate.key})"


def buys(trials: Sequence[Trial], best: Trial, budget: Budget) -> list[Bought]:
    """Measured candidates that lose less than the best one, and are beyond no more than one budget."""
    found = []
    for name in ("flash", "ram", "seconds"):
        base = getattr(best.figures, name)
        if getattr(budget, name) is None or base is None:
            continue
        steps: list[Bought] = []
        rows = [t for t in measured(trials) if t.figures is not None and set(t.over) <= {name, "loss"}]
        for t in sorted(rows, key=lambda t: (getattr(t.figures, name) or 0, _loss(t))):
            more, gained = (getattr(t.figures, name) or 0) - base, _loss(best) - _loss(t)
            if more > 0 and gained > (steps[-1].gained if steps else 0.0):
                steps.append(Bought(name, more, gained, t))
        found += steps[:_STEPS]
    return found
