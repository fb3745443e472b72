"""A layer and samples of its input to the mean and second moments of its unrolled inputs, one entry per tap.

They say what an error of the weights does to the outputs: with E the error of (oc, taps) weights, the expected
output error is E mean, and its expected square tr(E H E^T). The first can be taken into the bias (`bias_shift`);
what is left then is tr(E C E^T), C being the covariance, so that is what `second_order` and `lowrank` should be
given where the bias may change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from ...graph.ir import Array, Graph, Node
from ...graph.op import IntAttrs, Shape, view_of
from ...ops import filters_of, layer_filters
from ...ops.shared.linear import windows
from ...ops.shared.transposed import ONES, spread

_BLOCK_BYTES = 32 * 2**20  # of unrolled inputs at a time
_MACS = 2**35  # of the products of one layer's taps, in float64: about a second
_VALUES = 2**26  # of unrolled inputs of one layer: some seconds
ROWS_A_TAP = 4  # windows that are looked at, at least: fewer say little of how taps correlate


@dataclass(frozen=True, slots=True)
class Moments:
    """Depthwise and grouped layers have taps of their own for each output channel: a leading axis of oc."""

    mean: Array  # (taps,) or (oc, taps) float64
    second: Array  # (taps, taps) or (oc, taps, taps) float64: E[x x^T]

    @property
    def covariance(self) -> Array:
        """Of the shape of `second`."""
        outer = self.mean[..., :, None] * self.mean[..., None, :]
        return np.asarray(np.subtract(self.second, outer, out=outer))


def of_layer(graph: Graph, node: Node, x: Array) -> Moments:
    """Moments of a FLOAT node with weights, from its input activation x (n, ...); taps in the weights' order."""
    filters = filters_of(node)
    if filters is None:
        raise UsageError(f"{node.op} has no weights", where=node.name)
    shape = view_of(graph, node).weights.shape
    attrs = {key: value for key, value in node.attrs.items() if isinstance(value, int)}
    x = _enough(graph, node, x)
    if not filters.window:
        return of_rows([np.asarray(x).reshape(-1, shape[1])])
    if filters.dense_window:
        return of_conv2d(x, attrs, shape[1], shape[2])
    if filters.transposed:
        return of_transposed(x, attrs, graph.tensors[node.outputs[0]].shape[1:3], shape[1], shape[2])
    reads = 1 if filters.depthwise else shape[3]
    return of_grouped(x, attrs, shape[1], shape[2], reads, shape[filters.axis])


def _enough(graph: Graph, node: Node, x: Array) -> Array:
    """The first samples, as many as the products of their taps can be afforded for."""
    weights, axis = view_of(graph, node).weights.shape, layer_filters(node).axis
    windows, taps = math.prod(graph.tensors[node.outputs[0]].shape[1:-1]), math.prod(weights) // weights[axis]
    rows = max(min(_MACS // taps**2, _VALUES // taps), ROWS_A_TAP * taps)
    return x[: max(1, rows // windows)]


def of_rows(blocks: Iterable[Array]) -> Moments:
    """Of unrolled inputs given in blocks (n, taps), or (taps_sets, n, taps) for one set of moments each."""
    count, total, products = 0, np.zeros(()), np.zeros(())
    for block in blocks:
        rows = np.asarray(block, np.float64)
        count += rows.shape[-2]
        total = total + rows.sum(-2)
        product = np.swapaxes(rows, -1, -2) @ rows
        products = np.add(products, product, out=product)
    if count == 0:
        raise UsageError("no samples to take moments of")
    return Moments(total / count, np.divide(products, count, out=products))


def of_conv2d(x: Array, attrs: IntAttrs, k_h: int, k_w: int) -> Moments:
    """Of a convolution with input x (n, h, w, c); taps in the order (kh, kw, ic). Padding counts as zeros."""
    taps = k_h * k_w * x.shape[3]
    return of_rows(patches.reshape(-1, taps) for patches in _patches(x, attrs, k_h, k_w))


def of_transposed(x: Array, attrs: IntAttrs, out: Shape, k_h: int, k_w: int) -> Moments:
    """Of a transposed convolution to an image of `out` pixels; taps as `of_conv2d`. Where one has no pixel it is 0."""
    seen = spread(attrs, np.asarray(x, np.float32), out, (k_h, k_w), 0.0)
    taps = k_h * k_w * x.shape[3]
    return of_rows(p[:, :, :, ::-1, ::-1].reshape(-1, taps) for p in _patches(seen, ONES, k_h, k_w))


def of_grouped(x: Array, attrs: IntAttrs, k_h: int, k_w: int, reads: int, oc: int) -> Moments:
    """Of a convolution in groups of `reads` input channels, 1 in a depthwise one; taps in the order (kh, kw, reads)."""
    groups = x.shape[3] // reads

    def by_group(patches: Array) -> Array:
        split = patches.reshape(-1, k_h * k_w, groups, reads)
        return split.transpose(2, 0, 1, 3).reshape(groups, -1, k_h * k_w * reads)

    each = of_rows(by_group(patches) for patches in _patches(x, attrs, k_h, k_w))
    return Moments(np.repeat(each.mean, oc // groups, axis=0), np.repeat(each.second, oc // groups, axis=0))


def bias_shift(weights: Array, stored: Array, mean: Array) -> Array:
    """What the bias gains (oc,), float64, so that outputs keep their mean; weights (oc, taps), mean as in Moments."""
    return np.asarray(((np.asarray(weights, np.float64) - stored) * mean).sum(1))


def times(rows: Array, h: Array) -> Array:
    """Each row (oc, taps) times H, or times its own of (oc, taps, taps)."""
    return np.asarray(rows @ h if h.ndim == 2 else np.einsum("ot,otu->ou", rows, h))


def output_error(rows: Array, stored: Array, h: Array) -> float:
    """Squared error of the outputs over their squared size, both expected under H; weights (oc, taps) and stored."""
    size, off = float((times(rows, h) * rows).sum()), rows - stored
    return float((times(off, h) * off).sum()) / size if size > 0 else 0.0


def _patches(x: Array, attrs: IntAttrs, k_h: int, k_w: int) -> Iterator[Array]:
    """Unrolled inputs (n, out_h, out_w, kh, kw, c) of a few samples at a time."""
    sample_bytes = 4 * x[:1].size * k_h * k_w
    step = max(1, _BLOCK_BYTES // max(sample_bytes, 1))
    for at in range(0, len(x), step):
        yield windows(attrs, np.asarray(x[at : at + step], np.float32), k_h, k_w, 0)
