"""What a study found to tables, to report.md and to pareto.json."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .. import tables
from ..exploration.candidate import Budget
from ..exploration.solve import Correlation
from ..judgement import Judgement
from .engine import Identity
from .trials import Bought, Trial, binding, buys, front, measured

_PHASES = {
    "solver": "the solver's, not trained",
    "corrected": "that save what those missed, or take what they left",
    "around": "drawn around them, not trained",
    "short": "trained for a short time",
    "long": "trained for long",
}
_LIMITS = {"flash": "flash", "ram": "RAM", "seconds": "latency", "loss": "loss"}


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is reported.

    Attributes:
        name, board: of the network, and what it was searched for.
        identity: what the figures are of.
        budget: what was allowed.
        trials: in the order in which they began.
        best: the chosen one; where `best.met` is false it is the nearest.
        correlation: of the solver's proxy and the measured loss; None: too few.
        labelled: whether losses are points of accuracy.
        judgement: of the chosen model by the test part; None: there is none.
    """

    name: str
    board: str
    identity: Identity
    budget: Budget
    trials: tuple[Trial, ...]
    best: Trial
    correlation: Correlation | None
    labelled: bool
    judgement: Judgement | None

    @property
    def unit(self) -> str:
        """Of losses."""
        return "points" if self.labelled else "% of output error"

    @property
    def front(self) -> list[Trial]:
        """Those that no other one beats."""
        return front(self.trials)

    def bought(self) -> list[Bought]:
        """What more of each budget buys."""
        return buys(self.trials, self.best, self.budget)

    def verdict(self) -> list[str]:
        """What was chosen, and whether it meets the budgets."""
        best, lines = self.best, []
        assert best.figures is not None
        if best.met:
            lines.append(f"{self.name} on {self.board}: {best.candidate.key} meets the budgets")
        else:
            parts = [f"{_LIMITS[name]} by {share:.1%}" for name, share in best.over.items()]
            lines.append(
                f"{self.name} on {self.board}: no candidate meets the budgets. The nearest is {best.candidate.key}, "
                f"beyond {', '.join(parts)}; {_LIMITS[binding(best)]} binds"
            )
        lines += [f"{name}: {text}" for name, text in self._figures(best)]
        return [*lines, f"as built by: {self.command()}"]

    def command(self) -> str:
        """The command that builds the chosen model so that it costs what the figures say."""
        found, words = self.best.candidate, ["edgekc compile best.ekc", f"--board {self.board}"]
        words += [f"--optimise {found.optimise}"] * (found.optimise != "speed")
        words += [] if found.ram is None else [f"--ram {found.ram}"]
        return " ".join([*words, "-o DIR"])

    def _figures(self, trial: Trial) -> list[tuple[str, str]]:
        f, budget = trial.figures, self.budget
        assert f is not None
        return [
            ("flash", f"{f.flash:,} bytes{_of(budget.flash)}"),
            ("RAM", f"{f.ram:,} bytes{_of(budget.ram)}"),
            ("latency", _milliseconds(f.seconds, budget.seconds, f.cycles)),
            ("loss", f"{f.loss:.2f} {self.unit}" + ("" if budget.loss is None else f" of {budget.loss:g} allowed")
             + ", on the samples that chose"),
        ]  # fmt: skip

    def trained(self) -> str:
        """How many candidates of each kind there were."""
        counts = Counter(t.phase for t in self.trials if t.figures is not None)
        failed = sum(t.figures is None for t in self.trials)
        parts = [f"{counts[phase]} {what}" for phase, what in _PHASES.items() if counts[phase]]
        return "; ".join(parts) + (f"; {failed} that could not be built" if failed else "")

    def sheet(self, trials: Sequence[Trial] | None = None) -> tables.Sheet:
        """A table of measured candidates, those that no other one beats with a star."""
        number = tables.number
        sheet = tables.Sheet("candidates", "candidate", "", tables.words("choices"), number("epochs"), number("flash"),
                             number("RAM"), number("cycles"), number("loss"), tables.words("beyond"))  # fmt: skip
        stars = {t.candidate.key for t in self.front}
        for t in measured(self.trials) if trials is None else trials:
            if (f := t.figures) is None:
                continue
            mark = ("best" if t.candidate.key == self.best.candidate.key else "") or "*" * (t.candidate.key in stars)
            sheet.add(
                t.candidate.key, mark, choices(t), str(t.candidate.epochs), f"{f.flash:,}", f"{f.ram:,}",
                "" if f.cycles is None else f"{f.cycles:,}", f"{f.loss:.2f}", ", ".join(_LIMITS[n] for n in t.over),
            )  # fmt: skip
        return sheet

    def correlated(self) -> str:
        """How well the solver's proxy ranks."""
        c = self.correlation
        if c is None or math.isnan(c.spearman):
            return "too few untrained candidates to say how well the solver's proxy ranks"
        ranks = f"Spearman {c.spearman:.2f}, Kendall {c.kendall:.2f}"
        return f"the solver's proxy and the measured loss of {c.count} untrained candidates: {ranks}"

    def lines(self) -> list[tables.Part]:
        """What the command prints."""
        found: list[tables.Part] = [*self.verdict(), self.sheet(self.front), f"tried: {self.trained()}"]
        found.append(self.correlated())
        found += [f"more budget: {step}" for step in self.bought()]
        return found + ([] if self.judgement is None else list(self.judgement.lines()))

    def as_json(self) -> dict[str, Any]:
        """pareto.json, and what `--json` prints."""
        stars = {t.candidate.key for t in self.front}
        return {
            "schema": 1,
            "name": self.name,
            "board": self.board,
            "identity": asdict(self.identity),
            "budget": asdict(self.budget),
            "met": self.best.met,
            "binding": binding(self.best),
            "best": self.best.candidate.key,
            "loss_unit": self.unit,
            "rank_correlation": _correlation(self.correlation),
            "bought": [
                {"budget": b.budget, "more": b.more, "gained": b.gained, "key": b.trial.candidate.key}
                for b in self.bought()
            ],
            "judgement": None if self.judgement is None else self.judgement.as_json(),
            "trials": [{**t.to_dict(), "pareto": t.candidate.key in stars} for t in self.trials],
        }

    def markdown(self, recipe: str) -> str:
        """report.md."""
        bought = [f"- {step}" for step in self.bought()] or ["- No measured candidate says so."]
        judged = ["There is no test part."] if self.judgement is None else list(self.judgement.lines())
        best = self.best
        return (
            "\n".join(
                [
                    f"# Search: {self.name} on {self.board}",
                    "",
                    *(f"- {line}" for line in self.verdict()),
                    "",
                    "`edgekc compress MODEL --data DATA --recipe recipe.toml -o NAME.ekc` makes the model again. "
                    "The loss is of the validation samples, by which it was chosen: on other samples it may be larger.",
                    "",
                    "## Judged by the test part",
                    "",
                    *judged,
                    "",
                    "## What was tried",
                    "",
                    f"{self.trained()}. Of them {len(self.front)} are not dominated: no other one is as good in flash, "
                    "RAM, cycles and loss, and better in one of them.",
                    "",
                    f"{self.correlated()[0].upper()}{self.correlated()[1:]}.",
                    "",
                    "![Loss over flash](pareto.svg)",
                    "",
                    "| candidate | found by | choices | epochs | flash | RAM | cycles | loss | beyond |",
                    "|---|---|---|---|---|---|---|---|---|",
                    *(_row(t, best) for t in self.front),
                    "",
                    "All candidates are in `pareto.json`.",
                    "",
                    "## What more of each budget buys",
                    "",
                    *bought,
                    "",
                    "## The recipe",
                    "",
                    "```toml",
                    recipe.rstrip("\n"),
                    "```",
                ]
            )
            + "\n"
        )


def _row(t: Trial, best: Trial) -> str:
    f = t.figures
    assert f is not None
    key = f"**{t.candidate.key}**" if t.candidate.key == best.candidate.key else t.candidate.key
    cycles = "" if f.cycles is None else f"{f.cycles:,}"
    cells = (key, t.phase, choices(t), str(t.candidate.epochs), f"{f.flash:,}", f"{f.ram:,}", cycles, f"{f.loss:.2f}",
             ", ".join(_LIMITS[name] for name in t.over))  # fmt: skip
    return f"| {' | '.join(cells)} |"


def choices(trial: Trial) -> str:
    """How often each choice was taken, and how the code is built."""
    counts = Counter(choice for _, choice in trial.candidate.layers)
    parts = [f"{count} {choice}" for choice, count in sorted(counts.items())]
    c = trial.candidate
    parts += [f"{c.keep:g} of the computation"] * (c.keep != 1.0)
    parts += [f"for {c.optimise}"] * (c.optimise != "speed")
    parts += [] if c.ram is None else [f"in {c.ram:,} bytes of RAM"]
    return ", ".join(parts)


def _of(most: int | None) -> str:
    return "" if most is None else f" of {most:,} allowed"


def _milliseconds(seconds: float | None, most: float | None, cycles: int | None) -> str:
    count = "not estimated for this core" if cycles is None else f"{cycles:,} estimated cycles"
    if seconds is None:
        return count
    allowed = "" if most is None else f" of {1000 * most:g} allowed"
    return f"{1000 * seconds:.3g} ms{allowed}, {count}"


def _correlation(found: Correlation | None) -> dict[str, Any] | None:
    if found is None or math.isnan(found.spearman):
        return None
    return asdict(found)


def to_json(findings: Findings) -> bytes:
    """pareto.json as bytes."""
    return (json.dumps(findings.as_json(), indent=1) + "\n").encode()
