"""Two models' answers to the same labelled samples to what one of them loses: difference, interval, McNemar's test."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from .graph.ir import Array

Z = 1.959964  # of a normal distribution, 95 % lie within so many standard deviations


@dataclass(frozen=True, slots=True)
class Paired:
    """One model beside another one, the base, on the same samples.

    Attributes:
        base: what is compared with: `float`, or a file's name.
        part: what the samples are of the data: `test`, `validation`, `train`, or `given` where nobody says.
        samples: how many.
        right, base_right: samples to which the model and the base give their label.
        lost: samples that only the base has right.
        won: samples that only the model has right.
        disagree: samples to which the two give different classes, right or wrong.
        low, high: ends of the 95 % interval of `points`.
        p: two-sided, of McNemar's exact test: how likely so uneven a `lost` and `won` are where the models are equally
            good.
    """

    base: str
    part: str
    samples: int
    right: int
    base_right: int
    lost: int
    won: int
    disagree: int
    low: float
    high: float
    p: float

    @property
    def points(self) -> float:
        """Percent of the model less that of the base: below 0 where accuracy is lost."""
        return 100.0 * (self.right - self.base_right) / self.samples

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints: the attributes, and `points`."""
        return {**asdict(self), "points": self.points}

    def __str__(self) -> str:
        apart = f"{100 * self.disagree / self.samples:.1f}% answered differently"
        found = f"{self.points:+.2f} points (95% {self.low:+.2f} to {self.high:+.2f})"
        return f"{found}, {self.lost:,} lost, {self.won:,} won, McNemar p {_probability(self.p)}, {apart}"


def compare(answers: Array, base_answers: Array, labels: Array, base: str, part: str) -> Paired:
    """The classes (n,) that a model and a base give to samples with these labels (n,), of which -1 is none."""
    known = labels >= 0
    answers, base_answers, labels = answers[known], base_answers[known], labels[known]
    right, base_right = answers == labels, base_answers == labels
    lost, won = int((base_right & ~right).sum()), int((right & ~base_right).sum())
    low, high = interval(lost, won, len(labels))
    counts = int(right.sum()), int(base_right.sum()), lost, won, int((answers != base_answers).sum())
    return Paired(base, part, len(labels), *counts, low, high, mcnemar(lost, won))


def interval(lost: int, won: int, samples: int) -> tuple[float, float]:
    """The 95 % interval of the difference of two accuracies on the same samples, in points.

    Wald's interval with half a sample added to each cell of the table of both models' answers. Agresti, Min 2005,
    "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24, 729-740. It
    has a width where no sample tells the models apart, too.
    """
    n, b, c = samples + 2.0, lost + 0.5, won + 0.5
    centre, half = (c - b) / n, Z * math.sqrt(b + c - (c - b) ** 2 / n) / n
    return 100.0 * max(centre - half, -1.0), 100.0 * min(centre + half, 1.0)


def mcnemar(lost: int, won: int) -> float:
    """The two-sided p of McNemar's test, exact: a fair coin for each sample that only one of two models has right."""
    n, few = lost + won, min(lost, won)
    term = total = 1  # ways that k of n coins show heads, and their sum up to k: whole numbers, so nothing is rounded
    for k in range(1, few + 1):
        term = term * (n - k + 1) // k
        total += term
    return min(1.0, total / (1 << max(n - 1, 0)))


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of one accuracy, in percent, by Wilson's score (1927)."""
    p, zz = right / total, Z * Z
    centre = (p + zz / (2 * total)) / (1 + zz / total)
    half = Z / (1 + zz / total) * math.sqrt(p * (1 - p) / total + zz / (4 * total**2))
    return 100.0 * (centre - half), 100.0 * (centre + half)


def _probability(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"
