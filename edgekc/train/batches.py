"""A dataset to seeded, augmented batches of real numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..data import Dataset, real
from ..graph.ir import Array


@dataclass(frozen=True, slots=True)
class Augment:
    """What may be done to a sample without changing its label; samples are (h, w, c)."""

    flip: bool  # left to right, every second time
    shift: int  # up to so many pixels up, down, left, right; the border is mirrored
    # Every sample blended with another by a share of its own: labels mean nothing any more, a teacher's scores do.
    mix: bool = False


def batches(dataset: Dataset, size: int, augment: Augment, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """(x (size, *shape) float32, indices of the samples) of one epoch, each sample at most once.

    The last, smaller batch is left out, unless it is the only one.
    """
    order = rng.permutation(len(dataset))
    size = min(size, len(order))
    for at in range(0, len(order) - size + 1, size):
        chosen = order[at : at + size]
        x = real(dataset, _augmented(dataset.x[chosen], augment, rng))
        yield _mixed(x, rng) if augment.mix else x, chosen


def _augmented(x: Array, augment: Augment, rng: np.random.Generator) -> Array:
    """x (n, h, w, c): every sample shifted and flipped by its own draw."""
    if x.ndim != 4 or not (augment.flip or augment.shift):
        return x
    n, h, w, _ = x.shape
    reach = min(augment.shift, h - 1, w - 1)
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect") if reach else x
    down, right = rng.integers(0, 2 * reach + 1, (2, n, 1))
    columns = np.arange(w)[None].repeat(n, 0)
    if augment.flip:
        columns = np.where(rng.random((n, 1)) < 0.5, columns[:, ::-1], columns)
    rows = (down + np.arange(h))[:, :, None]
    return np.ascontiguousarray(padded[np.arange(n)[:, None, None], rows, (right + columns)[:, None, :]])


def _mixed(x: Array, rng: np.random.Generator) -> Array:
    """Each sample blended with one of its batch (mixup, Zhang et al. 2018, arXiv 1710.09412), the share uniform."""
    share = rng.random((len(x), *(1,) * (x.ndim - 1)), np.float32)
    return np.asarray(share * x + (1 - share) * x[rng.permutation(len(x))])
