"""Comparisons, choices by their answers, what is largest, and rows by whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ... import nchw
from ...value import Value, constant_value
from ..args import Args
from .common import Handler

_FLOATS, _BOOL, _WHOLE = (1, 10), 9, (6, 7)  # onnx.TensorProto: FLOAT and FLOAT16, BOOL, INT32 and INT64


def _comparison(relation: str) -> Handler:
    return lambda a: nchw.compare(a.b, relation, a.need(0, "a"), a.need(1, "b"))


def _where(a: Args) -> Value:
    return nchw.where(a.b, a.need(0, "condition"), a.need(1, "x"), a.need(2, "y"))


def _cast(a: Args) -> Value:
    x, to = a.need(0, "input"), a.attr("to", 0)
    if to in _FLOATS:
        return replace(x, whole=False)
    if to == _BOOL:
        return nchw.truth_of(a.b, x)
    if to in _WHOLE and (x.whole or _is_place(a, x)):
        return x
    raise a.b.unsupported(f"a cast of an activation to type {to}", "float32 (1), float16 (10), bool (9)")


def _is_place(a: Args, x: Value) -> bool:
    """Whether it says where the largest or smallest value is, which is a whole number already."""
    writers, name = {node.outputs[0]: node for node in a.b.nodes}, x.name
    while name in writers and writers[name].op == "reshape":
        name = writers[name].inputs[0]
    return name in writers and writers[name].op in ("arg_max", "arg_min")


def _thresholded(a: Args) -> Value:
    """x above alpha, and 0."""
    x, alpha = a.need(0, "input"), float(a.attr("alpha", 1.0))
    return nchw.where(a.b, nchw.compare(a.b, "greater", x, nchw.number(alpha)), x, nchw.number(0.0))


def _top_k(a: Args) -> list[Value]:
    x, count = a.need(0, "input"), a.ints(1, "k", "k")
    if not count:
        raise a.b.wrong("operand 1 (k) is missing")
    a.attr("sorted", 1)
    axis, largest = int(a.attr("axis", -1)), bool(a.attr("largest", 1))
    return [v for v in nchw.top_k(a.b, x, count[0], axis, largest, (True, True)) if v is not None]


def gather(a: Args) -> Value:
    """Rows of a constant by whole numbers, or what constant indices name."""
    x, indices, axis = a.need(0, "input"), a.need(1, "indices"), int(a.attr("axis", 0))
    if indices.data is not None:
        return nchw.take(a.b, x, axis, indices.data)
    if axis % max(len(x.shape), 1):
        raise a.b.unsupported(f"indices along axis {axis} that are computed at run time", "rows, axis 0")
    return nchw.embedding(a.b, x, indices)


def _one_hot(a: Args) -> Value:
    """Rows of which one value is on, by whole numbers; counting from the end is not needed for those of a byte."""
    depth, ends = a.ints(1, "depth", "depth"), a.constant(2, "values")
    numbers = a.need(0, "indices")
    if not depth or depth[0] < 1 or ends is None or ends.size != 2:
        raise a.b.wrong("depth or values are missing")
    if a.attr("axis", -1) not in (-1, len(numbers.shape)):
        raise a.b.unsupported(f"axis {a.attr('axis', -1)}", "the last one")
    a.b.count_made(4 * depth[0] ** 2)
    off, on = ends.ravel()
    return nchw.embedding(a.b, constant_value(np.where(np.eye(depth[0]), on, off), ""), numbers)


HANDLERS: dict[str, Handler] = {
    "And": lambda a: nchw.logical_and(a.b, a.need(0, "a"), a.need(1, "b")),
    "Cast": _cast,
    "Equal": _comparison("equal"),
    "Gather": gather,
    "Greater": _comparison("greater"),
    "GreaterOrEqual": _comparison("greater_equal"),
    "Less": _comparison("less"),
    "LessOrEqual": _comparison("less_equal"),
    "Not": lambda a: nchw.logical_not(a.b, a.need(0, "input")),
    "OneHot": _one_hot,
    "Or": lambda a: nchw.logical_or(a.b, a.need(0, "a"), a.need(1, "b")),
    "Sign": lambda a: nchw.sign(a.b, a.need(0, "input")),
    "ThresholdedRelu": _thresholded,
    "TopK": _top_k,
    "Where": _where,
    "Xor": _comparison("not_equal"),
}
