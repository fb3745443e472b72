"""Error-compensating assignment: a clustered layer and its input's second moments to indices of less output error.

The squared error of a layer's outputs on inputs with second moments H = E[x x^T] (x an unrolled input, one entry
per tap) is tr(E H E^T), E being the error of the weights. Taking the nearest center for each weight ignores that
errors of correlated taps can cancel. Three steps that use it, each of which can be switched off:

1. Compensation (Frantar et al., "GPTQ", ICLR 2023, after Hassibi and Stork's Optimal Brain Surgeon, 1993): tap by
   tap, the error of the tap just assigned is taken up by the taps still free, in the way that costs the outputs
   least: row i of the Cholesky factor of the inverse of the damped H says how.
2. Sweeps of coordinate descent: each weight in turn takes the center that is best while all others stay.
3. Centers, and row scales where the layer has them, are fitted to the indices under H by least squares.

H comes from `moments`: the covariance where what is left of the mean error goes into the bias (`bias_shift`),
which is best, or the second moments where the bias stays. None of the seed papers has this; it makes clustering
without retraining usable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...errors import ModelError, UsageError
from ...graph.ir import Array
from . import kmeans, moments
from .cluster import Clustered, decode, encode, pack, to_rows

_WORK = 2**28  # multiply-accumulates of the weights' error times H, up to which nothing is spared
_FITTED = 2**33  # of refitted centers: of the rows of a large layer only some are looked at


@dataclass(frozen=True, slots=True)
class Options:
    damping: float = 0.01  # added to H's diagonal, as a fraction of its mean
    # Of the taps in step 1. activation: the largest second moment first, "both": whichever leaves less error.
    order: Literal["given", "activation", "both"] = "both"
    block: int = 64  # taps whose errors reach the taps behind them together; affects the time only
    sweeps: int = 4  # of coordinate descent; 0: none
    rounds: int = 2  # times that centers and scales are refitted and the weights assigned again; 0: kept as they are

    def within(self, work: int) -> Options:
        """With less of all of it for a large layer.

        Args:
            work: multiply-accumulates of the weights' error times H.
        """
        if work <= _WORK:
            return self
        order: Literal["given", "activation"] = "given" if self.order == "given" else "activation"
        return replace(self, order=order, sweeps=min(self.sweeps, 1), rounds=min(self.rounds, 1))


def compensate(weights: Array, layer: Clustered, moment: Array, options: Options) -> Clustered:
    """Assigns the weights of a clustered layer anew, centers and scales refitted, least output error kept.

    Args:
        weights: the layer's weights, of the shape of `layer.index`.
        moment: H (taps, taps), or (oc, taps, taps) where output channels read different inputs (depthwise, groups).

    Returns:
        The layer with `output_error` set; never of larger output error than `layer`.
    """
    rows = to_rows(weights, layer.channel_axis)
    oc, taps = rows.shape
    h = np.asarray(moment, np.float64)
    if h.shape not in ((taps, taps), (oc, taps, taps)):
        raise UsageError(f"second moments {list(h.shape)} for {oc} output channels of {taps} taps")
    if not np.isfinite(h).all():
        raise ModelError("a second moment is not finite")
    live = layer.scales > 0
    start = output_error(rows, layer, h)
    best = replace(layer, output_error=start)
    options = options.within(rows.size * taps)
    raw, point, scales = layer.centers, layer.point, layer.scales.astype(np.float64)
    asked = len(raw)
    h_live = h if h.ndim == 2 else h[live]
    ordered = [_ordered(h_live, options, order) for order in _orders(options)]
    for step in range(options.rounds + 1):
        centers = decode(raw, point)
        values = rows[live] / scales[live, None]
        here, index = math.inf, np.zeros(rows.shape, np.int64)
        for taken, factor in ordered:
            found = np.zeros(rows.shape, np.int64)
            found[live] = _compensated(values, centers, taken, factor, options)
            found[live] = _sweep(values, found[live], centers, h_live, options)
            trial = pack(weights, found, raw, point, scales, layer.channel_axis, steps=layer.steps)
            error = output_error(rows, trial, h)
            if error < here:
                here, index = error, found
            if best.output_error is None or error < best.output_error:
                best = replace(trial, output_error=error)
        if step == options.rounds:
            break
        if layer.steps or (layer.scales != 1).any():
            scales[live] = _fit_scales(rows[live], index[live], centers, h_live, scales[live])
        if not layer.steps:  # which stay whole multiples of one
            raw, point = encode(_fit_centers(rows[live], index[live], scales[live], h_live, centers))
            assert len(raw) <= asked
    return best


def output_error(rows: Array, layer: Clustered, h: Array) -> float:
    """Squared error of the outputs over their squared size, both expected under H."""
    real = layer.scales.astype(np.float64)[:, None] * layer.real_centers[to_rows(layer.index, layer.channel_axis)]
    return moments.output_error(rows, real, h)


def _orders(options: Options) -> tuple[str, ...]:
    return ("given", "activation") if options.order == "both" else (options.order,)


def _ordered(h: Array, options: Options, order: str) -> tuple[Array, Array]:
    """The taps in an order, and the upper factor of the inverse of the damped H in it: inverse = factor^T factor."""
    taps = h.shape[-1]
    power = np.diagonal(h, axis1=-2, axis2=-1)  # (taps,) or (rows, taps)
    by_power = np.argsort(-(power if power.ndim == 1 else power.mean(0)), kind="stable")
    taken = by_power if order == "activation" else np.arange(taps)
    damping = options.damping * power.mean(-1)
    damping = np.where(damping > 0, damping, 1.0)  # no damping asked, or inputs that are always 0
    if options.damping == 0:
        spectrum = np.linalg.eigvalsh(h)  # ascending; rounding may leave a singular h a tiny positive eigenvalue
        if (spectrum[..., 0] > taps * np.finfo(float).eps * spectrum[..., -1]).all():
            damping = np.zeros_like(damping)
    # The factor is L^-1 of the H that is turned around, turned back; L is that H's Cholesky factor.
    turned = taken[::-1]
    damped = h[..., turned[:, None], turned]
    diagonal = np.arange(taps)
    damped[..., diagonal, diagonal] += damping[..., None]
    lower = np.linalg.cholesky(damped)
    del damped  # as large as H
    return taken, _inverse_of_lower(lower)[..., ::-1, ::-1]


def _inverse_of_lower(lower: Array) -> Array:
    """The inverse of lower triangular matrices (..., n, n), by halves: a third of the work of a general inverse."""
    n = lower.shape[-1]
    if n <= 64:
        return np.tril(np.linalg.inv(lower))
    half, found = n // 2, np.zeros_like(lower)
    first, last = _inverse_of_lower(lower[..., :half, :half]), _inverse_of_lower(lower[..., half:, half:])
    found[..., :half, :half], found[..., half:, half:] = first, last
    found[..., half:, :half] = -(last @ (lower[..., half:, :half] @ first))
    return found


def _compensated(values: Array, centers: Array, taken: Array, factor: Array, options: Options) -> Array:
    """Indices (rows, taps) by step 1 of the module's description; taken and factor as of `_ordered`."""
    taps = values.shape[1]
    left = values[:, taken].copy()
    index = np.empty(left.shape, np.int64)
    for at in range(0, taps, options.block):
        end = min(at + options.block, taps)
        errors = np.empty((len(left), end - at))
        for i in range(at, end):
            index[:, i] = kmeans.nearest(left[:, i], centers)
            errors[:, i - at] = (left[:, i] - centers[index[:, i]]) / factor[..., i, i]
            left[:, i + 1 : end] -= errors[:, i - at, None] * factor[..., i, i + 1 : end]
        behind = factor[..., at:end, end:]
        left[:, end:] -= errors @ behind if behind.ndim == 2 else np.einsum("oi,oit->ot", errors, behind)
    restored = np.empty_like(index)
    restored[:, taken] = index
    return restored


def _sweep(values: Array, index: Array, centers: Array, h: Array, options: Options) -> Array:
    """Coordinate descent on the undamped H: no step raises the output error."""
    index = index.copy()
    power = np.broadcast_to(np.diagonal(h, axis1=-2, axis2=-1), values.shape)
    for _ in range(options.sweeps):
        gradient = moments.times(values - centers[index], h)
        moved = False
        for at in range(0, values.shape[1], options.block):
            end = min(at + options.block, values.shape[1])
            steps = np.zeros((len(values), end - at))
            for i in range(at, end):
                ok = power[:, i] > 0
                now = centers[index[:, i]]
                target = now + np.where(ok, gradient[:, i] / np.where(ok, power[:, i], 1), 0)
                found = np.where(ok, kmeans.nearest(target, centers), index[:, i])
                better = np.abs(target - centers[found]) < np.abs(target - now) * (1 - 1e-9)
                index[:, i] = np.where(better, found, index[:, i])
                step = centers[index[:, i]] - now
                moved |= bool(better.any())
                gradient[:, at:end] -= step[:, None] * h[..., i, at:end]
                steps[:, i - at] = step
            inside, rest = gradient[:, at:end].copy(), h[..., at:end, :]
            gradient -= steps @ rest if rest.ndim == 2 else np.einsum("oi,oit->ot", steps, rest)
            gradient[:, at:end] = inside  # which has it already
        if not moved:
            break
    return index


def _fit_scales(rows: Array, index: Array, centers: Array, h: Array, scales: Array) -> Array:
    values = centers[index]
    pushed = moments.times(values, h)
    power, match = (pushed * values).sum(1), (pushed * rows).sum(1)
    fitted = match / np.where(power > 0, power, 1)
    return np.where((power > 0) & (fitted > 0), fitted, scales).astype(np.float32).astype(np.float64)


def _fit_centers(rows: Array, index: Array, scales: Array, h: Array, centers: Array) -> Array:
    """Centers of least output error for given indices; those that no weight has stay where they are.

    A ridge towards the present centers keeps directions that H does not see from running away.
    """
    k = len(centers)
    system, target = np.zeros((k, k)), np.zeros(k)
    hit = np.arange(k)
    step = -(-len(rows) * rows.shape[1] ** 2 * k // _FITTED)
    for o in range(0, len(rows), step):
        row, own, scale = rows[o], index[o], scales[o]
        one_hot = (own[:, None] == hit).astype(np.float64)  # (taps, k)
        pushed = (h if h.ndim == 2 else h[o]) @ one_hot
        system += scale**2 * (one_hot.T @ pushed)
        target += scale * (row @ pushed)
    ridge = 1e-6 * max(float(np.trace(system)) / k, 1e-300)
    used = np.bincount(index.reshape(-1), minlength=k) > 0
    solved = np.linalg.solve(system + ridge * np.eye(k), target + ridge * centers)
    return np.sort(np.where(used, solved, centers))
