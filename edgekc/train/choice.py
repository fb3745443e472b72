"""Validation samples to what they decide of a training: which epoch is kept, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Dataset, check_real, real
from ..errors import ModelError
from ..graph.ir import Array
from .feed import feed
from .place import ALONE, Place

_BATCH = 256  # samples that are looked at together


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


Judge = Callable[[nn.Module], Score]


def in_batches(samples: Dataset, size: int, place: Place = ALONE) -> Iterator[tuple[Any, Array]]:
    """What a net is given, `size` samples at a time, of which it computes its rows, and which samples all are."""
    check_real(samples)
    indices = [np.arange(at, min(at + size, len(samples))) for at in range(0, len(samples), size)]
    jobs = ((index, index[place.rows(len(index))]) for index in indices)
    for (index, _), x in feed(partial(_rows_of, samples), jobs, samples, place.workers):
        place.shared(len(index))
        yield place.put(torch.from_numpy(real(samples, x))), index


def _rows_of(samples: Dataset, job: tuple[Array, Array]) -> Array:
    return samples.x[job[1]]


def judge_by(
    samples: Dataset,
    loss: Callable[[Any, Any, Tensor | None], tuple[Tensor, Tensor | None]],
    bfloat16: bool,
    fed: Callable[[Dataset, int], Iterator[tuple[Any, Array]]] = in_batches,
    place: Place = ALONE,
) -> Judge:
    """What scores a net by samples as they are, nothing augmented.

    Args:
        samples: in the layout of the net's input; a label of -1 is none.
        loss: as `loop.Loss`.
        bfloat16: whether convolutions and products are computed in it.
        fed: the samples as the net takes them, on the device of `place`.
        place: whose processes share the samples.
    """

    def judge(net: nn.Module) -> Score:
        labels = None if samples.y is None else torch.from_numpy(samples.y)
        total, right, known = 0.0, 0, 0
        net.to(place.device).eval()
        with torch.no_grad(), place.autocast(bfloat16):
            for x, which in fed(samples, _BATCH):
                y = None if labels is None else labels[torch.from_numpy(which)].to(place.device)
                try:
                    value, scores = loss(net, x, y)
                except ModelError:  # weights that the device's integers cannot hold
                    return Score(math.inf, None)
                total += float(value) * len(which)
                if y is not None and scores is not None:
                    right, known = right + int((scores.argmax(1) == y).sum()), known + int((y >= 0).sum())
        loss_of_all = float(place.agree_on(np.array(total / len(samples))))
        return Score(loss_of_all, right / known if known else None)

    return judge


class Choice:
    """The best epoch of a training so far.

    Attributes:
        best: its score; None: no epoch has one that is a number.
        epoch: its number, from 1.
        averaged: whether its weights are averages.
        stopped: the epoch, from 1, in which the loss stopped to be a number, or weights left what the device can hold;
            0: none.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.best: Score | None = None
        self.epoch = 0
        self.averaged = False
        self.stopped = 0
        self._kept: dict[str, Tensor] = {}

    def look(self, net: nn.Module, epoch: int, averaged: bool = False) -> None:
        """Judge a net after an epoch, from 1, and keep it if it is the best one."""
        score = self.judge(net)
        if math.isfinite(score.loss) and (self.best is None or score.better(self.best)):
            self.best, self.epoch, self.averaged = score, epoch, averaged
            self._kept = {name: value.detach().clone() for name, value in net.state_dict().items()}

    def restore(self, net: nn.Module) -> None:
        """The net of the best epoch; its latent values are left out where those of `net` have ended."""
        if self.best is not None:
            missing = net.load_state_dict(self._kept, strict=False).missing_keys
            assert not missing, missing

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        score = None if self.best is None else [self.best.loss, self.best.accuracy]
        return {"score": score, "epoch": self.epoch, "averaged": self.averaged, "kept": self._kept}

    def resume(self, state: dict[str, Any]) -> None:
        """What `state` gave."""
        score = state["score"]
        self.best = None if score is None else Score(float(score[0]), None if score[1] is None else float(score[1]))
        self.epoch, self.averaged = int(state["epoch"]), bool(state["averaged"])
        self._kept = dict(state["kept"])
