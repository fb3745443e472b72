"""Error-compensating assignment of template kernels with clustered pairs: template and pair chosen together.

With T templates and P pairs a kernel is one of T * P words values[p, 0] * template[t] + values[p, 1], times the scale
of its filter. `pairs.cluster` takes the nearest pair for the template that the kernel has; here each kernel takes the
word that is best for the outputs, under the second moments H of the layer's unrolled inputs, as `second_order` does
for single weights:

1. Compensation, one input channel at a time: the error of the kernels just chosen is taken up by those of the channels
   that are still free. With H^-1 = F^T F, F upper triangular in blocks of a kernel's taps, kernel i costs
   |e F_ii^-1|^2 for an error e, and the others move by -e F_ii^-1 F_ij.
2. Sweeps: each kernel in turn takes the word that is best while all others stay.
3. Pairs are fitted to the indices under H by least squares, and 1 and 2 run again.

The inputs of a window are alike, and so are input channels: errors that are opposed nearly cancel. What that gains on
ResNet-8 is in docs/compression.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array
from .moments import output_error
from .pairs import Pairs

_DAMPING = 0.01  # added to H's diagonal, as a fraction of its mean
_WORDS = 2**22  # distances from kernels to words at a time


@dataclass(frozen=True, slots=True)
class Options:
    sweeps: int = 3  # of step 2; 0: none
    rounds: int = 2  # times that step 3 runs


@dataclass(frozen=True, slots=True)
class Assignment:
    index: Array  # (oc, ic) int32, of the templates
    pairs: Pairs
    output_error: float  # squared error of the outputs over their squared size, both expected under H


def compensate(
    weights: Array, templates: Array, index: Array, pairs: Pairs, moment: Array, options: Options
) -> Assignment:
    """Chooses template and pair of each kernel anew, pairs refitted, least output error kept.

    Args:
        weights: (oc, kh, kw, ic), what the kernels stand for.
        templates: (T, kh, kw).
        index: (oc, ic), of the templates where `pairs` starts from.
        moment: H (taps, taps) of inputs unrolled in the order (kh, kw, ic), as `moments.of_layer` has them.

    Returns:
        An assignment of no larger output error than the one that is given.
    """
    oc, kh, kw, ic = weights.shape
    taps = kh * kw
    if moment.shape != (taps * ic, taps * ic):
        raise UsageError(f"second moments {list(moment.shape)} for kernels of {taps} taps and {ic} input channels")
    h = np.asarray(moment, np.float64).reshape(taps, ic, taps, ic).transpose(1, 0, 3, 2).reshape(moment.shape)
    rows = weights.astype(np.float64).transpose(0, 3, 1, 2).reshape(oc, ic * taps)
    shapes = templates.astype(np.float64).reshape(len(templates), taps)
    scales = pairs.scales.astype(np.float64)
    points = rows / scales[:, None]
    values = pairs.values.astype(np.float64)
    best = _scored(rows, shapes, index, pairs, h)
    for turn in range(options.rounds + 1):
        words = (values[None, :, :1] * shapes[:, None] + values[None, :, 1:]).reshape(-1, taps)
        found = _sweep(points, _compensated(points, words, h), words, h, options.sweeps)
        chosen, pair = found // len(values), found % len(values)
        if turn < options.rounds:
            values = _fit_values(points, scales, shapes, chosen, pair, values, h)
        fitted = Pairs(values.astype(np.float32), pair.astype(np.int32), pairs.scales)
        trial = _scored(rows, shapes, chosen.astype(np.int32), fitted, h)
        best = min(best, trial, key=lambda each: each.output_error)
    return best


def _scored(rows: Array, shapes: Array, index: Array, pairs: Pairs, h: Array) -> Assignment:
    a, b = pairs.expanded()
    stored = (a[..., None].astype(np.float64) * shapes[index] + b[..., None]).reshape(rows.shape)
    return Assignment(np.asarray(index, np.int32), pairs, output_error(rows, stored, h))


def _compensated(points: Array, words: Array, h: Array) -> Array:
    """The word (oc, ic) of each kernel by step 1, channels of large inputs first."""
    taps = words.shape[1]
    ic = points.shape[1] // taps
    power = np.diagonal(h).reshape(ic, taps).sum(1)
    order = np.argsort(-power, kind="stable")
    taken = (order[:, None] * taps + np.arange(taps)).reshape(-1)
    damped = h[taken][:, taken] + _damping(h) * np.eye(len(h))
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = points[:, taken].copy()
    found = np.empty((len(points), ic), np.int64)
    for at, channel in enumerate(order):
        here, behind = slice(at * taps, (at + 1) * taps), slice((at + 1) * taps, None)
        inverse = np.linalg.inv(factor[here, here])
        found[:, channel] = _nearest(left[:, here] @ inverse, words @ inverse)
        errors = (left[:, here] - words[found[:, channel]]) @ inverse
        left[:, behind] -= errors @ factor[here, behind]
    return found


def _sweep(points: Array, found: Array, words: Array, h: Array, sweeps: int) -> Array:
    """Step 2: no change raises the output error, up to the damping of singular blocks."""
    found, taps = found.copy(), words.shape[1]
    damping = _damping(h) * 1e-4 * np.eye(taps)
    for _ in range(sweeps):
        gradient = (points - words[found].reshape(points.shape)) @ h
        moved = False
        for channel in range(found.shape[1]):
            here = slice(channel * taps, (channel + 1) * taps)
            block = h[here, here] + damping
            root = np.linalg.cholesky(block)
            now = words[found[:, channel]]
            target = now + np.linalg.solve(block, gradient[:, here].T).T
            best = _nearest(target @ root, words @ root)
            moved |= bool((best != found[:, channel]).any())
            gradient -= (words[best] - now) @ h[here]
            found[:, channel] = best
        if not moved:
            break
    return found


def _nearest(points: Array, words: Array) -> Array:
    size = (words * words).sum(1)
    step = max(_WORDS // len(words), 1)
    parts = [np.argmin(size - 2 * (points[at : at + step] @ words.T), axis=1) for at in range(0, len(points), step)]
    return np.concatenate(parts)


def _fit_values(
    points: Array, scales: Array, shapes: Array, chosen: Array, pair: Array, values: Array, h: Array
) -> Array:
    """Pairs (P, 2) of least output error for given indices; a ridge keeps what H does not see where it is."""
    count, (ic, taps) = len(values), (chosen.shape[1], shapes.shape[1])
    system, target = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)
    channels = np.arange(ic)
    for point, scale, own, mine in zip(points, scales, chosen, pair, strict=True):
        basis = np.zeros((count, 2, ic, taps))
        basis[mine, 0, channels] = shapes[own]
        basis[mine, 1, channels] = 1
        flat = basis.reshape(2 * count, ic * taps)
        pushed = flat @ h
        system += scale**2 * (pushed @ flat.T)
        target += scale**2 * (pushed @ point)
    ridge = 1e-6 * max(float(np.trace(system)) / len(system), 1e-300)
    solved = np.linalg.solve(system + ridge * np.eye(len(system)), target + ridge * values.reshape(-1))
    return np.asarray(solved.reshape(count, 2))


def _damping(h: Array) -> float:
    mean = float(np.diagonal(h).mean())
    return _DAMPING * mean if mean > 0 else 1.0
