"""Kernels for cores with vector instructions: what they accept, and their weights in the order they are read.

One layout serves every instruction set (runtime_c/kernels/vec/ek_vec.h): filters in blocks of 16, taps in groups of
four, as SDOT and VPDPBUSD multiply them; narrower instructions take the same groups in halves.
"""

from __future__ import annotations

import numpy as np

from ...graph.fixedpoint import DOUBLE, SINGLE
from ...graph.ir import Array
from ...graph.op import LAID_OUT, Field, Param, View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring

VECTOR = frozenset({"vector"})
BLOCK = 16  # filters of a record
GROUP = 4  # taps that one instruction adds for a filter
SLACK = 64  # bytes behind the taps in scratch, which are read for weights of zero
COLUMNS = 8  # the most that a tile has
ACCUMULATOR_LIMIT = 2**30
RECORD_FIELDS: tuple[Field, ...] = (("const int8_t *", "records"), lin.REQUANT_FIELD)
WINDOW_FIELDS: tuple[Field, ...] = (*RECORD_FIELDS, lin.WINDOW_FIELD, ("int8_t", "pad_value"))
MATRIX_FIELDS: tuple[Field, ...] = (*RECORD_FIELDS, *(("uint32_t", name) for name in ("rows", "in_c", "out_c")))


def accepts(view: View) -> bool:
    """Whether requantisation in 32 bits has the reference's bits, and pairs of products fit 16 bits.

    Doubling the accumulator must not overflow, and every shift goes right. -128 * -128 twice would leave int16, in
    which NEON without SDOT adds two products.
    """
    shift = view.shift.value
    return bool(
        view["rounding"] in (DOUBLE, SINGLE)
        and np.all((shift >= -30) & (shift <= -1))
        and np.all(lin.accumulator_bound(view) < ACCUMULATOR_LIMIT)
        and np.all(view.weights.value > -128)
    )


def in_blocks(filters: Array, fill: int = 0) -> Array:
    """(blocks, groups, 16 filters, 4 taps): filters in the order of records, what is filled up being `fill`.

    Args:
        filters: (oc, runs, taps); the taps of each run are filled up to whole groups.
    """
    channels, runs, taps = filters.shape
    groups, blocks = -(-taps // GROUP), -(-channels // BLOCK)
    padded = np.full((blocks * BLOCK, runs, groups * GROUP), fill, filters.dtype)
    padded[:channels, :, :taps] = filters
    return padded.reshape(blocks, BLOCK, runs * groups, GROUP).transpose(0, 2, 1, 3)


def channels_in_blocks(filters: Array, fill: int = 0) -> Array:
    """(blocks, groups, 16 channels, 4 rows): the same of a depthwise layer.

    Args:
        filters: (kh, kw, oc). For each column of the window, four rows of it at a time are a group.
    """
    k_h, k_w, channels = filters.shape
    groups, blocks = -(-k_h // GROUP), -(-channels // BLOCK)
    padded = np.full((groups * GROUP, k_w, blocks * BLOCK), fill, filters.dtype)
    padded[:k_h, :, :channels] = filters
    ordered = padded.reshape(groups, GROUP, k_w, blocks, BLOCK).transpose(3, 2, 0, 4, 1)
    return ordered.reshape(blocks, k_w * groups, BLOCK, GROUP)


def records(view: View, filters: Array) -> Array:
    """uint8: a record for each block of filters, int8 (oc, runs, taps)."""
    weights = in_blocks(filters)
    return with_headers(view, weights.reshape(len(weights), -1), filters.reshape(len(filters), -1))


def channel_records(view: View, filters: Array) -> Array:
    """uint8: a record for each block of channels of a depthwise layer, int8 (kh, kw, oc)."""
    weights = channels_in_blocks(filters)
    return with_headers(view, weights.reshape(len(weights), -1), filters.reshape(-1, filters.shape[2]).T)


def with_headers(view: View, weights: Array, filters: Array | None = None) -> Array:
    """uint8: a record for each of (blocks, bytes) weights; the sums of weights are 0 without (oc, taps) `filters`."""
    constants = (view.bias, view.multiplier, view.shift)
    bias, multiplier, shift = (tensor.value.astype(np.int64) for tensor in constants)
    channels, blocks = bias.size, weights.shape[0]
    header = np.zeros((4, blocks * BLOCK), np.int64)
    header[0, :channels] = bias
    if filters is not None:
        header[1, :channels] = 128 * filters.astype(np.int64).sum(1)
    header[2, :channels] = multiplier
    header[3] = 1  # a shift that exists, for filters that do not
    header[3, :channels] = -shift
    words = header.astype("<i4").reshape(4, blocks, BLOCK).transpose(1, 0, 2).reshape(blocks, -1)
    return np.concatenate([np.ascontiguousarray(words).view(np.uint8), weights.view(np.uint8)], axis=1).reshape(-1)


def window_params(view: View, k_h: int, k_w: int) -> dict[str, Param]:
    held = lin.requant_params(view, laid_out=True)
    return {"records": LAID_OUT, **held, **lin.window_params(view, k_h, k_w), "pad_value": view["pad_value"]}


def conv2d_records(view: View) -> Array:
    """A run is a row of the window, or with dilation one pixel of it."""
    w = view.weights.value
    oc, k_h, k_w, ic = w.shape
    runs = (k_h * k_w, ic) if view["dilation_w"] > 1 else (k_h, k_w * ic)
    return records(view, w.reshape(oc, *runs))


def conv2d_regions(view: View) -> Regions:
    _, k_h, k_w, _ = view.weights.shape
    runs = k_h * (k_w if view["dilation_w"] > 1 else 1)
    offsets = Region("offsets", 4 * runs, "uint32 (runs): where the runs of a window begin in `rows`")
    return (offsets, *ring.regions(view, k_h, k_w, behind=SLACK))


def matrix_regions(view: View) -> Regions:
    """Of a 1x1 convolution or a fully connected layer."""
    columns = COLUMNS * -(-view.x.shape[-1] // GROUP) * GROUP + SLACK
    return (Region("columns", columns, "int8 (8, in_c to whole groups of taps): pixels, or rows", align=1),)


def matrix_records(view: View) -> Array:
    w = view.weights.value
    return records(view, w.reshape(w.shape[0], 1, -1))
