"""Weight clustering: a layer's weights to at most 256 centers of 16 bits and an index of 1 to 8 bits for each.

Compound compression (Hsiao, Chang, Chou, Chiu, J. Systems Architecture 95 (2019) 9-18, doi
10.1016/j.sysarc.2019.02.008): k-means for each layer, centers stored "in binary representation with 16 bits".
The exact format is not known to us; read here as 16-bit two's complement with one binary point for each layer,
the largest with which every center fits (`bits.encode_centers`). k-means is scikit-learn's with its k-means++
start, or, the default, the optimum by dynamic programming (of binned values in large layers), which needs no seed.

Beyond the paper, both optional: each output channel may have a scale of its own (the device multiplies by one
per channel anyway, so it costs nothing there), and weights may count by importance. `second_order` goes on from
here with what is known of the layer's inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...errors import ModelError, UsageError
from ...graph import bits
from ...graph.ir import Array
from . import kmeans

MAX_CENTERS = 256  # what an index of 8 bits can say


@dataclass(frozen=True, slots=True)
class Options:
    method: Literal["optimal", "sklearn", "linear"] = "optimal"
    row_scale: Literal["none", "rms", "max"] = "none"  # what each output channel is divided by first
    scale_rounds: int = 0  # times that row scales are fitted to the centers and the centers to them; 0: once chosen
    channel_axis: int = 0  # of the weights: 0 for (oc, ...), 3 for depthwise (1, kh, kw, oc)
    seed: int = 0  # used by sklearn only
    restarts: int = 4  # used by sklearn only


@dataclass(frozen=True, slots=True)
class Clustered:
    """W[..., o, ...] ~ scales[o] * centers[index[..., o, ...]] * 2**-point."""

    index: Array  # uint8, the weights' shape
    centers: Array  # (k,) int16, ascending; k is less than asked where there are fewer distinct weights
    point: int  # binary point of the centers
    scales: Array  # (oc,) float32; ones where there is no normalisation, 0 for a channel of zeros
    channel_axis: int
    relative_error: float  # squared error over the squared norm of the weights
    output_error: float | None = None  # the same of the layer's outputs, where the inputs are known (second_order)
    steps: bool = False  # centers are whole multiples of one, and stay so in training: the scales are steps (steps.py)

    @property
    def real_centers(self) -> Array:
        """(k,) float64."""
        return np.asarray(bits.decode_centers(self.centers[None], (self.point,))[0])

    @property
    def index_bits(self) -> int:
        return bits.index_bits(self.index)


def cluster(weights: Array, centers: int, options: Options, importance: Array | None = None) -> Clustered:
    """Clusters one layer.

    Args:
        weights: any shape with output channels at `options.channel_axis`.
        centers: 2 to 256.
        importance: the weights' shape, not negative: what the squared error of each weight counts; None: 1.

    Raises:
        UsageError: the number of centers; ModelError: weights that are not finite.
    """
    if not 2 <= centers <= MAX_CENTERS:
        raise UsageError(f"{centers} centers, expected 2 to {MAX_CENTERS}")
    rows = to_rows(weights, options.channel_axis)
    factor = np.ones(rows.shape) if importance is None else to_rows(importance, options.channel_axis)
    if factor.shape != rows.shape or factor.min() < 0:
        raise UsageError("importance must not be negative, and of the weights' shape")
    scales = _row_scales(rows, options.row_scale)
    index = np.zeros(rows.shape, np.int64)
    raw, point = np.zeros(1, np.int16), 0
    for step in range(options.scale_rounds + 1):
        if step:
            scales = fit_scales(rows, factor, index, decode(raw, point), scales)
        live = scales > 0
        values = rows[live] / scales[live, None]
        found = _centers(values, factor[live] * scales[live, None] ** 2, centers, options)
        raw, point = encode(found)
        index[live] = kmeans.nearest(values, decode(raw, point))
    return pack(weights, index, raw, point, scales, options.channel_axis)


def reconstruct(layer: Clustered) -> Array:
    """The weights, float32, in their own shape."""
    rows = layer.scales[:, None].astype(np.float64) * layer.real_centers[to_rows(layer.index, layer.channel_axis)]
    return from_rows(rows.astype(np.float32), layer.index.shape, layer.channel_axis)


def relative_error(weights: Array, layer: Clustered) -> float:
    """Squared error of a layer's weights, of the shape of its indices, over their squared norm."""
    rows = to_rows(weights, layer.channel_axis)
    values = layer.real_centers[to_rows(layer.index, layer.channel_axis)]
    error = rows - layer.scales[:, None].astype(np.float64) * values
    norm = float(np.square(rows).sum())
    return float(np.square(error).sum()) / norm if norm > 0 else 0.0


def to_rows(weights: Array, channel_axis: int) -> Array:
    """(..., oc, ...) to (oc, taps): float64, or the indices as they are. ModelError where not finite."""
    rows = np.moveaxis(weights, channel_axis, 0).reshape(weights.shape[channel_axis], -1)
    if rows.dtype.kind != "f":
        return rows
    if not np.isfinite(rows).all():
        raise ModelError("a weight is not finite")
    return rows.astype(np.float64)


def from_rows(rows: Array, shape: tuple[int, ...], channel_axis: int) -> Array:
    """What `to_rows` gave, in its own shape."""
    moved = np.moveaxis(np.empty(shape, np.bool_), channel_axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(rows.reshape(moved), 0, channel_axis))


def encode(centers: Array) -> tuple[Array, int]:
    """Real centers to ascending, distinct int16 and their binary point."""
    raw, points = bits.encode_centers(centers[None])
    return np.unique(raw[0]), points[0]


def decode(raw: Array, point: int) -> Array:
    """int16 centers to float64."""
    return np.asarray(bits.decode_centers(raw[None], (point,))[0])


def fit_scales(rows: Array, factor: Array, index: Array, centers: Array, scales: Array) -> Array:
    """The scale of each row of least squared error for given indices; the old one where that is not positive."""
    values = centers[index]
    power = (factor * values * values).sum(1)
    fitted = (factor * values * rows).sum(1) / np.where(power > 0, power, 1)
    return np.where((scales > 0) & (power > 0) & (fitted > 0), fitted, scales).astype(np.float32).astype(np.float64)


def pack(
    weights: Array, index: Array, raw: Array, point: int, scales: Array, channel_axis: int, *, steps: bool = False
) -> Clustered:
    """The record of one layer from row-major indices (oc, taps); works out the relative error."""
    shaped = from_rows(index.astype(np.uint8), weights.shape, channel_axis)
    made = Clustered(shaped, raw, point, scales.astype(np.float32), channel_axis, 0.0, steps=steps)
    return replace(made, relative_error=relative_error(weights, made))


def from_centers(index: Array, centers: Array, scales: Array, old: Clustered) -> Clustered:
    """The record of trained centers: encoded to 16 bits, and what became equal by that merged.

    Args:
        index: the weights' shape, into `centers`.
        centers: (k,) real, in any order.
        scales: (oc,) float32, not negative.
        old: the record before training; the errors it states are of the weights that it was fitted to.
    """
    raw, points = bits.encode_centers(np.asarray(centers, np.float64)[None])
    stored, places = np.unique(raw[0], return_inverse=True)
    return replace(old, index=places[index].astype(np.uint8), centers=stored, point=points[0], scales=scales)


def _row_scales(rows: Array, kind: str) -> Array:
    if kind == "none":
        return np.ones(len(rows))
    measure = np.abs(rows).max(1) if kind == "max" else np.sqrt(np.square(rows).mean(1))
    return np.asarray(measure.astype(np.float32).astype(np.float64))  # as stored


def _centers(values: Array, weights: Array, count: int, options: Options) -> Array:
    if values.size == 0:
        return np.zeros(1)
    if options.method == "sklearn":
        return kmeans.sklearn_centers(values, weights, count, options.seed, options.restarts)
    if options.method == "linear":
        return kmeans.linear_centers(values, weights, count)
    return kmeans.optimal(values, weights, count)
