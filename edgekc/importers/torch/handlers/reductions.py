"""What takes several elements of a tensor to one, and what runs over an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import nchw
from ...value import Value, constant_value
from ..call import Call
from .common import Handler


def _axes(c: Call, x: Value, key: str = "dim") -> list[int]:
    return c.ints(key) or list(range(len(x.shape)))


def _reduce(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x = c.value("self")
        return nchw.reduce(c.b, op, x, _axes(c, x), bool(c.args.get("keepdim", False)))

    return handler


def _extreme(op: str, position: str) -> Handler:
    """max.dim and min.dim: the value, and where it is if somebody asks."""

    def handler(c: Call) -> Any:
        value = _reduce(op)(c)
        if c.args.get("dim") is None:
            return value
        asked = any(len(user.args) > 1 and user.args[1] == 1 and user.users for user in c.node.users)
        return value, (_arg(position)(c) if asked else None)

    return handler


def _arg(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x = c.value("self")
        keep = bool(c.args.get("keepdim", False))
        if c.args.get("dim") is None:
            x = nchw.reshape(c.b, x, (1, -1))
            return nchw.reshape(c.b, nchw.arg(c.b, op, x, 1, False), ())
        return nchw.arg(c.b, op, x, c.ints("dim")[0], keep)

    return handler


def _norm(c: Call) -> Value:
    x, order = c.value("self"), float(c.number("ord") or 0.0)
    axes, keep = _axes(c, x), bool(c.args.get("keepdim", False))
    if order == 1:
        return nchw.reduce(c.b, "sum", nchw.unary(c.b, "abs", x), axes, keep)
    if order != 2:
        raise c.b.unsupported(f"the norm {order}", "1, 2")
    return nchw.unary(c.b, "sqrt", nchw.reduce(c.b, "sum", nchw.binary(c.b, "mul", x, x), axes, keep))


def _variance(c: Call) -> Value:
    x = c.value("self")
    axes, keep = _axes(c, x), bool(c.args.get("keepdim", False))
    correction = c.number("correction")
    correction = 1.0 if correction is None else float(correction)
    count = int(np.prod([x.shape[a] for a in axes]))
    if count <= correction:
        raise c.b.wrong(f"the variance of {count} values with a correction of {correction}")
    centred = nchw.binary(c.b, "sub", x, nchw.mean(c.b, x, axes, True))
    out = nchw.mean(c.b, nchw.binary(c.b, "mul", centred, centred), axes, keep)
    factor = count / (count - correction)
    return out if factor == 1 else nchw.binary(c.b, "mul", out, constant_value(np.array(factor), ""))


def _rows(run: Callable[..., Value]) -> Handler:
    return lambda c: run(c.b, c.value("self"), c.ints("dim")[0])


HANDLERS: dict[str, Handler] = {
    "_log_softmax": _rows(nchw.log_softmax),
    "_softmax": _rows(nchw.softmax),
    "amax": _reduce("reduce_max"),
    "amin": _reduce("reduce_min"),
    "argmax": _arg("arg_max"),
    "argmin": _arg("arg_min"),
    "cumsum": lambda c: nchw.cumulative(c.b, c.value("self"), c.ints("dim")[0]),
    "linalg_vector_norm": _norm,
    "logsumexp": lambda c: nchw.log_sum_exp(c.b, c.value("self"), c.ints("dim"), bool(c.args.get("keepdim", False))),
    "max": _extreme("reduce_max", "arg_max"),
    "mean": _reduce("mean"),
    "min": _extreme("reduce_min", "arg_min"),
    "prod": _reduce("reduce_prod"),
    "sum": _reduce("sum"),
    "var": _variance,
}
