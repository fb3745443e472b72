"""Operators with weights, normalisations among them."""

from __future__ import annotations

from ... import nchw
from ...builder import Value, constant_value, real
from ..call import Call
from .common import Handler


def _conv(c: Call) -> Value:
    x, w = c.value("input"), c.value("weight")
    if c.args.get("transposed"):
        raise c.b.unsupported("a transposed convolution", "plain convolutions")
    if len(x.shape) != 4:
        raise c.b.unsupported(f"convolution of a tensor of shape {list(x.shape)}", "4 dimensions (2-D convolution)")
    top, left = c.pair("padding")
    groups = c.ints("groups")[0]
    pads = (top, top, left, left)
    return nchw.conv(c.b, x, w, c.optional("bias"), c.pair("stride"), c.pair("dilation"), pads, groups)


def _matrix(c: Call, value: Value) -> Value:
    """Weights (ic, oc) of a matrix product as (oc, ic)."""
    if value.data is None or len(value.shape) != 2:
        raise c.b.unsupported("a product of two activations", "an activation times a constant matrix")
    return nchw.transpose(c.b, value, (1, 0))


def _addmm(c: Call) -> Value:
    w, bias, x = _matrix(c, c.value("mat2")), c.value("self"), c.value("mat1")
    alpha, beta = c.number("alpha"), c.number("beta")
    if bias.data is None or bias.data.size not in (1, w.shape[0]):
        raise c.b.unsupported("a sum that is no bias", "one constant for each output")
    if alpha != 1:
        w = constant_value(real(w) * alpha, w.source)
    return nchw.fully_connected(c.b, x, w, constant_value(real(bias) * beta, bias.source))


def _batch_norm(c: Call) -> tuple[Value, None, None]:
    eps = c.number("eps")
    mean, var = c.value("running_mean"), c.value("running_var")
    scale, shift = c.optional("weight"), c.optional("bias")
    return nchw.batch_norm(c.b, c.value("input"), scale, shift, mean, var, float(eps or 0.0)), None, None


HANDLERS: dict[str, Handler] = {
    "_native_batch_norm_legit_no_training": _batch_norm,
    "addmm": _addmm,
    "convolution": _conv,
    "linear": lambda c: nchw.fully_connected(c.b, c.value("input"), c.value("weight"), c.optional("bias")),
    "mm": lambda c: nchw.fully_connected(c.b, c.value("self"), _matrix(c, c.value("mat2")), None),
}
