"""Indices of clustered layers in the order in which vector kernels decode them (ek_codes_vec.h).

A record stands for 16 filters, as those of dense layers do (`vector.py`), with indices in the place of weights.
"""

from __future__ import annotations

import numpy as np

from ...graph.bits import index_bits
from ...graph.ir import Array
from ...graph.op import LAID_OUT, Field, Param, View
from ..shared import linear as lin
from . import words
from .vector import BLOCK, GROUP, RECORD_FIELDS, with_headers

HALVES_BITS = 4  # up to which two indices share a byte
MATRIX_PART = 128  # taps of 16 filters that a fully connected layer decodes at a time, at most
_FIELDS: tuple[Field, ...] = (RECORD_FIELDS[0], ("const ek_s16 *", "centers"), *RECORD_FIELDS[1:])
_CODE_FIELDS: tuple[Field, ...] = (("uint8_t", "bits"), ("uint16_t", "center_count"))
MATRIX_FIELDS: tuple[Field, ...] = (
    *_FIELDS,
    *(("uint32_t", name) for name in ("rows", "in_c", "out_c")),
    *_CODE_FIELDS,
    ("uint16_t", "part"),
)
WINDOW_FIELDS: tuple[Field, ...] = (
    *_FIELDS,
    lin.WINDOW_FIELD,
    ("int8_t", "pad_value"),
    *_CODE_FIELDS,
    ("uint16_t", "part"),
    ("uint16_t", "block"),
    ("uint8_t", "pointwise"),
)


def part(dense: View, most: int) -> int:
    """Taps of 16 filters that are decoded at a time: at most half of the weights, in eights, or in fours if few."""
    half = dense.weights.value.size // (2 * BLOCK)
    return min(max(half // 8 * 8 or 4, 4), most)


def accepts(dense: View, most: int) -> bool:
    return words.accepts(dense, min(part(dense, most), dense.weights.value[0].size))


def records(view: View) -> Array:
    """uint8: a record for each block of filters of a layer with operands `indices` and `centers`."""
    indices = view.indices.value.reshape(view.indices.shape[0], -1).astype("u1")
    channels, taps = indices.shape
    blocks, groups = -(-channels // BLOCK), -(-taps // GROUP)
    padded = np.zeros((blocks * BLOCK, groups * GROUP), np.uint8)
    padded[:channels, :taps] = indices
    eights: Array = padded.reshape(blocks, 2, 8, 2 * groups, 2).transpose(0, 3, 1, 2, 4)  # block, pair, half, f, tap
    if index_bits(view.indices.value) <= HALVES_BITS:
        eights = eights[:, :, 0] | eights[:, :, 1] << 4
    return with_headers(view, eights.reshape(blocks, -1))


def params(view: View, **more: Param) -> dict[str, Param]:
    """Values for what all layers with such records have, and `more`."""
    bits = index_bits(view.indices.value)
    codes = dict(bits=bits, center_count=min(view.centers.shape[1], 1 << bits))
    held = lin.requant_params(view, laid_out=True)
    return {"records": LAID_OUT, "centers": view.centers.name, **held, **codes, **more}


def decoded(view: View, weights: float) -> tuple[float, float]:
    """That many weights, by tables in registers and one by one."""
    return (weights, 0) if index_bits(view.indices.value) <= HALVES_BITS else (0, weights)
