"""Operators that move values and compute none."""

from __future__ import annotations

from ... import nchw
from ...builder import Value
from ..call import Call
from .common import Handler


def _squeeze(c: Call) -> Value:
    x = c.value("self")
    axes = {a % len(x.shape) for a in c.ints("dim")} if c.args.get("dim") is not None else set(range(len(x.shape)))
    return nchw.reshape(c.b, x, [d for i, d in enumerate(x.shape) if d != 1 or i not in axes])


def _unsqueeze(c: Call) -> Value:
    x, axis = c.value("self"), c.ints("dim")[0]
    axis += len(x.shape) + 1 if axis < 0 else 0
    return nchw.reshape(c.b, x, (*x.shape[:axis], 1, *x.shape[axis:]))


def _expand(c: Call) -> Value:
    x, size = c.value("self"), c.ints("size")
    same = [d if want == -1 else want for d, want in zip(x.shape[::-1], size[::-1], strict=False)][::-1]
    if len(size) != len(x.shape) or tuple(same) != x.shape:
        raise c.b.unsupported(f"expansion of {list(x.shape)} to {size}", "the same shape")
    return x


def _slice(c: Call) -> Value:
    x = c.value("self")
    size = x.shape[c.ints("dim")[0]]
    start, end, step = c.args.get("start") or 0, c.args.get("end"), c.args.get("step")
    if start != 0 or step != 1 or (end is not None and end < size):
        raise c.b.unsupported("a slice of an activation", "a slice that is everything")
    return x


def _pad(c: Call) -> Value:
    x, amounts = c.value("self"), c.ints("pad")
    if len(amounts) % 2 or len(amounts) > 2 * len(x.shape):
        raise c.b.wrong(f"padding {amounts} does not fit shape {list(x.shape)}")
    pairs = [(amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)][::-1]  # torch: the last axis first
    return nchw.pad(c.b, x, [(0, 0)] * (len(x.shape) - len(pairs)) + pairs, c.number("value") or 0.0)


def _cat(c: Call) -> Value:
    parts = c.args["tensors"]
    if not all(isinstance(p, Value) for p in parts):
        raise c.b.wrong("a part is no tensor")
    return nchw.concat(c.b, parts, c.ints("dim")[0])


HANDLERS: dict[str, Handler] = {
    "_unsafe_view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
    "cat": _cat,
    "constant_pad_nd": _pad,
    "expand": _expand,
    "permute": lambda c: nchw.transpose(c.b, c.value("self"), c.ints("dims")),
    "slice": _slice,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
    "view": lambda c: nchw.reshape(c.b, c.value("self"), c.ints("size")),
}
