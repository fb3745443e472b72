"""Means, and what runs over an axis."""

from __future__ import annotations

from ... import nchw
from ...builder import Value
from ..call import Call
from .common import Handler


def _mean(c: Call) -> Value:
    x = c.value("self")
    return nchw.mean(c.b, x, c.ints("dim") or range(len(x.shape)), bool(c.args.get("keepdim", False)))


def _softmax(c: Call) -> Value:
    return nchw.softmax(c.b, c.value("self"), c.ints("dim")[0])


HANDLERS: dict[str, Handler] = {
    "_softmax": _softmax,
    "mean": _mean,
}
