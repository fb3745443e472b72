"""What takes several elements of a tensor to one, and what runs over an axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nchw
from ...value import Value
from ..args import Args
from .common import Handler


def _axes(a: Args) -> list[int] | None:
    """The axes; None: nothing is reduced."""
    axes, nothing = a.ints(1, "axes", "axes"), a.attr("noop_with_empty_axes", 0)
    if axes:
        return axes
    return None if nothing else list(range(len(a.need(0, "input").shape)))


def _reduce(op: str, before: Callable[[Args, Value], Value] | None = None, after: str = "") -> Handler:
    """`op` over axes, of what `before` makes of the input, and `after` of what comes out."""

    def handler(a: Args) -> Value:
        x, axes = a.need(0, "input"), _axes(a)
        x = x if before is None else before(a, x)
        if axes is not None:
            x = nchw.reduce(a.b, op, x, axes, bool(a.attr("keepdims", 1)))
        return nchw.unary(a.b, after, x) if after else x

    return handler


def _square(a: Args, x: Value) -> Value:
    return nchw.binary(a.b, "mul", x, x)


def _unary(op: str) -> Callable[[Args, Value], Value]:
    return lambda a, x: nchw.unary(a.b, op, x)


def _log_sum_exp(a: Args) -> Value:
    x, axes, keep = a.need(0, "input"), _axes(a), bool(a.attr("keepdims", 1))
    return x if axes is None else nchw.log_sum_exp(a.b, x, axes, keep)


def _by_rows(run: Callable[..., Value]) -> Handler:
    """Softmax and its like; before opset 13 they flatten everything from `axis` on."""

    def handler(a: Args) -> Value:
        x = a.need(0, "input")
        axis = int(a.attr("axis", 1 if a.opset < 13 else -1))
        if a.opset < 13 and len(x.shape) > 0:
            axis %= len(x.shape)
            rest = x.shape[axis:]
            if sum(d != 1 for d in rest) > 1:
                flat = nchw.reshape(a.b, x, (*x.shape[:axis], int(np.prod(rest))))
                return nchw.reshape(a.b, run(a.b, flat, -1), x.shape)
            axis += next((i for i, d in enumerate(rest) if d != 1), 0)
        return run(a.b, x, axis)

    return handler


def _lp_normalize(a: Args) -> Value:
    x, axis, p = a.need(0, "input"), int(a.attr("axis", -1)), int(a.attr("p", 2))
    if p == 2:
        return nchw.l2_normalize(a.b, x, axis)
    size = nchw.reduce(a.b, "sum", nchw.unary(a.b, "abs", x), [axis], True)
    return nchw.binary(a.b, "div", x, size)


def _mean_variance(a: Args) -> Value:
    return nchw.normalized(a.b, a.need(0, "input"), a.attr("axes", [0, 2, 3]), 1e-9)


def _arg(op: str) -> Handler:
    def handler(a: Args) -> Value:
        x, axis = a.need(0, "input"), int(a.attr("axis", 0))
        if a.attr("select_last_index", 0):
            raise a.b.unsupported("select_last_index 1", "the first of equal values")
        return nchw.arg(a.b, op, x, axis, bool(a.attr("keepdims", 1)))

    return handler


def _global_lp(a: Args) -> Value:
    x, p = a.need(0, "input"), int(a.attr("p", 2))
    axes = list(range(2, len(x.shape)))
    if p == 1:
        return nchw.reduce(a.b, "sum", nchw.unary(a.b, "abs", x), axes, True)
    if p != 2:
        raise a.b.unsupported(f"the norm {p}", "1, 2")
    return nchw.unary(a.b, "sqrt", nchw.reduce(a.b, "sum", _square(a, x), axes, True))


def _cumulative(a: Args) -> Value:
    x, axes = a.need(0, "input"), a.ints(1, "axis", "axis") or [0]
    return nchw.cumulative(a.b, x, axes[0], bool(a.attr("exclusive", 0)), bool(a.attr("reverse", 0)))


HANDLERS: dict[str, Handler] = {
    "ArgMax": _arg("arg_max"),
    "ArgMin": _arg("arg_min"),
    "CumSum": _cumulative,
    "GlobalLpPool": _global_lp,
    "LogSoftmax": _by_rows(nchw.log_softmax),
    "LpNormalization": _lp_normalize,
    "MeanVarianceNormalization": _mean_variance,
    "ReduceL1": _reduce("sum", _unary("abs")),
    "ReduceL2": _reduce("sum", _square, "sqrt"),
    "ReduceLogSum": _reduce("sum", None, "log"),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _reduce("reduce_max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("reduce_min"),
    "ReduceProd": _reduce("reduce_prod"),
    "ReduceSum": _reduce("sum"),
    "ReduceSumSquare": _reduce("sum", _square),
    "Softmax": _by_rows(nchw.softmax),
}
