"""Operators that compute each element by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nchw
from ...builder import Value, constant_value, real
from ..call import Call
from .common import Handler, same


def _add(sign: float) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x, y, factor = c.value("self"), c.value("other"), sign * float(c.number("alpha") or 0.0)
        if factor != 1 and y.data is not None:
            y = constant_value(real(y) * factor, y.source)
        elif factor != 1:
            y = nchw.binary(c.b, "mul", y, constant_value(np.array(factor), ""))
        return nchw.binary(c.b, "add", x, y)

    return handler


def _div(c: Call) -> Value:
    y = c.value("other")
    if y.data is None or c.args.get("rounding_mode") is not None:
        raise c.b.unsupported("division by an activation, or with rounding", "division by a constant")
    if (real(y) == 0).any():
        raise c.b.wrong("division by zero")
    return nchw.binary(c.b, "mul", c.value("self"), constant_value(1.0 / real(y), y.source))


def _clamp(c: Call) -> Value:
    return nchw.clamp(c.b, c.value("self"), c.number("min"), c.number("max"))


def _hardtanh(c: Call) -> Value:
    return nchw.clamp(c.b, c.value("self"), c.number("min_val"), c.number("max_val"))


def _cast(c: Call) -> Value:
    dtype = c.args.get("dtype")
    if dtype is not None and str(dtype) != "torch.float32":
        raise c.b.unsupported(f"a cast to {dtype}", "torch.float32")
    return c.value("self")


HANDLERS: dict[str, Handler] = {
    "_to_copy": _cast,
    "add": _add(1.0),
    "alias": same,
    "clamp": _clamp,
    "clamp_max": _clamp,
    "clamp_min": _clamp,
    "clone": same,
    "contiguous": same,
    "detach": same,
    "div": _div,
    "dropout": same,
    "hardtanh": _hardtanh,
    "mul": lambda c: nchw.binary(c.b, "mul", c.value("self"), c.value("other")),
    "neg": lambda c: nchw.binary(c.b, "mul", c.value("self"), constant_value(np.array(-1.0), "")),
    "relu": lambda c: nchw.clamp(c.b, c.value("self"), 0.0, None),
    "sigmoid": lambda c: nchw.unary(c.b, "logistic", c.value("self")),
    "sub": _add(-1.0),
    "tanh": lambda c: nchw.unary(c.b, "tanh", c.value("self")),
}
