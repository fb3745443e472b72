"""Operators with weights, normalisations among them."""

from __future__ import annotations

import numpy as np

from ... import nchw
from ...value import Value, constant_value, real
from ..args import Args, sides, spatial, spatial_axes
from .common import Handler


def _conv(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    count = spatial_axes(a, x)
    kernel = spatial(a, "kernel_shape", list(w.shape[2:]), count)
    if tuple(kernel) != w.shape[2:]:
        raise a.b.wrong(f"kernel_shape {kernel} does not fit weights of shape {list(w.shape)}")
    stride, dilation = spatial(a, "strides", [1] * count, count), spatial(a, "dilations", [1] * count, count)
    pads = sides(a, x.shape[2:], kernel, stride, dilation)
    return nchw.conv(a.b, x, w, a.get(2), stride, dilation, pads, int(a.attr("group", 1)))


def _conv_transpose(a: Args) -> Value:
    x, w = a.need(0, "input"), a.need(1, "weights")
    count = spatial_axes(a, x)
    kernel = spatial(a, "kernel_shape", list(w.shape[2:]), count)
    stride, dilation = spatial(a, "strides", [1] * count, count), spatial(a, "dilations", [1] * count, count)
    extra = spatial(a, "output_padding", [0] * count, count)
    pads = [int(p) for p in a.attr("pads", [0] * 2 * count)]
    sides_of = [p for i in range(count) for p in (pads[i], pads[i + count])]
    mode = a.text("auto_pad", "NOTSET")
    shape = [int(v) for v in a.attr("output_shape", [])][-count:]
    if mode.startswith("SAME") and not shape:
        shape = [size * s for size, s in zip(x.shape[2:], stride, strict=True)]
    if shape:  # the padding follows from the size
        sides_of = []
        for i in range(count):
            full = (x.shape[2 + i] - 1) * stride[i] + extra[i] + (kernel[i] - 1) * dilation[i] + 1
            total = max(full - shape[i], 0)
            extra[i] += max(shape[i] - full, 0)
            small, large = total // 2, total - total // 2
            sides_of += [small, large] if mode == "SAME_UPPER" else [large, small]
    elif mode not in ("NOTSET", "VALID"):
        raise a.b.unsupported(f"auto_pad {mode!r}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    return nchw.conv_transpose(a.b, x, w, a.get(2), stride, dilation, sides_of, extra, int(a.attr("group", 1)))


def _gemm(a: Args) -> Value:
    x, w, c = a.need(0, "input"), a.need(1, "weights"), a.get(2)
    if len(w.shape) != 2 or len(x.shape) != 2:
        raise a.b.wrong(f"operands of shape {list(x.shape)} and {list(w.shape)}")
    if a.attr("transA", 0):
        x = nchw.transpose(a.b, x, (1, 0))
    alpha, beta = float(a.attr("alpha", 1.0)), float(a.attr("beta", 1.0))
    if a.attr("transB", 0):
        w = nchw.transpose(a.b, w, (1, 0))
    bias = None if c is None or c.data is None or c.data.size not in (1, w.shape[1]) else c
    if bias is not None and len(c.shape if c else ()) == 2 and c is not None and c.shape[0] != 1:
        bias = None  # a value for each row
    if w.data is None or x.data is not None or (c is not None and bias is None):
        return _gemm_of_two(a, x, w, c, alpha, beta)
    w = nchw.transpose(a.b, w, (1, 0))
    if alpha != 1:
        if w.quant is not None:
            raise a.b.unsupported(f"alpha {alpha} of quantised weights", "1")
        w = constant_value(real(w) * alpha, w.source)
    if bias is not None and beta != 1:
        bias = constant_value(real(bias) * beta, bias.source)
    return nchw.fully_connected(a.b, x, w, bias)


def _gemm_of_two(a: Args, x: Value, w: Value, c: Value | None, alpha: float, beta: float) -> Value:
    out = nchw.matmul(a.b, x, w)
    if alpha != 1:
        out = nchw.binary(a.b, "mul", out, constant_value(np.array(alpha), ""))
    if c is not None:
        if beta != 1 and c.data is None:
            c = nchw.binary(a.b, "mul", c, constant_value(np.array(beta), ""))
        elif beta != 1:
            c = constant_value(real(c) * beta, c.source)
        out = nchw.binary(a.b, "add", out, c)
    return out


def _batch_norm(a: Args) -> Value:
    if a.attr("training_mode", 0):
        raise a.b.unsupported("batch normalisation in training mode", "inference mode")
    scale, shift, mean, var = (a.need(i, w) for i, w in ((1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")))
    return nchw.batch_norm(a.b, a.need(0, "input"), scale, shift, mean, var, float(a.attr("epsilon", 1e-5)))


def _layer_norm(a: Args) -> list[Value]:
    x, rank = a.need(0, "input"), len(a.need(0, "input").shape)
    axes = range(int(a.attr("axis", -1)) % rank, rank)
    eps = float(a.attr("epsilon", 1e-5))
    return [nchw.layer_norm(a.b, x, axes, a.get(1), a.get(2), eps)]


def _instance_norm(a: Args) -> Value:
    x, scale, shift = a.need(0, "input"), a.need(1, "scale"), a.need(2, "bias")
    rank = len(x.shape)
    along = (x.shape[1], *(1,) * (rank - 2))
    scale, shift = (nchw.reshape(a.b, v, along) for v in (scale, shift))
    return nchw.layer_norm(a.b, x, range(2, rank), scale, shift, float(a.attr("epsilon", 1e-5)))


def _group_norm(a: Args) -> Value:
    x, scale, shift = a.need(0, "input"), a.need(1, "scale"), a.need(2, "bias")
    groups, rank = int(a.attr("num_groups", 1)), len(x.shape)
    n, channels = x.shape[:2]
    if groups < 1 or channels % groups:
        raise a.b.wrong(f"{groups} groups of {channels} channels")
    split = nchw.reshape(a.b, x, (n, groups, channels // groups, *x.shape[2:]))
    out = nchw.normalized(a.b, split, range(2, rank + 1), float(a.attr("epsilon", 1e-5)))
    out = nchw.reshape(a.b, out, x.shape)
    for op, value in (("mul", scale), ("add", shift)):
        if value.shape == (groups,) and groups != channels:  # until opset 20 one for each group
            if value.data is None:
                raise a.b.unsupported("a scale that is computed at run time", "constants")
            value = constant_value(np.repeat(real(value), channels // groups), value.source)
        out = nchw.binary(a.b, op, out, nchw.reshape(a.b, value, (channels, *(1,) * (rank - 2))))
    return out


def _lrn(a: Args) -> Value:
    alpha, beta, bias = (float(a.attr(k, d)) for k, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    return nchw.local_response(a.b, a.need(0, "input"), int(a.attr("size", 1)), alpha, beta, bias)


def _rms_norm(a: Args) -> Value:
    x, scale = a.need(0, "input"), a.need(1, "scale")
    axes = range(int(a.attr("axis", -1)) % len(x.shape), len(x.shape))
    square = nchw.mean(a.b, nchw.binary(a.b, "mul", x, x), axes, True)
    eps = constant_value(np.array(float(a.attr("epsilon", 1e-5))), "")
    root = nchw.unary(a.b, "rsqrt", nchw.binary(a.b, "add", square, eps))
    return nchw.binary(a.b, "mul", nchw.binary(a.b, "mul", x, root), scale)


def _einsum(a: Args) -> Value:
    return nchw.einsum(a.b, a.text("equation", ""), [a.need(i, f"input {i}") for i in range(len(a.node.inputs))])


def _attention(a: Args) -> Value:
    """Attention of opset 23: (batch, heads, rows, size), or (batch, rows, heads * size) with a count of heads."""
    q, k, v = a.need(0, "Q"), a.need(1, "K"), a.need(2, "V")
    if any(a.get(i) is not None for i in range(4, len(a.node.inputs))) or len(a.node.outputs) > 1:
        raise a.b.unsupported("attention with a cache, or with further outputs", "Q, K, V and a mask")
    if a.attr("softcap", 0.0) or a.attr("qk_matmul_output_mode", 0):
        raise a.b.unsupported("softcap, or another output", "0")
    flat = len(q.shape) == 3
    heads = (int(a.attr("q_num_heads", 1)), *(int(a.attr("kv_num_heads", 1)),) * 2)
    if flat:
        q, k, v = (
            nchw.transpose(a.b, nchw.reshape(a.b, x, (*x.shape[:2], h, x.shape[2] // h)), (0, 2, 1, 3))
            for x, h in zip((q, k, v), heads, strict=True)
        )
    causal, scale = bool(a.attr("is_causal", 0)), a.attr("scale", None)
    out = nchw.attention(a.b, q, k, v, scale=scale, mask=a.get(3), causal=causal)
    if flat:
        n, heads_of, rows, size = out.shape
        out = nchw.reshape(a.b, nchw.transpose(a.b, out, (0, 2, 1, 3)), (n, rows, heads_of * size))
    return out


HANDLERS: dict[str, Handler] = {
    "Attention": _attention,
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _lrn,
    "LayerNormalization": _layer_norm,
    "MatMul": lambda a: nchw.matmul(a.b, a.need(0, "a"), a.need(1, "b")),
    "RMSNormalization": _rms_norm,
}
