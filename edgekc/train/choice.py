"""Validation samples to what they decide of a training: which epoch is kept, when it stops, and how fast it learns.

The rate is found by short trainings, each with the whole schedule, warm-up and cosine, in little: what a fixed number
of steps at a growing rate does (the range test of Smith 2017, arXiv 1506.01186) says when training diverges, but not
what is left of the noise when the rate has fallen to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..data import Dataset, real_batches, subset
from ..errors import ModelError

if TYPE_CHECKING:
    from .loop import Loss, Options, Trainable

_BATCH = 256  # samples that are looked at together
_RATIO = 10**0.5  # between the rates that are tried
_SLOWEST, _FASTEST = 1e-6, 0.3
_LONGEST = 50  # steps of one trial
_MOST_SAMPLES = 1000  # that trials are judged by


@dataclass(frozen=True, slots=True)
class Score:
    """What a net does on samples: mean loss, and the share of right answers where there are labels and classes."""

    loss: float
    accuracy: float | None

    def better(self, other: Score) -> bool:
        """By accuracy where there is one; the loss tells equal ones apart."""
        if not math.isfinite(self.loss):
            return False
        if not math.isfinite(other.loss):
            return True
        return (self.accuracy or 0.0, -self.loss) > (other.accuracy or 0.0, -other.loss)

    def __str__(self) -> str:
        return f"loss {self.loss:.4f}" if self.accuracy is None else f"{self.accuracy:.2%}, loss {self.loss:.4f}"


Judge = Callable[["Trainable"], Score]


def judge_by(samples: Dataset, loss: Loss, bfloat16: bool) -> Judge:
    """What scores a net by samples as they are, nothing augmented; they are in the layout of its input."""

    def judge(net: Trainable) -> Score:
        labels = None if samples.y is None else torch.from_numpy(samples.y)
        total, right, known = 0.0, 0, False
        net.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            for i, batch in enumerate(real_batches(samples, _BATCH)):
                y = None if labels is None else labels[i * _BATCH :][: len(batch)]
                try:
                    value, scores = loss(net, torch.from_numpy(batch), y)
                except ModelError:  # weights that the device's integers cannot hold
                    return Score(math.inf, None)
                total += float(value) * len(batch)
                if y is not None and scores is not None:
                    right, known = right + int((scores.argmax(1) == y).sum()), True
        return Score(total / len(samples), right / len(samples) if known else None)

    return judge


class Choice:
    """The best epoch of a training so far.

    Attributes:
        best: its score; None: no epoch has one that is a number.
        epoch: its number, from 1.
        stopped: the epoch, from 1, in which the loss stopped to be a number, or weights left what the device can hold;
            0: none.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.best: Score | None = None
        self.epoch = 0
        self.stopped = 0
        self._kept: dict[str, Tensor] = {}

    def look(self, net: Trainable, epoch: int) -> None:
        """Judge a net after an epoch, from 1, and keep it if it is the best one."""
        score = self.judge(net)
        if math.isfinite(score.loss) and (self.best is None or score.better(self.best)):
            self.best, self.epoch = score, epoch
            self._kept = {name: value.detach().clone() for name, value in net.state_dict().items()}

    def restore(self, net: Trainable) -> None:
        """The net of the best epoch; its latent values are left out where those of `net` have ended."""
        if self.best is not None:
            missing = net.load_state_dict(self._kept, strict=False).missing_keys
            assert not missing, missing

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        score = None if self.best is None else [self.best.loss, self.best.accuracy]
        return {"score": score, "epoch": self.epoch, "kept": self._kept}

    def resume(self, state: dict[str, Any]) -> None:
        """What `state` gave."""
        score = state["score"]
        self.best = None if score is None else Score(float(score[0]), None if score[1] is None else float(score[1]))
        self.epoch, self._kept = int(state["epoch"]), dict(state["kept"])


def find_rate(
    net: Trainable, dataset: Dataset, loss: Loss, options: Options, judge: Callable[[Dataset], Judge], held: Dataset
) -> tuple[float, list[tuple[float, float]]]:
    """The learning rate whose short training has the least loss on other samples.

    Starts at the optimiser's usual rate and goes on, down or up, while the loss falls. The net is left as it was.

    Args:
        judge: makes what scores a net by samples.
        held: such samples.

    Returns:
        The rate, and what was tried: rates and losses, in that order.
    """
    from .loop import train

    score = judge(subset(held, _MOST_SAMPLES, options.seed))
    start = {name: value.detach().clone() for name, value in net.state_dict().items()}
    tenth = max(len(dataset) // options.batch, 1) * options.epochs // 10
    steps = min(max(tenth, 10), _LONGEST)
    few = subset(dataset, steps * options.batch, options.seed)
    epochs = -(-steps // max(len(few) // options.batch, 1))
    tried: dict[float, float] = {}

    def trial(rate: float) -> float:
        if rate not in tried and _SLOWEST <= rate <= _FASTEST:
            try:
                train(net, few, loss, replace(options, epochs=epochs, learning_rate=rate, reassign=0))
                value = score(net).loss
            except ModelError:
                value = math.inf
            tried[rate] = value if math.isfinite(value) else math.inf
            net.load_state_dict(start)
        return tried.get(rate, math.inf)

    def at(exponent: int) -> float:  # a number that is the same whichever way it is reached
        return usual_rate(options.optimizer) * _RATIO**exponent

    here, way = (-1, -1) if trial(at(-1)) <= trial(at(0)) else (0, 1)
    while trial(at(here + way)) < trial(at(here)) or (math.isinf(trial(at(here))) and at(here + way) >= _SLOWEST):
        here += way
    return at(here), list(tried.items())


def usual_rate(optimizer: str) -> float:
    """Where the search for a rate begins."""
    return 1e-2 if optimizer == "sgd" else 1e-3
