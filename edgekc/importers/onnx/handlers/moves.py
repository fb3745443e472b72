"""Operators that move values and compute none."""

from __future__ import annotations

import math

import numpy as np

from ... import nchw
from ...value import Value
from ..args import Args
from .common import Handler


def _reshape(a: Args) -> Value:
    x, shape = a.need(0, "input"), a.ints(1, "shape", "dimensions")
    if shape is None:
        raise a.b.wrong("operand 1 (shape) is missing")
    if not a.attr("allowzero", 0):
        shape = [x.shape[i] if d == 0 and i < len(x.shape) else d for i, d in enumerate(shape)]
    return nchw.reshape(a.b, x, shape)


def _flatten(a: Args) -> Value:
    x, axis = a.need(0, "input"), int(a.attr("axis", 1))
    axis += len(x.shape) if axis < 0 else 0
    return nchw.reshape(a.b, x, (int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))))


def _squeeze(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes")
    rank = len(x.shape)
    gone = {i for i, d in enumerate(x.shape) if d == 1} if axes is None else {i % rank for i in axes}
    return nchw.reshape(a.b, x, [d for i, d in enumerate(x.shape) if i not in gone])


def _unsqueeze(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes") or []
    rank = len(x.shape) + len(axes)
    new, rest = {i % rank for i in axes}, iter(x.shape)
    return nchw.reshape(a.b, x, [1 if i in new else next(rest, 1) for i in range(rank)])


def _transpose(a: Args) -> Value:
    x = a.need(0, "input")
    return nchw.transpose(a.b, x, a.attr("perm", list(reversed(range(len(x.shape))))))


def _concat(a: Args) -> Value:
    return nchw.concat(a.b, [a.need(i, f"input {i}") for i in range(len(a.node.inputs))], int(a.attr("axis", 0)))


def _pad(a: Args) -> Value:
    x, amounts, axes = a.need(0, "input"), a.ints(1, "pads", "pads") or [], a.ints(3, "axes", "axes")
    modes = {"constant": "constant", "reflect": "reflect", "edge": "edge", "wrap": "wrap"}
    mode = modes.get(a.text("mode", "constant"), "")
    rank = len(x.shape)
    where = list(range(rank)) if axes is None else [i % rank for i in axes]
    if len(amounts) != 2 * len(where):
        raise a.b.wrong(f"pads {amounts} do not fit {len(where)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(where):
        pairs[axis] = (amounts[i], amounts[i + len(where)])
    if mode in ("edge", "wrap"):
        for axis, (low, high) in enumerate(pairs):
            if low or high:
                places = np.arange(-low, x.shape[axis] + high)
                size = x.shape[axis]
                places = np.clip(places, 0, size - 1) if mode == "edge" else places % size
                x = nchw.take(a.b, x, axis, places)
        return x
    if mode not in ("constant", "reflect"):
        raise a.b.unsupported(f"padding mode {a.text('mode', '')!r}", "constant, reflect, edge, wrap")
    value = a.constant(2, "a value")
    fill = float(a.attr("value", 0.0)) if value is None or not value.size else float(value.ravel()[0])
    return nchw.pad(a.b, x, pairs, fill, mode)


def _slice(a: Args) -> Value:
    x = a.need(0, "input")
    starts, ends = a.ints(1, "starts", "starts"), a.ints(2, "ends", "ends")
    axes, steps = a.ints(3, "axes", "axes"), a.ints(4, "steps", "steps")
    if starts is None or ends is None:
        raise a.b.wrong("starts or ends are missing")
    rank = len(x.shape)
    axes = list(range(len(starts))) if axes is None else [i % rank for i in axes]
    first, sizes, strides = [0] * rank, list(x.shape), [1] * rank
    for i, (axis, start, end) in enumerate(zip(axes, starts, ends, strict=True)):
        step = 1 if steps is None else steps[i]
        chosen = range(x.shape[axis])[slice(start, end if end > -(2**31) else None, step)]
        first[axis], sizes[axis], strides[axis] = (chosen.start if len(chosen) else 0), len(chosen), step
    return nchw.strided(a.b, x, first, sizes, strides)


def _split(a: Args) -> list[Value]:
    x, count = a.need(0, "input"), len(a.node.outputs)
    axis = int(a.attr("axis", 0)) % len(x.shape)
    sizes = a.ints(1, "split", "sizes")
    if sizes is None:
        each = -(-x.shape[axis] // count)
        sizes = [max(min(each, x.shape[axis] - i * each), 0) for i in range(count)]
    if sum(sizes) != x.shape[axis]:
        raise a.b.wrong(f"parts of {sizes} do not make {x.shape[axis]}")
    parts, at = [], 0
    for size in sizes:
        starts, lengths = [0] * len(x.shape), list(x.shape)
        starts[axis], lengths[axis] = at, size
        parts.append(nchw.strided(a.b, x, starts, lengths, [1] * len(lengths)))
        at += size
    return parts


def _expand(a: Args) -> Value:
    x, shape = a.need(0, "input"), a.ints(1, "shape", "dimensions") or []
    rank = max(len(x.shape), len(shape))
    padded, want = ((1,) * (rank - len(s)) + tuple(s) for s in (x.shape, shape))
    return nchw.expand(a.b, x, [d if w == 1 else w for d, w in zip(padded, want, strict=True)])


def _tile(a: Args) -> Value:
    return nchw.tile(a.b, a.need(0, "input"), a.ints(1, "repeats", "repeats") or [])


def _depth_to_space(a: Args) -> Value:
    columns_first = a.text("mode", "DCR") == "CRD"
    return nchw.depth_to_space(a.b, a.need(0, "input"), int(a.attr("blocksize", 1)), columns_first)


def _space_to_depth(a: Args) -> Value:
    columns_first = a.text("mode", "DCR") == "CRD"
    return nchw.space_to_depth(a.b, a.need(0, "input"), int(a.attr("blocksize", 1)), columns_first)


def _scatter(a: Args) -> Value:
    """A box of a tensor written anew, as x[:, 2:4] = y is exported."""
    x, part = a.need(0, "data"), a.need(2, "updates")
    indices = a.constant(1, "indices")
    if indices is None or indices.ndim < 1 or not 1 <= indices.shape[-1] <= len(x.shape):
        raise a.b.wrong("indices do not fit the tensor")
    places = np.moveaxis(indices.astype(np.int64), -1, 0).reshape(indices.shape[-1], -1)
    sizes = x.shape[: len(places)]
    places = np.where(places < 0, places + np.array(sizes)[:, None], places)
    low, high = places.min(1), places.max(1) + 1
    box = tuple((high - low).tolist())
    grid = np.indices(box).reshape(len(box), -1) + low[:, None]
    if a.text("reduction", "none") != "none" or grid.shape != places.shape or (grid != places).any():
        raise a.b.unsupported("single elements written anew", "a box of neighbours")
    shape = (*box, *x.shape[len(box) :])
    if math.prod(shape) != math.prod(part.shape):
        raise a.b.wrong(f"updates of shape {list(part.shape)} for {list(shape)}")
    return nchw.write(a.b, x, nchw.reshape(a.b, part, shape), [*low.tolist(), *[0] * (len(x.shape) - len(box))])


HANDLERS: dict[str, Handler] = {
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Expand": _expand,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "ScatterND": _scatter,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
