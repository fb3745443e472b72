"""Operators that compute each element by itself, with numpy's broadcasting."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...graph.ir import Array, AttrValue, Role
from .. import order as od
from ..builder import Builder
from ..order import Shape
from ..value import Value, constant_value, elements, real
from .moves import expand, reshape

_CLAMPS = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1"}
_FUSING = ("add", "mul", "sub", "div")  # have an activation of their own in TensorFlow Lite


def binary(b: Builder, op: str, x: Value, y: Value) -> Value:
    """Two tensors, one of them a constant at most (`op`: add, mul, sub, div, maximum, minimum, ...)."""
    if op == "sub":
        return _difference(b, x, y)
    if op == "div":
        return _quotient(b, x, y)
    if x.data is not None:
        x, y = y, x
    return pair(b, op, x, y, {"activation": "none"} if op in _FUSING else {})


def pair(b: Builder, op: str, x: Value, y: Value, attrs: dict[str, AttrValue]) -> Value:
    """A node on an activation, and on another one or a constant."""
    return _of_two(b, op, x, y, attrs) if y.data is None else _with_constant(b, op, x, y, attrs)


def _difference(b: Builder, x: Value, y: Value) -> Value:
    if y.data is not None:
        return binary(b, "add", x, constant_value(-_free(b, y), y.source))
    if x.data is not None:
        return binary(b, "add", x, binary(b, "mul", y, number(-1.0)))
    return _of_two(b, "sub", x, y, {"activation": "none"})


def _quotient(b: Builder, x: Value, y: Value) -> Value:
    if y.data is None:
        root = next((node for node in b.nodes if node.outputs[0] == y.name and node.op == "sqrt"), None)
        if x.data is not None and root is not None:
            return binary(b, "mul", unary(b, "rsqrt", replace(y, name=root.inputs[0])), x)
        if x.data is not None:
            raise b.unsupported("a constant divided by an activation", "an activation divided by one, or by a constant")
        return _of_two(b, "div", x, y, {"activation": "none"})
    divisor = _free(b, y)
    if (divisor == 0).any():
        raise b.wrong("division by zero")
    return binary(b, "mul", x, constant_value(1.0 / divisor, y.source))


def _free(b: Builder, value: Value) -> Array:
    """A float constant; quantised ones would lose their stated scale."""
    if value.quant is not None:
        raise b.unsupported("a quantised constant", "Add and Mul of quantised constants")
    return real(value)


def number(value: float) -> Value:
    return constant_value(np.array(value), "")


def _of_two(b: Builder, op: str, x: Value, y: Value, attrs: dict[str, AttrValue]) -> Value:
    rank = max(len(x.shape), len(y.shape))
    x, y = (replace(v, shape=(1,) * (rank - len(v.shape)) + v.shape) for v in (x, y))
    shape = broadcast(b, x.shape, y.shape)
    if x.shape == y.shape and x.order != y.order:  # one of them moves: to an image where one is
        y = b.ordered(y, x.order) if y.order != _image(y) else y
        x = b.ordered(x, y.order)
    if x.shape == y.shape:
        native = b.native_shape(x)
        return b.emit(op, (b.stored(x, native), b.stored(y, native)), attrs, native, shape, x.order)
    image = rank == 4 and shape[0] == 1
    if image and (
        any(v.order == od.nhwc(v.shape) and not v.order.plain for v in (x, y))
        or all(v.order == od.nhwc(v.shape) for v in (x, y))
    ):
        n, c, h, w = shape
        return b.emit(op, (b.nhwc(x), b.nhwc(y)), attrs, (n, h, w, c), shape, od.nhwc(shape))
    if rank == 3 and shape[0] == 1 and any(v.order == od.nwc(v.shape) and not v.order.plain for v in (x, y)):
        _, c, w = shape
        names = [b.stored(b.ordered(v, od.nwc(v.shape)), (1, 1, v.shape[2], v.shape[1])) for v in (x, y)]
        return b.emit(op, (names[0], names[1]), attrs, (1, 1, w, c), shape, od.nwc(shape))
    x, y = b.plain(x), b.plain(y)
    lead: Shape = () if shape[0] == 1 else (1,)
    names = [b.stored(v, lead + v.shape) for v in (x, y)]
    return b.emit(op, (names[0], names[1]), attrs, lead + shape, shape, od.plain(shape))


def _image(x: Value) -> od.Order | None:
    if len(x.shape) == 4:
        return od.nhwc(x.shape)
    return od.nwc(x.shape) if len(x.shape) == 3 else None


def _with_constant(b: Builder, op: str, x: Value, y: Value, attrs: dict[str, AttrValue]) -> Value:
    assert y.data is not None
    shape = broadcast(b, x.shape, y.shape)
    if len(shape) == len(x.shape) > 1 and shape[0] != x.shape[0]:
        raise b.unsupported(f"a constant {list(y.shape)} that enlarges the batch of {list(x.shape)}", "a batch of one")
    if shape != x.shape:
        x = expand(b, x, shape) if elements(shape) != elements(x.shape) else reshape(b, x, shape)
    if b.quantized and y.quant is None and y.data.size > 1:  # a number becomes part of a table
        raise b.unsupported(f"a float constant ({y.source!r}) in a quantised model", "int8 behind DequantizeLinear")
    if y.quant is not None and (len(y.quant.scales) > 1 or y.data.dtype != np.int8):
        raise b.unsupported("a constant operand with several scales", "int8 with one scale")
    native = b.native_shape(x)
    data = _arranged(b, x, y.data, native)
    for axis in range(data.ndim):  # back to the smallest shape that broadcasts
        first = data.take([0], axis)
        if (data == first).all():
            data = first
    tensor, name = b.stored(x, native), b.node_name(op, "")
    const = b.const(f"{name}/b", data, Role.WEIGHTS, y.quant, y.source)
    return b.emit(op, (tensor, const), attrs, native, x.shape, x.order, name)


def _arranged(b: Builder, x: Value, data: Array, native: Shape) -> Array:
    """A constant that broadcasts to `x` in the order of `x`; no larger than it is where axes stay whole."""
    rank = len(x.shape)
    data = data.reshape((1,) * (rank - data.ndim) + data.shape)
    if data.size == 1:
        return data.reshape((1,) * len(native))
    found = b.placed(x)
    if found is not None and found[0] == native:
        shape = [1] * len(native)
        for axis, size in zip(found[1], data.shape, strict=True):
            shape[axis] = size
        return data.transpose(np.argsort(found[1])).reshape(shape)
    b.count_made(elements(x.shape) * data.itemsize)
    return od.arrange(x.order, np.broadcast_to(data, x.shape)).reshape(native)


def broadcast(b: Builder, x: Shape, y: Shape) -> Shape:
    try:
        return tuple(np.broadcast_shapes(x, y))
    except ValueError as error:
        raise b.wrong(f"shapes {list(x)} and {list(y)} do not broadcast") from error


def unary(b: Builder, op: str, x: Value, attrs: dict[str, AttrValue] | None = None) -> Value:
    """An operator on one tensor, each element by itself."""
    native = b.native_shape(x)
    return b.emit(op, (b.stored(x, native),), attrs or {}, native, x.shape, x.order)


def clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    """Values between two ends; None: no end."""
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    before = next((n for n in b.nodes if n.outputs == (x.name,)), None)
    if ends == (-math.inf, 6.0) and before is not None and before.op == "relu" and before.attrs["activation"] == "relu":
        x, ends = replace(x, name=before.inputs[0]), (0.0, 6.0)  # how torch decomposes hardswish and relu6
    if ends == (-math.inf, math.inf):
        return x
    if ends in _CLAMPS:
        return unary(b, "relu", x, {"activation": _CLAMPS[ends]})
    if ends[0] == 0:
        x = unary(b, "relu", x, {"activation": "relu"})
    elif ends[0] != -math.inf:
        x = binary(b, "maximum", x, number(ends[0]))
    return x if ends[1] == math.inf else binary(b, "minimum", x, number(ends[1]))


def hard_sigmoid(b: Builder, x: Value, slope: float, offset: float) -> Value:
    """min(max(slope * x + offset, 0), 1), by way of relu6."""
    scaled = x if slope * 6 == 1 else binary(b, "mul", x, number(slope * 6))
    sixth = clamp(b, binary(b, "add", scaled, number(offset * 6)), 0.0, 6.0)
    return binary(b, "mul", sixth, number(1 / 6))


def hard_swish(b: Builder, x: Value) -> Value:
    """x * relu6(x + 3) / 6."""
    return unary(b, "hard_swish", x)


def silu(b: Builder, x: Value) -> Value:
    """x * logistic(x)."""
    return binary(b, "mul", x, unary(b, "logistic", x))


def softplus(b: Builder, x: Value) -> Value:
    """log(1 + exp(x)), written so that no step is larger than x: relu(x) + log(1 + exp(-|x|))."""
    small = unary(b, "exp", unary(b, "neg", unary(b, "abs", x)))
    rest = unary(b, "log", binary(b, "add", small, number(1.0)))
    return binary(b, "add", clamp(b, x, 0.0, None), rest)


def mish(b: Builder, x: Value) -> Value:
    """x * tanh(softplus(x))."""
    return binary(b, "mul", x, unary(b, "tanh", softplus(b, x)))


def softsign(b: Builder, x: Value) -> Value:
    """x / (1 + |x|)."""
    return binary(b, "div", x, binary(b, "add", unary(b, "abs", x), number(1.0)))


def elu(b: Builder, x: Value, alpha: float, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    """scale * (x where positive, else alpha * (exp(input_scale * x) - 1))."""
    if (alpha, scale, input_scale) == (1.0, 1.0, 1.0):
        return unary(b, "elu", x)
    bent = unary(b, "elu", x if input_scale == 1 else binary(b, "mul", x, number(input_scale)))
    if alpha * input_scale == 1 and alpha > 0:  # celu: of a positive x the two scales cancel
        return binary(b, "mul", bent, number(alpha * scale))
    bent = binary(b, "mul", bent, number(alpha * scale))  # right below 0; above it the rest of x is missing
    above = binary(b, "mul", clamp(b, x, 0.0, None), number(scale * (1 - alpha * input_scale)))
    return binary(b, "add", bent, above)


def prelu(b: Builder, x: Value, slope: Value) -> Value:
    """x where positive, else slope * x, with a slope for each channel or one for all."""
    if slope.data is None:
        raise b.unsupported("slopes that are computed at run time", "constants")
    values = np.unique(_free(b, slope))
    if values.size == 1:
        return unary(b, "leaky_relu", x, {"alpha": float(np.float32(values[0]))})
    return _with_constant(b, "prelu", x, slope, {})


def power(b: Builder, x: Value, exponent: float) -> Value:
    """x to a constant power: roots, and small whole numbers by products."""
    if exponent in (0.5, -0.5):
        return unary(b, "sqrt" if exponent > 0 else "rsqrt", x)
    if exponent in (0.25, 0.75):
        root = unary(b, "sqrt", x)
        quarter = unary(b, "sqrt", root)
        return quarter if exponent == 0.25 else binary(b, "mul", root, quarter)
    if exponent == int(exponent) and 1 <= exponent <= 8:
        out, square, left = None, x, int(exponent)
        while left:
            if left & 1:
                out = square if out is None else binary(b, "mul", out, square)
            left >>= 1
            if left:
                square = binary(b, "mul", square, square)
        assert out is not None
        return out
    if exponent in (-0.25, -0.75):
        root = unary(b, "rsqrt", x)
        quarter = unary(b, "sqrt", root)
        return quarter if exponent == -0.25 else binary(b, "mul", root, quarter)
    if exponent == -1:
        return binary(b, "div", number(1.0), x)
    raise b.unsupported(f"the power {exponent}", "1 to 8, quarters to 0.75 and -0.75")
