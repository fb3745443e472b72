"""Pools."""

from __future__ import annotations

from collections.abc import Callable

from ... import nchw
from ...builder import Value
from ..call import Call
from .common import Handler


def _pool(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        if c.args.get("divisor_override") is not None:
            raise c.b.unsupported("divisor_override", "the number of pixels")
        kernel = c.pair("kernel_size")
        top, left = c.pair("padding")
        counted, ceil = bool(c.args.get("count_include_pad", False)), bool(c.args.get("ceil_mode", False))
        stride, dilation = c.pair("stride", list(kernel)), c.pair("dilation", [1, 1])
        return nchw.pool(c.b, op, c.value("self"), kernel, stride, dilation, (top, top, left, left), ceil, counted)

    return handler


def _adaptive(op: str) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        x, out = c.value("self"), c.pair("output_size")
        if len(x.shape) != 4 or min(out) < 1 or x.shape[2] % out[0] or x.shape[3] % out[1]:
            raise c.b.unsupported(f"an adaptive pool of {list(x.shape)} to {list(out)}", "sizes that divide evenly")
        if op == "average_pool" and out == (1, 1):
            return nchw.mean(c.b, x, (2, 3), True)
        kernel = (x.shape[2] // out[0], x.shape[3] // out[1])
        return nchw.pool(c.b, op, x, kernel, kernel, (1, 1), (0, 0, 0, 0), False)

    return handler


HANDLERS: dict[str, Handler] = {
    "_adaptive_avg_pool2d": _adaptive("average_pool"),
    "adaptive_avg_pool2d": _adaptive("average_pool"),
    "adaptive_max_pool2d": lambda c: (_adaptive("max_pool")(c), None),
    "avg_pool2d": _pool("average_pool"),
    "max_pool2d_with_indices": lambda c: (_pool("max_pool")(c), None),
}
