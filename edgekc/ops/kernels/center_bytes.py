"""Clustered layers whose centers fit a byte, on cores with vector instructions: decoded to what dense loops multiply.

Records are those of dense layers (`vector.py`) with indices in the place of weights, in the order of ek_bytes_vec.h. 16
filters are decoded at a time, or 32 in layers with many, once for all rows of outputs whose inputs are in scratch.
"""

from __future__ import annotations

import numpy as np

from ...graph.bits import index_bits
from ...graph.ir import Array
from ...graph.op import Field, View
from ...graph.scratch import Region, Regions
from ..shared import ring
from . import codes, words
from . import vector as vec
from .vector import BLOCK, GROUP

IMAGE_BYTES = 128 * 1024  # of scratch for rows of the image and for sums, if a row of outputs needs no more
DOT = frozenset({"vector", "dotprod"})  # where a product of bytes is far cheaper than one of 16 bits
CORES = (DOT, vec.VECTOR)
ANY_INDEX = "_bytes_s8_vec"  # ends symbols of kernels that decode by ek_bytes, whose table has an entry for each index
_HALVES = 32  # bytes of a group whose indices share bytes
WINDOW_FIELDS: tuple[Field, ...] = codes.WINDOW_FIELDS[:-1]  # all but `pointwise`
CHANNEL_FIELDS: tuple[Field, ...] = WINDOW_FIELDS[:-2]  # and all of a filter is decoded, for a row of outputs


def runs_of(view: View) -> tuple[int, int]:
    """Runs of a window, and taps of each: rows of it, or with dilation its pixels (`vector.conv2d_records`)."""
    _, k_h, k_w, ic = view.indices.shape
    return (k_h * k_w, ic) if view["dilation_w"] > 1 else (k_h, k_w * ic)


def accepts(view: View, dense: View, taps: int) -> bool:
    """Whether weights are bytes that dense kernels take, and taps that fill up a group can be weights of zero.

    Args:
        taps: of a run.
    """
    fits = int(dense.weights.value.max()) <= 127 and vec.accepts(dense)
    return fits and (taps % GROUP == 0 or _zero(view) is not None)


def accepts_window(view: View, dense: View) -> bool:
    """The same of a convolution; and never all weights are decoded at once."""
    _, taps = runs_of(view)
    at_once = min(view.indices.shape[0], at_a_time(view)) * taps_at_once(view)
    return at_once < view.indices.value.size and accepts(view, dense, taps)


def accepts_channels(view: View, dense: View) -> bool:
    """The same of a depthwise layer, of which 16 channels are decoded at a time."""
    return dense.out.shape[3] == dense.x.shape[3] and accepts(view, dense, dense.weights.shape[0])


def accepts_matrix(view: View, dense: View) -> bool:
    taps, filters = view.x.shape[-1], view.indices.shape[0]
    return min(filters, BLOCK) * min(matrix_part(view), taps) < view.indices.value.size and accepts(view, dense, taps)


def _zero(view: View) -> int | None:
    """An index of a center of 0, or one behind the last center; None: there is neither."""
    centers = view.centers.value[0]
    found = np.flatnonzero(centers == 0)
    room = 16 if index_bits(view.indices.value) <= codes.HALVES_BITS else 256
    first = int(found[0]) if len(found) else len(centers)
    return first if first < room else None


def at_a_time(view: View) -> int:
    """Filters that are decoded at a time: at most half of them, where they are many."""
    return 2 * BLOCK if view.indices.shape[0] >= 4 * BLOCK else BLOCK


def groups_of(view: View) -> int:
    """Groups of a window."""
    runs, taps = runs_of(view)
    return runs * -(-taps // GROUP)


def part(view: View) -> int:
    """Groups that are decoded at a time: all, or where filters are few, of at most half of the taps.

    Then they are whole runs, or of a single run fours of groups if there are so many.
    """
    runs, taps = runs_of(view)
    if view.indices.shape[0] >= 2 * BLOCK:
        return groups_of(view)
    if runs > 1:
        return runs // 2 * -(-taps // GROUP)
    half = max(taps // (2 * GROUP), 1)
    return half if half < 4 else half // 4 * 4


def taps_at_once(view: View) -> int:
    """Of a filter, without what fills up groups."""
    _, taps = runs_of(view)
    groups = -(-taps // GROUP)
    return part(view) // groups * taps if part(view) >= groups else GROUP * part(view)


def matrix_part(view: View) -> int:
    """Taps of 16 filters that a fully connected layer decodes at a time, a multiple of four: at most half of all."""
    half = view.indices.value.size // (2 * BLOCK)
    return min(max(half // GROUP * GROUP, GROUP), codes.MATRIX_PART)


def records(view: View, dense: View, runs: int) -> Array:
    """uint8: a record for each block of filters, whose taps are `runs` runs."""
    indices = view.indices.value
    ordered = vec.in_blocks(indices.reshape(len(indices), runs, -1).astype("u1"), _zero(view) or 0)
    return _records(view, ordered, dense.weights.value.reshape(len(indices), -1))


def channel_records(view: View, dense: View) -> Array:
    """uint8: a record for each block of channels of a depthwise layer, whose indices are (oc, kh, kw)."""
    w = dense.weights.value  # (kh, kw, oc)
    ordered = vec.channels_in_blocks(view.indices.value.transpose(1, 2, 0).astype("u1"), _zero(view) or 0)
    return _records(view, ordered, w.reshape(-1, w.shape[2]).T)


def _records(view: View, ordered: Array, filters: Array) -> Array:
    halves = ordered.reshape(*ordered.shape[:2], 2, _HALVES)
    if index_bits(view.indices.value) <= codes.HALVES_BITS:
        halves = halves[:, :, 0] | halves[:, :, 1] << 4
    return vec.with_headers(view, halves.reshape(len(halves), -1), filters)


def _row_bytes(view: View) -> int:
    """Of a row of the padded image."""
    width = (view.out.shape[2] - 1) * view["stride_w"] + (view.indices.shape[2] - 1) * view["dilation_w"] + 1
    return width * view.x.shape[3]


def _rows(view: View, lines: int) -> int:
    """Rows of the padded image for so many rows of outputs."""
    return (lines - 1) * view["stride_h"] + (view.indices.shape[1] - 1) * view["dilation_h"] + 1


def parts(view: View) -> int:
    """Of the taps of a filter."""
    return -(-groups_of(view) // part(view))


def _sums(view: View, lines: int) -> int:
    """Bytes of the sums of 16 filters between their parts.

    SMMLA has those of two columns together: a tile of at most four may have one more.
    """
    out_w = view.out.shape[2]
    odd = -(-out_w // 4) if out_w % 4 else 0
    return 4 * BLOCK * lines * (out_w + odd) if parts(view) > 1 else 0


def block(view: View) -> int:
    """Rows of outputs of a pass: as few passes as the room allows, of one size."""
    out_h = view.out.shape[1]
    more = view.held(IMAGE_BYTES) - _rows(view, 1) * _row_bytes(view) - _sums(view, 1)
    most = max(more // (view["stride_h"] * _row_bytes(view) + _sums(view, 1)) + 1, 1)
    return -(-out_h // -(-out_h // most))


def regions(view: View) -> Regions:
    """Of a convolution."""
    k_h = view.indices.shape[1]
    runs, _ = runs_of(view)
    lines = block(view)
    filters = at_a_time(view) // BLOCK * (words.HEADER_BYTES + part(view) * BLOCK * GROUP)
    return (
        Region("records", filters, "records of ek_vec.h: of the filters that are decoded, or of a part of their taps"),
        Region("sums", _sums(view, lines), "int32 (columns, 16): between the parts of filters"),
        Region("offsets", 4 * runs, "uint32 (runs): where the runs of a window begin in `rows`"),
        *ring.of(k_h, _rows(view, lines), _row_bytes(view), vec.SLACK),
    )


def channel_regions(view: View) -> Regions:
    """Of a depthwise layer."""
    _, k_h, k_w = view.indices.shape
    record = words.HEADER_BYTES + k_w * -(-k_h // GROUP) * BLOCK * GROUP
    return (
        Region("record", record, "a record of ek_vec.h: of the channels that are decoded"),
        *ring.regions(view, k_h, k_w, behind=vec.SLACK),
    )


def matrix_regions(view: View) -> Regions:
    weights = Region("weights", matrix_part(view) * BLOCK, "int8 (groups, 16 filters, 4): part of their taps", align=1)
    (rows,) = vec.matrix_regions(view)
    return (weights, Region("rows", rows.bytes, rows.holds, align=1))


def work(view: View) -> tuple[float, ...]:
    """How often the kernel does what `CYCLES` (`cycles.py`) says.

    Products; for pixels and filters: runs of taps, parts between which sums are kept, outputs; bytes of the image;
    weights decoded by tables in registers, and one by one; rows of outputs that parts of filters meet, and the call.
    Filters count in whole blocks, and taps in whole groups.
    """
    _, out_h, out_w, out_c = view.out.shape
    runs, taps = runs_of(view)[0], groups_of(view) * GROUP
    passes, filters = -(-out_h // block(view)), -(-out_c // BLOCK) * BLOCK
    outputs = out_h * out_w * filters
    weights = codes.decoded(view, passes * filters * taps)
    lines = out_h * parts(view) * -(-out_c // at_a_time(view))
    image = _rows(view, out_h) * _row_bytes(view)
    return outputs * taps, outputs * runs, outputs * (parts(view) - 1), outputs, image, *weights, lines, 1
