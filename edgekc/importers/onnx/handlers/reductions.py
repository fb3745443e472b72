"""Means, and what runs over an axis."""

from __future__ import annotations

from ... import nchw
from ...builder import Value
from ..args import Args
from .common import Handler


def _reduce_mean(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axes", "axes")
    if not axes:
        if a.attr("noop_with_empty_axes", 0):
            return x
        axes = list(range(len(x.shape)))
    return nchw.mean(a.b, x, axes, bool(a.attr("keepdims", 1)))


def _softmax(a: Args) -> Value:
    x = a.need(0, "input")
    axis = int(a.attr("axis", 1 if a.opset < 13 else -1))
    if a.opset < 13 and len(x.shape) > 0:  # older ones flatten everything from `axis` on
        rest = x.shape[axis % len(x.shape) :]
        if sum(d != 1 for d in rest) > 1:
            raise a.b.unsupported(f"softmax over axes {axis} and behind of shape {list(x.shape)}", "one axis")
        axis = len(x.shape) - len(rest) + next((i for i, d in enumerate(rest) if d != 1), 0)
    return nchw.softmax(a.b, x, axis)


HANDLERS: dict[str, Handler] = {
    "ReduceMean": _reduce_mean,
    "Softmax": _softmax,
}
