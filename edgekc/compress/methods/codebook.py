"""Linear representation of kernels: k x k kernels to a few templates and, for each kernel, an index, a and b.

The method of Chen, Chen and Su (ICMV 2018, SPIE 11041 110412N, doi 10.1117/12.2522992): cluster all kernels of a
trained CNN with the Pearson correlation coefficient as distance, then write every kernel as a * template + b by
least squares. With k' the centred kernel and t a zero-mean
template of norm 1 the fit is b = mean(k), a = |k'| r, and its squared error |k'|^2 (1 - r^2), r being the
correlation of k and t. So

- the distance is 1 - r^2: a kernel and its negative share a template, the sign goes into a;
- the sum of squared errors is least where each template is the top right singular vector of the centred
  kernels assigned to it, and each kernel is with the template of largest |r|.

The paper does not say how it clusters. The choice here: k-means++ on the squared errors with the best of several
candidates at each step, then both conditions above in turns until the error stands still, several starts, the
best taken. Kernels count with their energy |k'|^2, which makes the objective the squared error of the weights;
`Options.weighting` "equal" has each kernel count alike, the paper to the letter. With `Options.offset` off b is 0
and nothing is centred, as in Son et al., "Clustering Convolutional Kernels", ECCV 2018.

Kernels of 1 x 1 have k' = 0: they cannot be represented and are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...errors import ModelError, UsageError
from ...graph.ir import Array

_CHUNK = 4096  # kernels compared with all templates at a time: 4 MB of correlations at 256 templates
_CONSTANT = 1e-12  # |k'|^2 / |k|^2 below which a kernel is constant: float32 cannot tell it from rounding
_DISTINCT = 1e-12  # error over energy below which the templates found represent every kernel


@dataclass(frozen=True, slots=True)
class Options:
    seed: int = 0
    restarts: int = 4  # starts, of which the best is taken; the time grows with it
    iterations: int = 60  # at most, of each start; the error never rises from one to the next
    tolerance: float = 1e-4  # stop where an iteration lowers the error by less than this fraction
    sample: int = 131072  # kernels that starts work on where there are more; 0: all of them
    polish: int = 8  # iterations over all kernels after the starts, where those worked on a sample
    weighting: Literal["energy", "equal"] = "energy"  # equal: every kernel counts alike, whatever its size
    equal_layers: bool = False  # each layer counts alike: it is weighted by 1 / its energy
    offset: bool = True  # False: b = 0, templates are not zero-mean


@dataclass(frozen=True, slots=True)
class LayerKernels:
    """One layer in terms of templates: W[o, :, :, i] ~ a[o, i] * templates[index[o, i]] + b[o, i]."""

    index: Array  # (oc, ic) int32
    a: Array  # (oc, ic) float32
    b: Array  # (oc, ic) float32
    residual: float  # squared error over the energy of the centred kernels (of the kernels where b = 0)
    relative_error: float  # squared error over the squared norm of the weights


@dataclass(frozen=True, slots=True)
class Codebook:
    """Templates shared by one or more layers. `templates` has fewer than asked where fewer represent all exactly."""

    templates: Array  # (T, kh, kw) float32; norm 1, zero mean unless b = 0
    layers: tuple[LayerKernels, ...]
    residual: float  # as LayerKernels.residual, over all layers


def find(
    layers: Sequence[Array], templates: int, options: Options, importance: Sequence[Array] | None = None
) -> Codebook:
    """Templates for one layer, a group of layers or a whole net.

    Args:
        layers: weights (oc, kh, kw, ic), float; kh and kw the same in all. Of a grouped convolution ic is the
            number of input channels of a group; a depthwise layer goes through `from_depthwise`.
        templates: at most as many as there are kernels that are not constant.
        importance: for each layer (oc, ic), what the squared error of a kernel counts; None: 1.

    Raises:
        UsageError: 1 x 1 kernels, kernels of several sizes, more templates than kernels.
        ModelError: weights that are not finite.
    """
    y = _points(layers, options, importance)
    count = np.count_nonzero(y.any(1))
    if not 1 <= templates <= count:
        raise UsageError(
            f"{templates} templates for {count} kernels that are not constant",
            fix="ask for fewer templates, give several layers one codebook, or leave the layer dense",
        )
    return _finish(layers, _search(y, templates, options, None), options)


def find_to_error(
    layers: Sequence[Array],
    residual: float,
    max_templates: int,
    options: Options,
    importance: Sequence[Array] | None = None,
) -> Codebook:
    """The fewest templates found whose weighted residual is at most `residual` (0..1).

    Codebooks are grown: each starts from the templates of a smaller one, so that its error is not larger.
    Doubled until the target is met, then halved between. UsageError where `max_templates` do not reach it.
    """
    y = _points(layers, options, importance)
    energy = float(np.einsum("nd,nd->", y, y, dtype=np.float64))
    most = min(max_templates, int(np.count_nonzero(y.any(1))))
    if most < 1:
        raise UsageError("every kernel is constant: there is nothing to represent", fix="leave the layer dense")
    low, low_templates = 0, None  # misses the target
    high = 1
    while True:
        found = _search(y, high, options, low_templates)
        if _error(y, found) <= residual * energy:
            break
        if high == most or len(found) < high:
            reached = _error(y, found) / max(energy, 1e-300)
            raise UsageError(
                f"{len(found)} templates leave a residual of {reached:.4f}, above the {residual:g} asked",
                fix="allow more templates or a larger residual",
            )
        low, low_templates, high = high, found, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        trial = _search(y, middle, options, low_templates)
        if _error(y, trial) <= residual * energy:
            high, found = middle, trial
        else:
            low, low_templates = middle, trial
    return _finish(layers, found, options)


def assign(weights: Array, templates: Array, options: Options) -> LayerKernels:
    """One layer (oc, kh, kw, ic) on given templates (T, kh, kw): the index of least error, then a and b.

    For re-assignment between rounds of retraining, also when the templates themselves were trained: they need
    not be zero-mean or of norm 1.
    """
    k = _kernels(weights)
    t = np.asarray(templates, np.float64).reshape(len(templates), -1)
    if k.shape[1] != t.shape[1]:
        raise UsageError(f"templates of {templates.shape[1:]} for weights of {weights.shape}")
    if options.offset:
        k, t = k - k.mean(1, keepdims=True), t - t.mean(1, keepdims=True)
    norm = np.linalg.norm(t, axis=1, keepdims=True)
    labels, _ = _nearest(k.astype(np.float32), t / np.where(norm > 0, norm, 1))
    oc, _, _, ic = weights.shape
    return fit_pairs(weights, templates, labels.reshape(oc, ic), options.offset)


def fit_pairs(weights: Array, templates: Array, index: Array, offset: bool) -> LayerKernels:
    """Least-squares a and b of each kernel of (oc, kh, kw, ic) on its template; a = 0 where one is constant."""
    k = _kernels(weights)
    t = np.asarray(templates, np.float64).reshape(len(templates), -1)
    labels = np.asarray(index, np.int64).reshape(-1)
    k_mean = k.mean(1) if offset else np.zeros(len(k))
    t_mean = t.mean(1) if offset else np.zeros(len(t))
    centred, flat = k - k_mean[:, None], t - t_mean[:, None]
    power = np.einsum("td,td->t", flat, flat)[labels]
    energy = np.einsum("nd,nd->n", centred, centred)
    a = np.einsum("nd,nd->n", centred, flat[labels]) / np.where(power > 0, power, 1)
    a[(power == 0) | _is_constant(k, energy)] = 0
    a = a.astype(np.float32)
    b = (k_mean - a * t_mean[labels]).astype(np.float32)
    difference = k - (a[:, None].astype(np.float64) * t[labels] + b[:, None])
    error = float(np.einsum("nd,nd->", difference, difference))
    shape = np.asarray(index).shape
    return LayerKernels(
        labels.astype(np.int32).reshape(shape),
        a.reshape(shape),
        b.reshape(shape),
        _ratio(error, float(energy.sum())),
        _ratio(error, float(np.einsum("nd,nd->", k, k))),
    )


def reconstruct(layer: LayerKernels, templates: Array) -> Array:
    """The weights (oc, kh, kw, ic) float32 that a layer's index, a and b stand for."""
    dense = layer.a[:, :, None, None] * np.asarray(templates, np.float32)[layer.index] + layer.b[:, :, None, None]
    return np.ascontiguousarray(dense.transpose(0, 2, 3, 1))


def from_depthwise(weights: Array) -> Array:
    """Depthwise weights (1, kh, kw, oc) as (oc, kh, kw, 1), one kernel per output channel."""
    return np.ascontiguousarray(weights.transpose(3, 1, 2, 0))


def to_depthwise(weights: Array) -> Array:
    """The inverse of `from_depthwise`."""
    return np.ascontiguousarray(weights.transpose(3, 1, 2, 0))


def _kernels(weights: Array) -> Array:
    """(oc, kh, kw, ic) to float64 (oc * ic, kh * kw)."""
    if weights.ndim != 4 or 0 in weights.shape:
        raise UsageError(f"weights must have shape (oc, kh, kw, ic), got {list(weights.shape)}")
    oc, k_h, k_w, ic = weights.shape
    if k_h * k_w == 1:
        raise UsageError("1x1 kernels have no shape to represent", fix="leave the layer dense, or cluster its weights")
    if not np.isfinite(weights).all():
        raise ModelError("a weight is not finite")
    return weights.transpose(0, 3, 1, 2).reshape(oc * ic, k_h * k_w).astype(np.float64)


def _is_constant(kernels: Array, centred_energy: Array) -> Array:
    return np.asarray(centred_energy <= _CONSTANT * np.einsum("nd,nd->n", kernels, kernels))


def _points(layers: Sequence[Array], options: Options, importance: Sequence[Array] | None) -> Array:
    """What is clustered: float32 (n, kh * kw), a row's squared norm being what its kernel counts.

    Rescaling a row changes neither its best template nor r, so all weighting is in the norms. Constant kernels
    become rows of zeros.
    """
    sizes = sorted({w.shape[1:3] for w in layers})
    if len(sizes) != 1:
        raise UsageError(f"one codebook for kernels of sizes {sizes}", fix="give each kernel size its own codebook")
    parts = []
    for i, w in enumerate(layers):
        kernels = _kernels(w)
        y = kernels - kernels.mean(1, keepdims=True) if options.offset else kernels
        energy = np.einsum("nd,nd->n", y, y)
        factor = np.ones(len(y)) if importance is None else np.asarray(importance[i], np.float64).reshape(-1)
        if factor.shape != energy.shape or not np.isfinite(factor).all() or factor.min() < 0:
            raise UsageError("importance must be finite, not negative, and of shape (oc, ic)", where=f"layer {i}")
        factor = np.where(_is_constant(kernels, energy), 0, factor)
        if options.weighting == "equal":
            factor = factor / np.where(energy > 0, energy, 1)
        if options.equal_layers:
            factor = factor / max(float(factor @ energy), 1e-300)
        parts.append((y * np.sqrt(factor)[:, None]).astype(np.float32))
    return np.concatenate(parts)


def _search(y: Array, count: int, options: Options, start: Array | None) -> Array:
    """Templates float64 (<= count, d) for the rows of y, of the best of several starts."""
    rng = np.random.default_rng(options.seed)
    y = y[y.any(1)]
    sampled = 0 < options.sample < len(y)
    part = y[np.sort(rng.choice(len(y), max(options.sample, count), replace=False))] if sampled else y
    best, best_error = np.zeros((0, y.shape[1])), math.inf
    for _ in range(options.restarts):
        templates = _seed(part, count, rng, start)
        templates, error = _alternate(part, templates, options.iterations, options.tolerance)
        if error < best_error:
            best, best_error = templates, error
    if sampled:
        best, _ = _alternate(y, best, options.polish, options.tolerance)
    if start is not None and len(start) <= len(best) and _error(y, best) > _error(y, start):
        best = start  # a sample can mislead; a larger codebook is still never worse
    strongest = np.abs(best).argmax(1)
    return np.asarray(best * np.sign(best[np.arange(len(best)), strongest])[:, None])


def _seed(y: Array, count: int, rng: np.random.Generator, start: Array | None) -> Array:
    """k-means++ with the error of each row as its distance; ends early where all rows are represented."""
    wide = y.astype(np.float64)
    energy = np.einsum("nd,nd->n", wide, wide)
    found = [] if start is None else list(start)
    left = energy if start is None else np.maximum(energy - ((wide @ start.T) ** 2).max(1), 0)
    trials = 2 + int(math.log(count))
    while len(found) < count and left.sum() > _DISTINCT * energy.sum():
        steps = np.cumsum(left)
        picks = np.minimum(np.searchsorted(steps, rng.random(trials) * steps[-1], side="right"), len(y) - 1)
        lines = wide[picks] / np.sqrt(energy[picks])[:, None]
        after = np.minimum(left[:, None], np.maximum(energy[:, None] - (wide @ lines.T) ** 2, 0))
        winner = int(after.sum(0).argmin())
        found.append(lines[winner])
        left = after[:, winner]
    return np.array(found).reshape(len(found), y.shape[1])


def _alternate(y: Array, templates: Array, iterations: int, tolerance: float) -> tuple[Array, float]:
    """Assignment and new templates in turns; templates that no row uses are moved to the worst represented row."""
    energy = np.einsum("nd,nd->n", y, y, dtype=np.float64)
    labels, power = _nearest(y, templates)
    error = float(np.maximum(energy - power, 0).sum())
    for _ in range(iterations):
        missing = np.setdiff1d(np.arange(len(templates)), labels)
        if missing.size:  # the moved rows leave clusters that keep at least their own error
            worst = np.argsort(power - energy, kind="stable")[: missing.size]
            labels[worst] = missing[: worst.size]
        trial = _top_vectors(y, labels, templates)
        new_labels, new_power = _nearest(y, trial)
        new_error = float(np.maximum(energy - new_power, 0).sum())
        if new_error > error:  # rounding only: both steps lower the error
            break
        gain = error - new_error
        templates, labels, power, error = trial, new_labels, new_power, new_error
        if gain <= tolerance * error:
            break
    return templates, error


def _nearest(y: Array, templates: Array) -> tuple[Array, Array]:
    """For each row of y (n, d) the template with the largest |y . t|, and that product squared in float64."""
    columns = np.ascontiguousarray(templates.T, np.float32)
    labels = np.empty(len(y), np.int32)
    power = np.empty(len(y), np.float64)
    for at in range(0, len(y), _CHUNK):
        products = y[at : at + _CHUNK] @ columns
        np.abs(products, out=products)
        best = products.argmax(1)
        labels[at : at + _CHUNK] = best
        power[at : at + _CHUNK] = products[np.arange(len(best)), best]
    return labels, np.square(power, out=power)


def _top_vectors(y: Array, labels: Array, templates: Array) -> Array:
    """The top right singular vector of each cluster's rows; the old template where a cluster is empty."""
    order = np.argsort(labels.astype(np.uint16) if len(templates) < 65536 else labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=len(templates)))
    scatter = np.zeros((len(templates), y.shape[1], y.shape[1]))
    for c, end in enumerate(ends):
        rows = y[order[(ends[c - 1] if c else 0) : end]].astype(np.float64)
        scatter[c] = rows.T @ rows
    vectors = np.linalg.eigh(scatter)[1][:, :, -1]
    return np.asarray(np.where(np.einsum("cdd->c", scatter)[:, None] > 0, vectors, templates))


def _error(y: Array, templates: Array) -> float:
    energy = np.einsum("nd,nd->n", y, y, dtype=np.float64)
    return float(np.maximum(energy - _nearest(y, templates)[1], 0).sum())


def _finish(layers: Sequence[Array], templates: Array, options: Options) -> Codebook:
    """Templates rounded to float32, then index, a and b of every layer on what is stored."""
    stored = templates.astype(np.float32).reshape(len(templates), *layers[0].shape[1:3])
    fits = tuple(assign(w, stored, options) for w in layers)
    energies = [_centred_energy(w, options) for w in layers]
    error = sum(f.residual * e for f, e in zip(fits, energies, strict=True))
    return Codebook(stored, fits, _ratio(error, sum(energies)))


def _centred_energy(weights: Array, options: Options) -> float:
    k = _kernels(weights)
    return float(np.square(k - k.mean(1, keepdims=True) if options.offset else k).sum())


def _ratio(error: float, energy: float) -> float:
    return error / energy if energy > 0 else 0.0
