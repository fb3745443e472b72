"""A dataset to seeded, augmented batches of real numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..data import Dataset, real
from ..graph.ir import Array
from .feed import feed
from .place import ALONE, Place


@dataclass(frozen=True, slots=True)
class Augment:
    """What may be done to a sample without changing its label; samples are (h, w, c)."""

    flip: bool  # left to right, every second time
    shift: int  # up to so many pixels up, down, left, right; the border is mirrored
    # Every sample blended with another by a share of its own: labels mean nothing any more, a teacher's scores do.
    mix: bool = False


@dataclass(frozen=True, slots=True)
class Moves:
    """How far each sample of a batch goes: what was drawn for it.

    Attributes:
        reach: pixels that the border is mirrored by; `rows` and `columns` count from there.
        rows, columns: (n, h) and (n, w), which pixels each sample is made of.
    """

    reach: int
    rows: Array
    columns: Array

    def of(self, index: Array) -> Moves:
        return Moves(self.reach, self.rows[index], self.columns[index])


@dataclass(frozen=True, slots=True)
class Batch:
    """What is drawn for a batch, and what of it one process computes.

    Attributes:
        chosen: (n,) samples of the whole batch.
        needed: rows of the batch that are read.
        moves: of the rows that are read; None: they stay as they are.
        blend: shares, and where among the rows that are read a row and the one that is blended into it are; None: no
            row is blended, and those that are read are the batch.
    """

    chosen: Array
    needed: Array
    moves: Moves | None
    blend: tuple[Array, Array, Array] | None

    @property
    def samples(self) -> Array:
        """The samples that are read."""
        return self.chosen[self.needed]


def batches(
    dataset: Dataset, size: int, augment: Augment, rng: np.random.Generator, place: Place = ALONE
) -> Iterator[tuple[Array, Array]]:
    """(x (rows of this process, *shape) float32, indices of all samples) of one epoch, each sample at most once.

    The last, smaller batch is left out, unless it is the only one. What is drawn depends on `rng` alone: neither on how
    many processes share a batch nor on how many workers read it.
    """
    drawn = _drawn(len(dataset), dataset.x.shape[1:], size, augment, rng, place)
    for batch, x in feed(partial(_moved, dataset), drawn, dataset, place.workers):
        values = real(dataset, x)
        if batch.blend is not None:
            share, first, second = batch.blend
            values = np.asarray(share * values[first] + (1 - share) * values[second])
        yield values, batch.chosen


def _drawn(
    count: int, shape: tuple[int, ...], size: int, augment: Augment, rng: np.random.Generator, place: Place
) -> Iterator[Batch]:
    order = rng.permutation(count)
    size = min(size, len(order))
    for at in range(0, len(order) - size + 1, size):
        chosen = order[at : at + size]
        moves = _moves(size, shape, augment, rng)
        needed, blend = place.rows(size), None
        if augment.mix:  # mixup, Zhang et al. 2018, arXiv 1710.09412, the share uniform
            share = rng.random((size, *(1,) * len(shape)), np.float32)
            other = rng.permutation(size)
            mine = needed
            needed, at_both = np.unique(np.concatenate([mine, other[mine]]), return_inverse=True)
            blend = share[mine], at_both[: len(mine)], at_both[len(mine) :]
        yield Batch(chosen, needed, None if moves is None else moves.of(needed), blend)


def _moves(n: int, shape: tuple[int, ...], augment: Augment, rng: np.random.Generator) -> Moves | None:
    """Every sample (h, w, c) is shifted and flipped by its own draw."""
    if len(shape) != 3 or not (augment.flip or augment.shift):
        return None
    h, w, _ = shape
    reach = min(augment.shift, h - 1, w - 1)
    down, right = rng.integers(0, 2 * reach + 1, (2, n, 1))
    columns = np.arange(w)[None].repeat(n, 0)
    if augment.flip:
        columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    return Moves(reach, down + np.arange(h), right + columns)


def _moved(dataset: Dataset, batch: Batch) -> Array:
    """The rows of a batch that are read, as the dataset holds them, each moved as was drawn."""
    x, moves = dataset.x[batch.samples], batch.moves
    if moves is None:
        return x
    reach = moves.reach
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect") if reach else x
    return np.ascontiguousarray(
        padded[np.arange(len(x))[:, None, None], moves.rows[:, :, None], moves.columns[:, None, :]]
    )
