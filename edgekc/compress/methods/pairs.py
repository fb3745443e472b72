"""Clustered pairs: the a and b of template kernels to a few pairs (a, b), an index a kernel and a scale a filter.

The coefficients are most of a template layer's bytes: with 16 templates and float16 a kernel takes 4 bits of index
and 32 of a and b. "a and b may be clustered too" (docs/compression.md); the choice here is to cluster them together,
as points in two dimensions, by k-means on the squared error that they cause in the weights. With t a template,

    |da * t + db|^2 = da^2 |t|^2 + 2 da db sum(t) + db^2 taps

which is da^2 + taps * db^2 where t has zero mean and norm 1; `canonical` brings trained templates to that form. What
it causes in the outputs is another matter: behind a ReLU the inputs of a window are positive and alike, so an error
of b adds up over the window, and one of a, times a template of zero mean, nearly cancels. So db counts `WINDOW` times
as much as in the weights. Measured on ResNet-8 with 6 bits for the pairs of its three largest layers, divergence of
the scores from those without clustered pairs: 0.253 where it counts once, 0.079 twice, 0.068 three times, 0.093 four.
Each output channel is divided by its own scale first: that scale is part of the requantisation and free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array
from .codebook import LayerKernels

MAX_PAIRS = 256
WINDOW = 3.0  # how much more an error of b costs than its share in the squared error of the weights says


@dataclass(frozen=True, slots=True)
class Pairs:
    """(a, b)[o, i] = scales[o] * values[index[o, i]]."""

    values: Array  # (P, 2) float32
    index: Array  # (oc, ic) int32
    scales: Array  # (oc,) float32, positive

    def expanded(self) -> tuple[Array, Array]:
        """a and b, each (oc, ic) float32."""
        pairs = self.scales[:, None, None] * self.values[self.index]
        return pairs[..., 0].astype(np.float32), pairs[..., 1].astype(np.float32)


def canonical(kernels: LayerKernels, templates: Array) -> LayerKernels:
    """The same kernels on `normalised(templates)`: what a and b become."""
    means, sizes = _means(templates), _sizes(templates)
    a, b = kernels.a.astype(np.float64), kernels.b.astype(np.float64)
    return replace(
        kernels,
        a=(a * sizes[kernels.index]).astype(np.float32),
        b=(b + a * means[kernels.index]).astype(np.float32),
    )


def normalised(templates: Array) -> Array:
    """Templates (T, kh, kw) of zero mean and norm 1; a constant one becomes 0."""
    centred = templates.astype(np.float64) - _means(templates)[:, None, None]
    sizes = _sizes(templates)
    return np.asarray((centred / np.where(sizes > 0, sizes, 1)[:, None, None]).astype(np.float32))


def cluster(kernels: LayerKernels, taps: int, count: int, seed: int) -> Pairs:
    """k-means of the pairs (a, b) of a layer on templates of zero mean and norm 1.

    Args:
        taps: kh * kw; an error of b counts in each of them.
        count: of pairs, 2 to 256; fewer come back where there are fewer distinct ones.

    Raises:
        UsageError: `count` is out of range.
    """
    from sklearn.cluster import KMeans

    if not 2 <= count <= MAX_PAIRS:
        raise UsageError(f"{count} pairs; expected 2 to {MAX_PAIRS}")
    a, b = kernels.a.astype(np.float64), kernels.b.astype(np.float64)
    size = np.sqrt((a**2 + taps * b**2).mean(1))
    scales = np.where(size > 0, size, size.max() or 1.0)
    weight = np.array([1.0, WINDOW * np.sqrt(taps)])
    points = (np.stack([a, b], -1) / scales[:, None, None] * weight).reshape(-1, 2)
    importance = np.repeat(scales**2, a.shape[1])  # an error of a filter counts with the square of its scale
    distinct = len(np.unique(points.astype(np.float32), axis=0))
    found = KMeans(min(count, distinct), n_init=2, random_state=seed).fit(points, sample_weight=importance)
    values = (found.cluster_centers_ / weight).astype(np.float32)
    return Pairs(values, found.labels_.astype(np.int32).reshape(a.shape), scales.astype(np.float32))


def _means(templates: Array) -> Array:
    return np.asarray(templates.astype(np.float64).mean((1, 2)))


def _sizes(templates: Array) -> Array:
    return np.asarray(templates.astype(np.float64).std((1, 2)) * np.sqrt(templates[0].size))
