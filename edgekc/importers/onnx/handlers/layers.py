"""Operators with weights, normalisations among them."""

from __future__ import annotations

from typing import Any

from ... import nchw
from ...builder import Value, constant_value, real
from ..args import Args, pair, sides, two
from .common import Handler


def _conv(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    if len(x.shape) != 4 or len(w.shape) != 4:
        raise a.b.unsupported(
            f"convolution of a tensor of shape {list(x.shape)} with weights {list(w.shape)}", "4 dimensions"
        )
    kernel = pair(a, "kernel_shape", list(w.shape[2:]))
    if tuple(kernel) != w.shape[2:]:
        raise a.b.wrong(f"kernel_shape {kernel} does not fit weights of shape {list(w.shape)}")
    stride, dilation = pair(a, "strides", [1, 1]), pair(a, "dilations", [1, 1])
    pads = sides(a, x.shape[2:], kernel, stride, dilation)
    return nchw.conv(a.b, x, w, a.get(2), two(stride), two(dilation), pads, int(a.attr("group", 1)))


def _gemm(a: Args) -> Value:
    x, w, c = a.need(0, "input"), a.need(1, "weights"), a.get(2)
    if a.attr("transA", 0):
        raise a.b.unsupported("transA 1", "transA 0")
    if w.data is None:
        raise a.b.unsupported("weights that are computed at run time", "constant weights")
    if len(w.shape) != 2:
        raise a.b.wrong(f"weights of shape {list(w.shape)}")
    if not a.attr("transB", 0):
        w = nchw.transpose(a.b, w, (1, 0))
    alpha, beta = float(a.attr("alpha", 1.0)), float(a.attr("beta", 1.0))
    if alpha != 1:
        if w.quant is not None:
            raise a.b.unsupported(f"alpha {alpha} of quantised weights", "1")
        w = constant_value(real(w) * alpha, w.source)
    if c is not None and beta != 1:
        c = constant_value(_real(a, c) * beta, c.source)
    if c is not None and c.data is not None and c.data.size not in (1, w.shape[0]):
        raise a.b.unsupported(f"a bias of shape {list(c.shape)}", f"one value for each of {w.shape[0]} outputs")
    return nchw.fully_connected(a.b, x, w, c)


def _real(a: Args, value: Value) -> Any:
    if value.data is None:
        raise a.b.unsupported("a factor of a tensor that is computed at run time", "constants")
    return real(value)


def _matmul(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    if x.data is not None or w.data is None:
        raise a.b.unsupported("a product of two activations, or a constant on the left", "activation times constant")
    if len(w.shape) != 2:
        raise a.b.unsupported(f"weights of shape {list(w.shape)}", "2 dimensions")
    return nchw.fully_connected(a.b, x, nchw.transpose(a.b, w, (1, 0)), None)


def _batch_norm(a: Args) -> Value:
    if a.attr("training_mode", 0):
        raise a.b.unsupported("batch normalisation in training mode", "inference mode")
    scale, shift, mean, var = (a.need(i, w) for i, w in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")))
    return nchw.batch_norm(a.b, a.need(0, "input"), scale, shift, mean, var, float(a.attr("epsilon", 1e-5)))


HANDLERS: dict[str, Handler] = {
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
