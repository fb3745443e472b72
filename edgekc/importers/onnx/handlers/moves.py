"""Operators that move values and compute none, and those of quantised files."""

from __future__ import annotations

import numpy as np

from ... import nchw
from ...builder import Value, real
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
    x, amounts, value, axes = a.need(0, "input"), a.ints(1, "pads", "pads") or [], a.get(2), a.ints(3, "axes", "axes")
    if a.text("mode", "constant") != "constant":
        raise a.b.unsupported(f"padding mode {a.text('mode', '')!r}", "constant")
    rank = len(x.shape)
    where = list(range(rank)) if axes is None else [i % rank for i in axes]
    if len(amounts) != 2 * len(where):
        raise a.b.wrong(f"pads {amounts} do not fit {len(where)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(where):
        pairs[axis] = (amounts[i], amounts[i + len(where)])
    fill = 0.0 if value is None or value.data is None or not value.data.size else float(real(value).ravel()[0])
    return nchw.pad(a.b, x, pairs, fill)


HANDLERS: dict[str, Handler] = {
    "Concat": _concat,
    "Flatten": _flatten,
    "Pad": _pad,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
