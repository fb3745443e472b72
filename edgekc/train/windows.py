"""Sequences to windows that a network with a state is trained on: truncated backpropagation through time.

A window is some steps of several sequences side by side, a lane for each. The state goes on from one window of a lane
to the next, and gradients stay within a window (Williams, Peng 1990, Neural Computation 2, 490-501). Windows end where
their sequence ends, so that a label there reaches as many steps as any; the first window of a sequence may be shorter,
and what is in front of it is no sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ..data import Dataset, lengths, real
from ..graph.ir import Array

Kept: TypeAlias = Mapping[str, tuple[Tensor, ...]]  # state -> what is kept of it, each (lanes, *shape[1:])
# Inputs (n, *sample shape) and states at the start of a step to activations, and to states at its end.
Step: TypeAlias = Callable[[Tensor, Kept], tuple[dict[str, Tensor], Kept]]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Some steps of several sequences.

    Attributes:
        x: (steps, lanes, *sample shape) real numbers.
        there: bool (steps, lanes), false where there is no sample: in front of a sequence, or behind a lane's last one.
        begins: bool (steps, lanes), where a sequence begins.
        opens: no lane goes on from a window before it.
    """

    x: Tensor
    there: Tensor
    begins: Tensor
    opens: bool


Inputs: TypeAlias = "Tensor | Window"  # (n, *sample shape), or for a network with a state a window of its samples


def schedule(counts: Sequence[int], window: int, lanes: int, order: Sequence[int]) -> list[Array]:
    """Which samples each window holds: int64 (window, lanes), -1 where there is none.

    Args:
        counts: how many samples each sequence has.
        order: of the sequences; the lane that is free first takes the next one.
    """
    firsts = np.cumsum([0, *counts])
    waiting = iter(order)
    rest: list[Iterator[Array]] = [iter(()) for _ in range(lanes)]
    found: list[Array] = []
    while True:
        block = np.full((window, lanes), -1, np.int64)
        for lane in range(lanes):
            part = next(rest[lane], None)
            if part is None and (sequence := next(waiting, None)) is not None:
                rest[lane] = _cut(firsts[sequence], counts[sequence], window)
                part = next(rest[lane])
            if part is not None:
                block[window - len(part) :, lane] = part
        if (block < 0).all():
            return found
        found.append(block)


def _cut(first: int, count: int, window: int) -> Iterator[Array]:
    """The samples of a sequence, window by window; all but the first one are full."""
    at = (count - 1) % window + 1
    yield np.arange(first, first + at)
    for start in range(at, count, window):
        yield np.arange(first + start, first + start + window)


def windows(
    dataset: Dataset, window: int, lanes: int, rng: np.random.Generator | None
) -> Iterator[tuple[Window, Array]]:
    """(window, indices of its samples, in the order of its outputs), each sample once.

    Args:
        rng: draws the order of the sequences; None: that of the data.
    """
    counts = lengths(dataset)
    begin = np.zeros(len(dataset), bool)
    begin[np.cumsum([0, *counts[:-1]])] = True
    for i, block in enumerate(schedule(counts, window, lanes, _order(counts, rng))):
        there = block >= 0
        # Where there is no sample, any will do: nothing of it is kept.
        x = real(dataset, dataset.x[np.where(there, block, 0)])
        held = (torch.from_numpy(x), torch.from_numpy(there), torch.from_numpy(there & begin[block]))
        yield Window(*held, opens=i == 0), block[there]


def window_count(dataset: Dataset, window: int, lanes: int, rng: np.random.Generator) -> int:
    """How many windows `windows` will give with the same draw."""
    counts = lengths(dataset)
    return len(schedule(counts, window, lanes, _order(counts, rng)))


def cut(window: Window, index: Array, lanes: Sequence[Array], mine: int) -> tuple[Window, list[Array]]:
    """Some lanes of a window, and which samples each part of it has, in the order of its outputs.

    Args:
        index: of the samples of the whole window.
        lanes: of each part; an empty one is given the first lane, one sample at least, and none of it counts.
        mine: the part that is asked for.
    """
    there = window.there.numpy()
    block = np.full(there.shape, -1, np.int64)
    block[there] = index
    parts = [block[:, part][there[:, part]] for part in lanes]
    chosen = torch.from_numpy(lanes[mine] if len(lanes[mine]) else np.zeros(1, np.int64))
    x, own, begins = (t[:, chosen] for t in (window.x, window.there, window.begins))
    if not own.any():  # all its sequences have ended: it computes what nobody counts
        own = own.clone()
        own[-1, 0] = True
    return Window(x, own, begins, window.opens), parts


def _order(counts: Sequence[int], rng: np.random.Generator | None) -> list[int]:
    return list(range(len(counts))) if rng is None else [int(i) for i in rng.permutation(len(counts))]


class Walk:
    """Steps of a network over windows; what each lane keeps is held from one window to the next."""

    def __init__(self) -> None:
        self._kept: Kept = {}

    def over(self, x: Inputs, first: Kept, step: Step) -> dict[str, Tensor]:
        """Activations of all samples that are there, step by step and in each lane by lane: (n, ...).

        Args:
            first: what states hold in the first step of a sequence, each (1, *shape[1:]); empty: there are none.
        """
        if isinstance(x, Tensor):
            assert not first, "a network with a state takes windows"
            return step(x, {})[0]
        if not first:
            return step(x.x[x.there], {})[0]
        lanes = x.x.shape[1]
        kept = self._kept if not x.opens else {
            name: tuple(part.expand(lanes, *part.shape[1:]) for part in parts) for name, parts in first.items()
        }  # fmt: skip
        found: list[dict[str, Tensor]] = []
        for t in range(len(x.x)):
            if not x.there[t].any():
                continue
            kept = _begun(kept, first, x.begins[t])
            values, kept = step(x.x[t], kept)
            found.append({name: value[x.there[t]] for name, value in values.items()})
        self._kept = {name: tuple(part.detach() for part in parts) for name, parts in kept.items()}
        return {name: torch.cat([values[name] for values in found]) for name in found[0]}


def _begun(kept: Kept, first: Kept, begins: Tensor) -> Kept:
    """States, those of lanes whose sequence begins as they are at first."""
    if not begins.any():
        return kept
    return {
        name: tuple(
            torch.where(begins.to(part.device).reshape(-1, *(1,) * (part.ndim - 1)), start.to(part.device), part)
            for part, start in zip(parts, first[name], strict=True)
        )
        for name, parts in kept.items()
    }
