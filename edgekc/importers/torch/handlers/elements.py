"""Operators that compute each element by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ... import nchw
from ...value import Value, constant_value, real
from ..call import Call
from .common import Handler, same


def _add(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x, y, factor = c.value("self"), c.value("other"), float(c.number("alpha") or 0.0)
        if factor != 1 and y.data is not None:
            y = constant_value(real(y) * factor, y.source)
        elif factor != 1:
            y = nchw.binary(c.b, "mul", y, constant_value(np.array(factor), ""))
        return nchw.binary(c.b, op, x, y)

    return handler


def _div(c: Call) -> Value:
    if c.args.get("rounding_mode") is not None:
        raise c.b.unsupported("division with rounding", "division")
    return nchw.binary(c.b, "div", c.value("self"), c.value("other"))


def _binary(op: str) -> Handler:
    return lambda c: nchw.binary(c.b, op, c.value("self"), c.value("other"))


def _unary(op: str) -> Handler:
    return lambda c: nchw.unary(c.b, op, c.value("self"))


def _pow(c: Call) -> Value:
    exponent = c.value("exponent")
    if exponent.data is None or exponent.data.size != 1:
        raise c.b.unsupported("exponents that are computed at run time", "a number")
    return nchw.power(c.b, c.value("self"), float(real(exponent).ravel()[0]))


def _elu(c: Call) -> Value:
    alpha, scale, inner = (float(c.number(k) or 0.0) for k in ("alpha", "scale", "input_scale"))
    return nchw.elu(c.b, c.value("self"), alpha, scale, inner)


def _celu(c: Call) -> Value:
    alpha = float(c.number("alpha") or 0.0)
    return nchw.elu(c.b, c.value("self"), alpha, 1.0, 1 / alpha)


def _gelu(c: Call) -> Value:
    return nchw.unary(c.b, "gelu", c.value("self"), {"approximate": int(c.args.get("approximate") == "tanh")})


def _leaky(c: Call) -> Value:
    slope = float(np.float32(c.number("negative_slope") or 0.0))
    return nchw.unary(c.b, "leaky_relu", c.value("self"), {"alpha": slope})


def _prelu(c: Call) -> Value:
    x, slope = c.value("self"), c.value("weight")
    if len(x.shape) > 2 and len(slope.shape) == 1:
        slope = nchw.reshape(c.b, slope, (slope.shape[0], *(1,) * (len(x.shape) - 2)))
    return nchw.prelu(c.b, x, slope)


def _softplus(c: Call) -> Value:
    beta = float(c.number("beta") or 0.0)
    if beta != 1:
        raise c.b.unsupported(f"softplus with beta {beta}", "1")
    return nchw.softplus(c.b, c.value("self"))


def _clamp(c: Call) -> Value:
    """To numbers, or to what tensors hold."""
    x, ends = c.value("self"), dict[str, float | None]()
    for key, op in (("min", "maximum"), ("max", "minimum")):
        end = c.args.get(key)
        if isinstance(end, Value) and (end.data is None or end.data.size != 1):
            x = nchw.binary(c.b, op, x, end)
            end = None
        ends[key] = float(real(end).item()) if isinstance(end, Value) else c.number(key) if end is not None else None
    return nchw.clamp(c.b, x, ends["min"], ends["max"])


def _log(base: float) -> Handler:
    scale = constant_value(np.array(1 / math.log(base)), "")
    return lambda c: nchw.binary(c.b, "mul", nchw.unary(c.b, "log", c.value("self")), scale)


def _log1p(c: Call) -> Value:
    return nchw.unary(c.b, "log", nchw.binary(c.b, "add", c.value("self"), constant_value(np.array(1.0), "")))


def _expm1(c: Call) -> Value:
    return nchw.binary(c.b, "sub", nchw.unary(c.b, "exp", c.value("self")), constant_value(np.array(1.0), ""))


def _round(c: Call) -> Value:
    if c.args.get("decimals"):
        raise c.b.unsupported("rounding to decimals", "whole numbers")
    return nchw.unary(c.b, "round", c.value("self"))


def _hardtanh(c: Call) -> Value:
    return nchw.clamp(c.b, c.value("self"), c.number("min_val"), c.number("max_val"))


def _cast(c: Call) -> Value:
    x, dtype = c.value("self"), str(c.args.get("dtype"))
    if dtype == "None" or (x.whole and dtype in ("torch.int32", "torch.int64")):
        return x
    if dtype == "torch.bool":
        return nchw.truth_of(c.b, x)
    if dtype not in ("torch.float32", "torch.float16"):
        raise c.b.unsupported(f"a cast to {dtype}", "torch.float32, torch.bool")
    return replace(x, whole=False)


HANDLERS: dict[str, Handler] = {
    "_to_copy": _cast,
    "abs": _unary("abs"),
    "add": _add("add"),
    "alias": same,
    "ceil": _unary("ceil"),
    "celu": _celu,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "clone": same,
    "contiguous": same,
    "cos": _unary("cos"),
    "detach": same,
    "div": _div,
    "dropout": same,
    "elu": _elu,
    "exp": _unary("exp"),
    "expm1": _expm1,
    "floor": _unary("floor"),
    "gelu": _gelu,
    "hardsigmoid": lambda c: nchw.hard_sigmoid(c.b, c.value("self"), 1 / 6, 0.5),
    "hardswish": lambda c: nchw.hard_swish(c.b, c.value("self")),
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky,
    "log": _unary("log"),
    "log10": _log(10),
    "log1p": _log1p,
    "log2": _log(2),
    "maximum": _binary("maximum"),
    "minimum": _binary("minimum"),
    "mish": lambda c: nchw.mish(c.b, c.value("self")),
    "mul": _binary("mul"),
    "neg": _unary("neg"),
    "pow": _pow,
    "prelu": _prelu,
    "reciprocal": lambda c: nchw.power(c.b, c.value("self"), -1.0),
    "relu": lambda c: nchw.clamp(c.b, c.value("self"), 0.0, None),
    "round": _round,
    "rsqrt": _unary("rsqrt"),
    "sigmoid": _unary("logistic"),
    "silu": lambda c: nchw.silu(c.b, c.value("self")),
    "sin": _unary("sin"),
    "softplus": _softplus,
    "sqrt": _unary("sqrt"),
    "sub": _add("sub"),
    "tanh": _unary("tanh"),
}
