"""Pools."""

from __future__ import annotations

from collections.abc import Callable

from ... import nchw
from ...builder import Value
from ..args import Args, pair, sides, two
from .common import Handler


def _pool(op: str) -> Callable[[Args], Value]:
    def handler(a: Args) -> Value:
        x = a.need(0, "input")
        if len(x.shape) != 4:
            raise a.b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "4 dimensions")
        kernel = pair(a, "kernel_shape", [])
        stride, dilation = pair(a, "strides", [1, 1]), pair(a, "dilations", [1, 1])
        pads = sides(a, x.shape[2:], kernel, stride, dilation)
        ceil, counted = bool(a.attr("ceil_mode", 0)), bool(a.attr("count_include_pad", 0))
        return nchw.pool(a.b, op, x, two(kernel), two(stride), two(dilation), pads, ceil, counted)

    return handler


def _global_max_pool(a: Args) -> Value:
    x = a.need(0, "input")
    if len(x.shape) != 4:
        raise a.b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "4 dimensions")
    return nchw.pool(a.b, "max_pool", x, (x.shape[2], x.shape[3]), (1, 1), (1, 1), (0, 0, 0, 0), False)


def _global_average(a: Args) -> Value:
    x = a.need(0, "input")
    return nchw.mean(a.b, x, range(2, len(x.shape)), True)


HANDLERS: dict[str, Handler] = {
    "AveragePool": _pool("average_pool"),
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _pool("max_pool"),
}
