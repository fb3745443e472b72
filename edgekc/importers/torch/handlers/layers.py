"""Operators with weights, normalisations and attention among them."""

from __future__ import annotations

from ... import nchw
from ...value import Value, constant_value, real
from ..call import Call
from .common import Handler


def _conv(c: Call) -> Value:
    x, w = c.value("input"), c.value("weight")
    count = len(w.shape) - 2
    if len(x.shape) != len(w.shape) or count not in (1, 2):
        raise c.b.unsupported(
            f"convolution of a tensor of shape {list(x.shape)} with weights {list(w.shape)}", "1 or 2 spatial axes"
        )
    pads = [p for p in c.spatial("padding", count) for _ in range(2)]
    groups = c.ints("groups")[0]
    stride, dilation = c.spatial("stride", count), c.spatial("dilation", count)
    if c.args.get("transposed"):
        extra = c.spatial("output_padding", count, [0])
        return nchw.conv_transpose(c.b, x, w, c.optional("bias"), stride, dilation, pads, extra, groups)
    return nchw.conv(c.b, x, w, c.optional("bias"), stride, dilation, pads, groups)


def _addmm(c: Call) -> Value:
    w, bias, x = c.value("mat2"), c.value("self"), c.value("mat1")
    alpha, beta = float(c.number("alpha") or 0.0), float(c.number("beta") or 0.0)
    fits = bias.data is not None and bias.data.size in (1, w.shape[-1]) and x.data is None and w.data is not None
    if fits:
        w = nchw.transpose(c.b, w, (1, 0))
        if alpha != 1:
            w = constant_value(real(w) * alpha, w.source)
        return nchw.fully_connected(c.b, x, w, constant_value(real(bias) * beta, bias.source))
    out = nchw.matmul(c.b, x, w)
    if (alpha, beta) != (1.0, 1.0):
        raise c.b.unsupported(f"alpha {alpha} and beta {beta} of two activations", "1")
    return nchw.binary(c.b, "add", out, bias)


def _linear(c: Call) -> Value:
    x, w, bias = c.value("input"), c.value("weight"), c.optional("bias")
    if w.data is not None and x.data is None and (bias is None or bias.data is not None):
        return nchw.fully_connected(c.b, x, w, bias)
    out = nchw.matmul(c.b, x, nchw.transpose(c.b, w, (1, 0)))
    return out if bias is None else nchw.binary(c.b, "add", out, bias)


def _product(left: str, right: str) -> Handler:
    return lambda c: nchw.matmul(c.b, c.value(left), c.value(right))


def _batch_norm(c: Call) -> tuple[Value, None, None]:
    eps = c.number("eps")
    mean, var = c.value("running_mean"), c.value("running_var")
    scale, shift = c.optional("weight"), c.optional("bias")
    return nchw.batch_norm(c.b, c.value("input"), scale, shift, mean, var, float(eps or 0.0)), None, None


def _layer_norm(c: Call) -> tuple[Value, None, None]:
    x = c.value("input")
    rank = len(x.shape)
    axes = range(rank - len(c.ints("normalized_shape")), rank)
    eps = float(c.number("eps") or 0.0)
    return nchw.layer_norm(c.b, x, axes, c.optional("weight"), c.optional("bias"), eps), None, None


def _per_channel(c: Call, x: Value, out: Value) -> Value:
    """A normalised tensor times a scale for each channel, plus a shift."""
    along = (x.shape[1], *(1,) * (len(x.shape) - 2))
    for op, value in (("mul", c.optional("weight")), ("add", c.optional("bias"))):
        if value is not None:
            out = nchw.binary(c.b, op, out, nchw.reshape(c.b, value, along))
    return out


def _group_norm(c: Call) -> tuple[Value, None, None]:
    x, (groups,), eps = c.value("input"), c.ints("group"), float(c.number("eps") or 0.0)
    n, channels = x.shape[:2]
    if groups < 1 or channels % groups:
        raise c.b.wrong(f"{groups} groups of {channels} channels")
    split = nchw.reshape(c.b, x, (n, groups, channels // groups, *x.shape[2:]))
    out = nchw.reshape(c.b, nchw.normalized(c.b, split, range(2, len(split.shape)), eps), x.shape)
    return _per_channel(c, x, out), None, None


def _instance_norm(c: Call) -> Value:
    x, eps = c.value("input"), float(c.number("eps") or 0.0)
    if not c.args.get("use_input_stats"):
        scale, shift = c.optional("weight"), c.optional("bias")
        return nchw.batch_norm(c.b, x, scale, shift, c.value("running_mean"), c.value("running_var"), eps)
    return _per_channel(c, x, nchw.normalized(c.b, x, range(2, len(x.shape)), eps))


def _attention(c: Call) -> Value:
    q, k, v = c.value("query"), c.value("key"), c.value("value")
    scale = c.number("scale")
    return nchw.attention(c.b, q, k, v, scale=scale, mask=c.optional("attn_mask"), causal=bool(c.args.get("is_causal")))


def _einsum(c: Call) -> Value:
    return nchw.einsum(c.b, str(c.args["equation"]), c.values("tensors"))


def _baddbmm(c: Call) -> Value:
    if (c.number("alpha"), c.number("beta")) != (1, 1):
        raise c.b.unsupported("alpha and beta", "1")
    product = nchw.matmul(c.b, c.value("batch1"), c.value("batch2"))
    return nchw.binary(c.b, "add", product, c.value("self"))


HANDLERS: dict[str, Handler] = {
    "_native_batch_norm_legit_no_training": _batch_norm,
    "addmm": _addmm,
    "baddbmm": _baddbmm,
    "bmm": _product("self", "mat2"),
    "convolution": _conv,
    "einsum": _einsum,
    "instance_norm": _instance_norm,
    "linear": _linear,
    "matmul": _product("self", "other"),
    "mm": _product("self", "mat2"),
    "native_group_norm": _group_norm,
    "native_layer_norm": _layer_norm,
    "scaled_dot_product_attention": _attention,
}
