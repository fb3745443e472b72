"""k-means on numbers: sorted values become the centers of least weighted squared error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array

_CELLS = 4096  # distinct values up to which the optimum is exact; more are first binned into this many
_SKLEARN_VALUES = 262144  # scikit-learn sees a random sample of this size; all values refine its centers


def optimal(values: Array, weights: Array, count: int) -> Array:
    """The optimal centers, ascending (at most `count`, one per distinct value where there are fewer).

    Up to 4,096 distinct values the optimum itself, by dynamic programming over the sorted values (Wang and
    Song, "Ckmeans.1d.dp", R Journal 2011). Beyond, the optimum of 4,096 bins of equal width, refined by Lloyd's
    iteration on all values.
    """
    x, w = _distinct(values, weights)
    if len(x) <= count:
        return x
    if len(x) <= _CELLS:
        return _dynamic_programme(x, w, count)
    width = (x[-1] - x[0]) / _CELLS
    cell = np.minimum(((x - x[0]) / width).astype(np.int64), _CELLS - 1)
    mass = np.bincount(cell, w, _CELLS)
    means = np.bincount(cell, w * x, _CELLS)[mass > 0] / mass[mass > 0]
    if len(means) <= count:  # outliers leave most bins empty
        return refine(x, w, x[np.linspace(0, len(x) - 1, count).astype(int)])
    return refine(x, w, _dynamic_programme(means, mass[mass > 0], count))


def sklearn_centers(values: Array, weights: Array, count: int, seed: int, restarts: int) -> Array:
    """scikit-learn's KMeans with its k-means++ start, ascending, refined on all values."""
    try:
        from sklearn import cluster
    except ImportError as error:
        raise UsageError("method sklearn needs scikit-learn", fix="pip install scikit-learn") from error
    x, w = _distinct(values, weights)
    if len(x) <= count:
        return x
    part = np.arange(len(x))
    if len(x) > _SKLEARN_VALUES:
        part = np.sort(np.random.default_rng(seed).choice(len(x), _SKLEARN_VALUES, replace=False))
    make: Any = cluster.KMeans  # scikit-learn has no types
    model = make(count, init="k-means++", n_init=restarts, random_state=seed)
    model.fit(x[part, None], sample_weight=w[part])
    return refine(x, w, np.sort(model.cluster_centers_[:, 0].astype(np.float64)))


def linear_centers(values: Array, weights: Array, count: int) -> Array:
    """Lloyd's iteration from equally spaced centers, ascending: what Deep Compression (Han 2016) starts from."""
    x, w = _distinct(values, weights)
    return x if len(x) <= count else refine(x, w, np.linspace(x[0], x[-1], count))


def refine(x: Array, w: Array, centers: Array, iterations: int = 200) -> Array:
    """Lloyd's iteration on ascending values x with weights w until no boundary moves; an empty center stays."""
    mass = np.concatenate([[0.0], np.cumsum(w)])
    moment = np.concatenate([[0.0], np.cumsum(w * x)])
    before = np.empty(0)
    for _ in range(iterations):
        ends = np.concatenate([[0], np.searchsorted(x, (centers[1:] + centers[:-1]) / 2, side="right"), [len(x)]])
        if np.array_equal(ends, before):
            break
        before = ends
        size, total = np.diff(mass[ends]), np.diff(moment[ends])
        centers = np.sort(np.where(size > 0, total / np.where(size > 0, size, 1), centers))
    return centers


def nearest(values: Array, centers: Array) -> Array:
    """The index (int64) of the nearest of ascending centers; halfway, the smaller center."""
    return np.searchsorted((centers[1:] + centers[:-1]) / 2, values, side="left")


def _distinct(values: Array, weights: Array) -> tuple[Array, Array]:
    x, inverse = np.unique(np.asarray(values, np.float64).reshape(-1), return_inverse=True)
    w = np.bincount(inverse.reshape(-1), np.asarray(weights, np.float64).reshape(-1), len(x))
    return (x[w > 0], w[w > 0]) if (w > 0).any() else (x, np.ones(len(x)))


def _dynamic_programme(x: Array, w: Array, count: int) -> Array:
    """error[j] of the first j values with m centers = min over i of error[i] with m - 1 + cost of one for i..j.

    The best i grows with j, so the j are walked from coarse to fine and each looks only between its neighbours'
    best i; every level of that walk is one vectorised step.
    """
    n, origin = len(x), float(np.average(x, weights=w))
    shifted = x - origin  # sums of squares far from 0 would cancel
    mass, first, second = (np.concatenate([[0.0], np.cumsum(w * shifted**p)]) for p in (0, 1, 2))

    def cost(i: Array, j: Array) -> Array:
        total = mass[j] - mass[i]
        spread = second[j] - second[i] - (first[j] - first[i]) ** 2 / np.where(total > 0, total, 1)
        return np.asarray(np.where(j > i, np.maximum(spread, 0), 0))

    ends = np.arange(n + 1)
    error = cost(np.zeros(n + 1, np.int64), ends)
    best = np.zeros((count, n + 1), np.int64)
    for m in range(1, count):
        error, best[m] = _layer(error, cost, n)
    cuts = [n]
    for m in range(count - 1, 0, -1):
        cuts.append(int(best[m][cuts[-1]]))
    bounds = np.unique([0, *cuts])
    return np.asarray(np.diff(first[bounds]) / np.diff(mass[bounds]) + origin)


def _layer(error: Array, cost: Callable[[Array, Array], Array], n: int) -> tuple[Array, Array]:
    found, best = np.zeros(n + 1), np.zeros(n + 1, np.int64)
    stride = 1 << max(n.bit_length(), 1)
    done = np.zeros(0, np.int64)
    while stride:
        j = np.arange(stride, n + 1, 2 * stride)
        if len(done) == 0 and len(j) == 0:
            stride //= 2
            continue
        at = np.searchsorted(done, j)
        low = np.where(at > 0, best[done[np.maximum(at - 1, 0)]], 0) if len(done) else np.zeros_like(j)
        high = np.where(at < len(done), best[done[np.minimum(at, len(done) - 1)]], n) if len(done) else j
        high = np.minimum(high, j)
        sizes = high - low + 1
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        i = np.arange(int(sizes.sum())) + np.repeat(low - starts, sizes)
        value = error[i] + cost(i, np.repeat(j, sizes))
        found[j] = np.minimum.reduceat(value, starts)
        hits = np.flatnonzero(value == np.repeat(found[j], sizes))
        best[j] = i[hits[np.searchsorted(hits, starts)]]
        done = np.sort(np.concatenate([done, j]))
        stride //= 2
    return found, best
