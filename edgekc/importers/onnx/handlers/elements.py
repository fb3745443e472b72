"""Operators that compute each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nchw, quantized
from ...value import Value, constant_value
from ..args import Args
from .common import Handler


def _binary(op: str) -> Callable[[Args], Value]:
    def handler(a: Args) -> Value:
        x, y = a.need(0, "a"), a.need(1, "b")
        if a.opset < 7 and "axis" in a.node.attrs:  # the second operand's first axis, which broadcasts from there on
            behind = len(x.shape) - int(a.attr("axis", 0)) % len(x.shape) - len(y.shape)
            y = nchw.reshape(a.b, y, (*y.shape, *(1,) * behind))
        return nchw.binary(a.b, op, x, y)

    return handler


def _all(op: str) -> Handler:
    """An operator of two run over any number of operands."""

    def handler(a: Args) -> Value:
        values = [a.need(i, f"input {i}") for i in range(len(a.node.inputs))]
        values.sort(key=lambda v: v.data is not None)  # the first of several constants meets an activation
        total = values[0]
        for value in values[1:]:
            total = nchw.binary(a.b, op, total, value)
        return total

    return handler


def _mean(a: Args) -> Value:
    total, count = _all("add")(a), len(a.node.inputs)
    assert isinstance(total, Value)
    return total if count == 1 else nchw.binary(a.b, "mul", total, constant_value(np.array(1 / count), ""))


def _clip(a: Args) -> Value:
    ends = []
    for position, what in ((1, "min"), (2, "max")):
        value = a.constant(position, what)
        stated = a.attr(what, None) if value is None or not value.size else float(value.ravel()[0])
        ends.append(None if stated is None else float(stated))
    limit = float(np.finfo(np.float32).max)  # how exporters write "no limit"
    low = None if ends[0] is not None and ends[0] <= -limit else ends[0]
    high = None if ends[1] is not None and ends[1] >= limit else ends[1]
    if low is not None and high is not None and low > high:
        low = high
    return nchw.clamp(a.b, a.need(0, "input"), low, high)


def _pow(a: Args) -> Value:
    exponent = a.constant(1, "an exponent")
    if exponent is None or exponent.size != 1:
        raise a.b.unsupported("exponents of several values", "one constant")
    return nchw.power(a.b, a.need(0, "input"), float(exponent.ravel()[0]))


def _unary(op: str) -> Handler:
    return lambda a: nchw.unary(a.b, op, a.need(0, "input"))


def _gelu(a: Args) -> Value:
    approximate = int(a.text("approximate", "none") == "tanh")
    return nchw.unary(a.b, "gelu", a.need(0, "input"), {"approximate": approximate})


def _leaky(a: Args) -> Value:
    alpha = float(np.float32(a.attr("alpha", 0.01)))
    return nchw.unary(a.b, "leaky_relu", a.need(0, "input"), {"alpha": alpha})


def _elu(a: Args) -> Value:
    return nchw.elu(a.b, a.need(0, "input"), float(a.attr("alpha", 1.0)))


def _prelu(a: Args) -> Value:
    x, slope = a.need(0, "input"), a.need(1, "slope")
    if a.opset < 7 and len(slope.shape) == 1 and len(x.shape) > 1:  # one for each channel
        slope = nchw.reshape(a.b, slope, (slope.shape[0], *(1,) * (len(x.shape) - 2)))
    return nchw.prelu(a.b, x, slope)


def _selu(a: Args) -> Value:
    alpha, gamma = float(a.attr("alpha", 1.67326319217681884765625)), float(a.attr("gamma", 1.05070102214813232421875))
    return nchw.elu(a.b, a.need(0, "input"), alpha, gamma)


def _celu(a: Args) -> Value:
    alpha = float(a.attr("alpha", 1.0))
    return nchw.elu(a.b, a.need(0, "input"), alpha, 1.0, 1 / alpha)


def _hard_sigmoid(a: Args) -> Value:
    return nchw.hard_sigmoid(a.b, a.need(0, "input"), float(a.attr("alpha", 0.2)), float(a.attr("beta", 0.5)))


def _swish(a: Args) -> Value:
    x, alpha = a.need(0, "input"), float(a.attr("alpha", 1.0))
    if alpha == 1:
        return nchw.silu(a.b, x)
    scaled = nchw.binary(a.b, "mul", x, constant_value(np.array(alpha), ""))
    return nchw.binary(a.b, "mul", x, nchw.unary(a.b, "logistic", scaled))


def _shrink(a: Args) -> Value:
    """x beyond `lambd` on either side, moved to zero by `bias`; only where the two are one is it continuous."""
    limit, bias = float(a.attr("lambd", 0.5)), float(a.attr("bias", 0.0))
    if limit != bias:
        raise a.b.unsupported(f"lambd {limit} and bias {bias}", "equal ones")
    x = a.need(0, "input")
    return nchw.binary(a.b, "sub", x, nchw.clamp(a.b, x, -limit, limit))


def _dropout(a: Args) -> Value:
    mode = a.get(2)
    if mode is not None and (mode.data is None or bool(mode.data.any())):
        raise a.b.unsupported("dropout in training mode", "inference mode")
    return a.need(0, "input")


def _cast(a: Args) -> Value:
    """To float; what says a place is a whole number already."""
    writers, name = {node.outputs[0]: node for node in a.b.nodes}, a.need(0, "input").name
    while name in writers and writers[name].op == "reshape":
        name = writers[name].inputs[0]
    if name in writers and writers[name].op in ("arg_max", "arg_min") and a.attr("to", 0) in (6, 7):  # int32, int64
        return a.need(0, "input")
    if a.attr("to", 0) not in (1, 10):  # onnx.TensorProto.FLOAT and FLOAT16
        raise a.b.unsupported(f"a cast of an activation to type {a.attr('to', 0)}", "float32 (1), float16 (10)")
    return a.need(0, "input")


def _quantize(a: Args) -> Value:
    zero = a.get(2)
    names = {0: "uint8", 2: "uint8", 3: "int8"}
    declared = names.get(int(a.attr("output_dtype", 0)), f"type {a.attr('output_dtype', 0)}")
    dtype = declared if zero is None or zero.data is None else zero.data.dtype.name
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return quantized.quantize(a.b, a.need(0, "input"), a.need(1, "scale"), zero, int(a.attr("axis", 1)), dtype)


def _dequantize(a: Args) -> Value:
    if a.attr("block_size", 0):
        raise a.b.unsupported("quantisation in blocks", "per tensor, per channel")
    return quantized.dequantize(a.b, a.need(0, "input"), a.need(1, "scale"), a.get(2), int(a.attr("axis", 1)))


def _where(a: Args) -> Value:
    mask = a.need(0, "condition")
    if mask.data is None:
        raise a.b.unsupported("a choice by what is computed at run time", "a constant condition")
    return nchw.chosen(a.b, np.asarray(mask.data, bool), a.need(1, "X"), a.need(2, "Y"))


HANDLERS: dict[str, Handler] = {
    "Abs": _unary("abs"),
    "Add": _binary("add"),
    "Cast": _cast,
    "CastLike": lambda a: a.need(0, "input"),
    "Ceil": _unary("ceil"),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _unary("cos"),
    "DequantizeLinear": _dequantize,
    "Div": _binary("div"),
    "Dropout": _dropout,
    "Elu": _elu,
    "Exp": _unary("exp"),
    "Floor": _unary("floor"),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda a: nchw.hard_swish(a.b, a.need(0, "input")),
    "Identity": lambda a: a.need(0, "input"),
    "LeakyRelu": _leaky,
    "Log": _unary("log"),
    "Max": _all("maximum"),
    "Mean": _mean,
    "Min": _all("minimum"),
    "Mish": lambda a: nchw.mish(a.b, a.need(0, "input")),
    "Mul": _binary("mul"),
    "Neg": _unary("neg"),
    "PRelu": _prelu,
    "Pow": _pow,
    "QuantizeLinear": _quantize,
    "Reciprocal": lambda a: nchw.power(a.b, a.need(0, "input"), -1.0),
    "Relu": lambda a: nchw.clamp(a.b, a.need(0, "input"), 0.0, None),
    "Round": _unary("round"),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": _unary("logistic"),
    "Sin": _unary("sin"),
    "Softplus": lambda a: nchw.softplus(a.b, a.need(0, "input")),
    "Softsign": lambda a: nchw.softsign(a.b, a.need(0, "input")),
    "Sqrt": _unary("sqrt"),
    "Sub": _binary("sub"),
    "Sum": _all("add"),
    "Swish": _swish,
    "Tanh": _unary("tanh"),
    "Where": _where,
}
