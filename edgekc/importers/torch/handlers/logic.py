"""Comparisons, choices by their answers, what is largest, and rows by whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ... import nchw
from ...builder import Builder
from ...value import Value, constant_value
from ..call import Call, op_name
from .common import Handler


def _comparison(relation: str) -> Handler:
    return lambda c: nchw.compare(c.b, relation, c.value("self"), c.value("other"))


def _truths(run: Callable[[Builder, Value, Value], Value]) -> Handler:
    """Of tensors of bool, whose bits are one."""

    def handler(c: Call) -> Value:
        meta = c.node.meta.get("val")
        if str(getattr(meta, "dtype", "")) != "torch.bool":
            raise c.b.unsupported("bits of integers", "true and false")
        return run(c.b, c.value("self"), c.value("other"))

    return handler


def _where(c: Call) -> Value:
    return nchw.where(c.b, c.value("condition"), c.value("self"), c.value("other"))


def _masked_fill(c: Call) -> Value:
    return nchw.where(c.b, c.value("mask"), c.value("value"), c.value("self"))


def _filled(c: Call) -> Value:
    """A constant of the shape of an activation, whose values do not matter."""
    shape, fills = c.value("self").shape, {"full_like": c.args.get("fill_value"), "ones_like": 1, "zeros_like": 0}
    fill = fills[op_name(c.node).removeprefix("aten.")]
    if not isinstance(fill, (bool, int, float)):
        raise c.b.unsupported("a value that is computed at run time", "numbers")
    c.b.count_made(4 * math.prod(shape))
    return constant_value(np.full(shape, fill, np.float32), "")


def _top_k(c: Call) -> tuple[Value | None, ...]:
    read = tuple(any(len(u.args) > 1 and u.args[1] == i and u.users for u in c.node.users) for i in (0, 1))
    (count,), (axis,) = c.ints("k"), c.ints("dim")
    largest = bool(c.args.get("largest", True))
    return tuple(nchw.top_k(c.b, c.value("self"), count, axis, largest, (read[0], read[1])))


HANDLERS: dict[str, Handler] = {
    "bitwise_and": _truths(nchw.logical_and),
    "bitwise_not": lambda c: nchw.logical_not(c.b, c.value("self")),
    "bitwise_or": _truths(nchw.logical_or),
    "embedding": lambda c: nchw.embedding(c.b, c.value("weight"), c.value("indices")),
    "eq": _comparison("equal"),
    "full_like": _filled,
    "ge": _comparison("greater_equal"),
    "gt": _comparison("greater"),
    "le": _comparison("less_equal"),
    "logical_and": _truths(nchw.logical_and),
    "logical_not": lambda c: nchw.logical_not(c.b, c.value("self")),
    "logical_or": _truths(nchw.logical_or),
    "lt": _comparison("less"),
    "masked_fill": _masked_fill,
    "ne": _comparison("not_equal"),
    "ones_like": _filled,
    "sign": lambda c: nchw.sign(c.b, c.value("self")),
    "topk": _top_k,
    "where": _where,
    "zeros_like": _filled,
}
