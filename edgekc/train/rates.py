"""A net, samples and what judges them to the learning rate that the net learns best at.

It is found by short trainings, each with the whole schedule, warm-up and cosine, in little. What a number of steps at a
growing rate does (the range test of Smith 2017, arXiv 1506.01186) says when training diverges, but not what is left of
the noise when the rate has fallen to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..data import Dataset, lengths, subset, take
from ..errors import ModelError
from .choice import Judge
from .loop import Loss, Options, Trainable, train
from .steps_learned import Stepped

_RATIO = 10**0.5  # between the rates that are tried
_SLOWEST, _FASTEST = 1e-6, 0.3
_LONGEST = 50  # steps of one trial
_LONG = 300  # steps of a training that is unlike its trials
MOST_SAMPLES = 1000  # that trials are judged by


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
    score = judge(some(held, MOST_SAMPLES, options.seed))
    start = {name: value.detach().clone() for name, value in net.state_dict().items()}
    tenth = max(len(dataset) // options.batch, 1) * options.epochs // 10
    steps = min(max(tenth, 10), _LONGEST)
    few = some(dataset, steps * options.batch, options.seed)
    epochs = -(-steps // max(len(few) // options.batch, 1))
    tried: dict[float, float] = {}

    def trial(rate: float) -> float:
        if rate not in tried and _SLOWEST <= rate <= _FASTEST:
            try:
                train(net, few, loss, replace(options, epochs=epochs, learning_rate=rate, reassign=0, ema=None))
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


def of_whole(rate: float, net: Trainable, samples: int, options: Options) -> float:
    """The rate of the whole training, where short ones found a rate.

    In a long training that learns steps it is a third. A weight that is rounded anew in each pass changes its level as
    long as the rate is high, and short trainings do not show what that costs: on ResNet-8 with 2 bits 50 steps and 200
    steps favour the same rate, and one to three epochs of 350 end no worse, and mostly better, at a third of it.

    Args:
        samples: that it trains on.
    """
    long = max(samples // options.batch, 1) * options.epochs >= _LONG
    return rate / _RATIO if long and any(isinstance(part, Stepped) for part in net.modules()) else rate


def some(dataset: Dataset, count: int, seed: int) -> Dataset:
    """About so many samples; of sequences the first ones, whole."""
    if dataset.starts is None:
        return subset(dataset, count, seed)
    ends = np.cumsum(lengths(dataset))
    return take(dataset, np.arange(ends[min(int(np.searchsorted(ends, count)), len(ends) - 1)]))


def usual_rate(optimizer: str) -> float:
    """Where the search for a rate begins."""
    return 1e-2 if optimizer == "sgd" else 1e-3
