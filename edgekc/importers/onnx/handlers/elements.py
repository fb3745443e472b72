"""Operators that compute each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nchw
from ...builder import Value, constant_value, real
from .. import qdq
from ..args import Args
from .common import Handler, plain_constant


def _binary(op: str) -> Callable[[Args], Value]:
    return lambda a: nchw.binary(a.b, op, a.need(0, "a"), a.need(1, "b"))


def _sub(a: Args) -> Value:
    x, y = a.need(0, "a"), a.need(1, "b")
    if y.data is not None:
        return nchw.binary(a.b, "add", x, constant_value(-plain_constant(a, y), y.source))
    if x.data is None:
        raise a.b.unsupported("a difference of two activations", "one constant operand")
    negative = nchw.binary(a.b, "mul", y, constant_value(np.array(-1.0), ""))
    return nchw.binary(a.b, "add", negative, constant_value(plain_constant(a, x), x.source))


def _div(a: Args) -> Value:
    x, y = a.need(0, "a"), a.need(1, "b")
    if y.data is None:
        raise a.b.unsupported("division by an activation", "division by a constant")
    divisor = plain_constant(a, y)
    if (divisor == 0).any():
        raise a.b.wrong(f"division by zero (tensor {y.source!r})")
    return nchw.binary(a.b, "mul", x, constant_value(1.0 / divisor, y.source))


def _sum(a: Args) -> Value:
    total = a.need(0, "input")
    for i in range(1, len(a.node.inputs)):
        total = nchw.binary(a.b, "add", total, a.need(i, f"input {i}"))
    return total


def _clip(a: Args) -> Value:
    ends = []
    for position, what in ((1, "min"), (2, "max")):
        value = a.get(position)
        if value is not None and value.data is None:
            raise a.b.unsupported(f"{what} that is computed at run time", "constants")
        ends.append(None if value is None else float(real(value).ravel()[0]))
    limit = float(np.finfo(np.float32).max)  # how exporters write "no limit"
    low = None if ends[0] is not None and ends[0] <= -limit else ends[0]
    high = None if ends[1] is not None and ends[1] >= limit else ends[1]
    return nchw.clamp(a.b, a.need(0, "input"), low, high)


def _dropout(a: Args) -> Value:
    mode = a.get(2)
    if mode is not None and (mode.data is None or bool(mode.data.any())):
        raise a.b.unsupported("dropout in training mode", "inference mode")
    return a.need(0, "input")


def _cast(a: Args) -> Value:
    if a.attr("to", 0) != 1:  # onnx.TensorProto.FLOAT
        raise a.b.unsupported(f"a cast of an activation to type {a.attr('to', 0)}", "float32 (1)")
    return a.need(0, "input")


def _quantize(a: Args) -> Value:
    zero = a.get(2)
    names = {0: "uint8", 2: "uint8", 3: "int8"}
    declared = names.get(int(a.attr("output_dtype", 0)), f"type {a.attr('output_dtype', 0)}")
    dtype = declared if zero is None or zero.data is None else zero.data.dtype.name
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return qdq.quantize(a.b, a.need(0, "input"), a.need(1, "scale"), zero, int(a.attr("axis", 1)), dtype)


def _dequantize(a: Args) -> Value:
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return qdq.dequantize(a.b, a.need(0, "input"), a.need(1, "scale"), a.get(2), int(a.attr("axis", 1)))


HANDLERS: dict[str, Handler] = {
    "Add": _binary("add"),
    "Cast": _cast,
    "Clip": _clip,
    "DequantizeLinear": _dequantize,
    "Div": _div,
    "Dropout": _dropout,
    "Identity": lambda a: a.need(0, "input"),
    "Mul": _binary("mul"),
    "QuantizeLinear": _quantize,
    "Relu": lambda a: nchw.clamp(a.b, a.need(0, "input"), 0.0, None),
    "Sigmoid": lambda a: nchw.unary(a.b, "logistic", a.need(0, "input")),
    "Sub": _sub,
    "Sum": _sum,
    "Tanh": lambda a: nchw.unary(a.b, "tanh", a.need(0, "input")),
}
