"""Operators with weights, and normalisations that become them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph.ir import Array, AttrValue, Quant, Role
from .. import order as od
from ..builder import Builder
from ..value import Value, constant_value, elements, real, with_batch
from .elements import binary, power
from .moves import concat, strided
from .spatial import Pads, as_image, from_image, window


def conv(
    b: Builder,
    x: Value,
    w: Value,
    bias: Value | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    groups: int,
) -> Value:
    """Convolution with weights (oc, ic / groups, kh, kw): dense, grouped, or depthwise (a group for each channel).

    In one dimension, weights (oc, ic / groups, k), stride, dilation and pads of that one.
    """
    if len(x.shape) == 3 and len(w.shape) == 3:
        w = _as_row(b, w)
        return from_image(b, conv(b, as_image(b, x), w, bias, (1, *stride), (1, *dilation), (0, 0, *pads), groups))
    if len(x.shape) != 4 or len(w.shape) != 4:
        raise b.unsupported(
            f"convolution of a tensor of shape {list(x.shape)} with weights {list(w.shape)}", "1 or 2 spatial axes"
        )
    weights = _weights(b, w, 4)
    oc, per_group, k_h, k_w = w.shape
    channels = x.shape[1]
    if groups < 1 or per_group * groups != channels or oc % groups:
        raise b.wrong(f"weights {list(w.shape)} and {groups} groups do not fit an input of {channels} channels")
    depthwise = groups == channels and groups > 1
    op, perm = (
        ("depthwise", (1, 2, 3, 0)) if depthwise else ("conv2d" if groups == 1 else "grouped_conv2d", (0, 2, 3, 1))
    )
    attrs, (h, wide) = window(b, x.shape[2:], (k_h, k_w), stride, dilation, pads, False)
    tensor, name = b.nhwc(x), b.node_name(op, w.source)
    operands = (tensor, _moved(b, f"{name}/weights", weights, perm, w), _bias(b, name, bias, oc))
    shape = (1, oc, h, wide)
    return b.emit(op, operands, {**attrs, "activation": "none"}, (1, h, wide, oc), shape, od.nhwc(shape), name)


def _as_row(b: Builder, w: Value) -> Value:
    """Weights (a, b, k) as (a, b, 1, k), with their scales."""
    if w.data is None:
        raise b.unsupported("weights that are computed at run time", "constant weights")
    first, second, k = w.shape
    return replace(w, shape=(first, second, 1, k), data=w.data.reshape(first, second, 1, k))


def conv_transpose(
    b: Builder,
    x: Value,
    w: Value,
    bias: Value | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    pads: Pads,
    extra: Sequence[int],
    groups: int,
) -> Value:
    """Transposed convolution with weights (ic, oc / groups, kh, kw); `extra` pixels at the end (output_padding)."""
    if len(x.shape) == 3 and len(w.shape) == 3:
        row = ((1, *stride), (1, *dilation), (0, 0, *pads), (0, *extra))
        return from_image(b, conv_transpose(b, as_image(b, x), _as_row(b, w), bias, *row, groups))
    if len(x.shape) != 4 or len(w.shape) != 4:
        raise b.unsupported(
            f"transposed convolution of a tensor of shape {list(x.shape)} with weights {list(w.shape)}",
            "1 or 2 spatial axes",
        )
    weights = _weights(b, w, 4)
    ic, per_group, *_ = w.shape
    if groups < 1 or ic != x.shape[1] or ic % groups:
        raise b.wrong(f"weights {list(w.shape)} and {groups} groups do not fit an input of {x.shape[1]} channels")
    if groups > 1:
        return _in_groups(b, x, w, bias, (stride, dilation, pads, extra), groups)
    if w.quant is not None and len(w.quant.scales) > 1 and w.quant.axis != 1:
        raise b.unsupported(f"weight scales along axis {w.quant.axis}", "one scale, or one for each output channel")
    if tuple(dilation) != (1, 1):
        weights = _spread(weights, dilation)
    sizes = []
    for i in range(2):
        low, high = pads[2 * i], pads[2 * i + 1]
        sizes.append((x.shape[2 + i] - 1) * stride[i] + weights.shape[2 + i] - low - high + extra[i])
        if min(low, stride[i] - 1, sizes[-1] - 1) < 0:
            raise b.unsupported(
                f"a transposed convolution with padding {low} and {high} to size {sizes[-1]}", "0, more"
            )
    (h, wide), oc = sizes, per_group
    tensor, name = b.nhwc(x), b.node_name("transpose_conv", w.source)
    quant = None if w.quant is None else replace(w.quant, axis=0)
    kernel = b.const(f"{name}/weights", weights.transpose(1, 2, 3, 0), Role.WEIGHTS, quant, w.source)
    operands = (tensor, kernel, _bias(b, name, bias, oc))
    attrs: dict[str, AttrValue] = {"stride_h": stride[0], "stride_w": stride[1], "pad_top": pads[0]}
    attrs |= {"pad_left": pads[2], "activation": "none"}
    shape = (1, oc, h, wide)
    return b.emit("transpose_conv", operands, attrs, (1, h, wide, oc), shape, od.nhwc(shape), name)


def _spread(weights: Array, dilation: Sequence[int]) -> Array:
    """Zeros between the weights: what a dilation means."""
    first, second, k_h, k_w = weights.shape
    wide = np.zeros((first, second, (k_h - 1) * dilation[0] + 1, (k_w - 1) * dilation[1] + 1), weights.dtype)
    wide[:, :, :: dilation[0], :: dilation[1]] = weights
    return wide


def _in_groups(
    b: Builder,
    x: Value,
    w: Value,
    bias: Value | None,
    window_of: tuple[Sequence[int], Sequence[int], Pads, Sequence[int]],
    groups: int,
) -> Value:
    """One transposed convolution for each group: TensorFlow Lite has none with groups."""
    ic, per_group, k_h, k_w = w.shape
    if w.quant is not None and len(w.quant.scales) > 1:
        raise b.unsupported("a quantised transposed convolution in groups", "one group")
    if bias is not None and bias.data is None:
        raise b.unsupported("a bias that is computed at run time", "a constant bias")
    if groups == ic or groups > 8:  # one with zeros between the groups: as many nodes as groups would be no gain
        assert w.data is not None
        dense = np.zeros((ic, groups, per_group, k_h, k_w), w.data.dtype)
        inside = ic // groups
        b.count_made(dense.nbytes)
        for g in range(groups):
            dense[g * inside : (g + 1) * inside, g] = w.data[g * inside : (g + 1) * inside]
        wide = replace(w, shape=(ic, groups * per_group, k_h, k_w), data=dense.reshape(ic, -1, k_h, k_w))
        return conv_transpose(b, x, wide, bias, *window_of, 1)
    assert w.data is not None
    parts, size = [], ic // groups
    for g in range(groups):
        sizes = (1, size, *x.shape[2:])
        part = strided(b, x, (0, g * size, 0, 0), sizes, (1, 1, 1, 1))
        kernel = replace(w, shape=(size, per_group, k_h, k_w), data=w.data[g * size : (g + 1) * size])
        own = None
        if bias is not None and bias.data is not None:
            own = constant_value(real(bias).ravel()[g * per_group : (g + 1) * per_group], bias.source)
        parts.append(conv_transpose(b, part, kernel, own, *window_of, 1))
    return concat(b, parts, 1)


def fully_connected(b: Builder, x: Value, w: Value, bias: Value | None) -> Value:
    """x (..., ic) times weights (oc, ic); columns follow the order in which x lies in memory."""
    weights = _weights(b, w, 2)
    oc, ic = w.shape
    if len(x.shape) < 2 or x.shape[-1] != ic:
        raise b.wrong(f"weights {list(w.shape)} do not fit an input of shape {list(x.shape)}")
    if not x.order.plain and elements(x.shape) != ic:
        x = b.plain(x)
    if not x.order.plain:
        columns = od.arrange(x.order, np.arange(ic))
        weights = weights[:, columns]
    if w.quant is not None and len(w.quant.scales) > 1 and w.quant.axis != 0:
        raise b.unsupported("weights with a scale for each input", "one scale, or one for each output")
    tensor, name = b.stored(x, with_batch(x.shape)), b.node_name("fully_connected", w.source)
    operands = (tensor, _moved(b, f"{name}/weights", weights, (0, 1), w), _bias(b, name, bias, oc))
    shape = (*x.shape[:-1], oc)
    attrs: dict[str, AttrValue] = {"activation": "none"}
    return b.emit("fully_connected", operands, attrs, with_batch(shape), shape, od.plain(shape), name)


def _weights(b: Builder, w: Value, rank: int) -> Array:
    if w.data is None:
        raise b.unsupported("weights that are computed at run time", "constant weights")
    if len(w.shape) != rank or 0 in w.shape:
        raise b.unsupported(f"weights of shape {list(w.shape)}", f"{rank} dimensions")
    if b.quantized and w.quant is None:
        raise b.unsupported(f"float weights ({w.source!r}) in a quantised model", "int8 behind DequantizeLinear")
    if w.quant is not None and (w.data.dtype != np.int8 or any(w.quant.zero_points)):
        raise b.unsupported(
            f"weights {w.source!r} of type {w.data.dtype} with a zero point", "symmetric int8 weights (zero point 0)"
        )
    return w.data


def _moved(b: Builder, name: str, data: Array, perm: Sequence[int], w: Value) -> str:
    """Weights as a constant with their axes permuted, and the axis of their scales with them."""
    quant = w.quant
    if quant is not None and len(quant.scales) > 1:
        if quant.axis != 0:
            raise b.unsupported(f"weight scales along axis {quant.axis}", "one scale, or one for each output channel")
        quant = replace(quant, axis=perm.index(0))
    return b.const(name, data.transpose(perm), Role.WEIGHTS, quant, w.source)


def _bias(b: Builder, name: str, bias: Value | None, channels: int) -> str:
    if bias is None:
        return b.const(f"{name}/bias", np.zeros(channels, np.float32), Role.BIAS)
    if bias.data is None:
        raise b.unsupported("a bias that is computed at run time", "a constant bias")
    if bias.data.size not in (1, channels):
        raise b.wrong(f"bias of shape {list(bias.shape)} for {channels} channels")
    if bias.quant is not None and bias.data.shape == (channels,):
        return b.const(f"{name}/bias", bias.data, Role.BIAS, bias.quant, bias.source)
    data = np.broadcast_to(real(bias).ravel(), (channels,))
    return b.const(f"{name}/bias", data, Role.BIAS, None, bias.source)


def affine(b: Builder, x: Value, scale: Array, shift: Array, source: str) -> Value:
    """x * scale + shift along axis 1; folded into the neighbouring layer later, where that is exact.

    Of an image in a quantised model it is a depthwise convolution of one tap. Weights of 127 and -127 with a scale for
    each channel say the factors to the last bit but one of float32.
    """
    channels = x.shape[1] if len(x.shape) > 1 else 0
    if scale.shape != (channels,) or shift.shape != (channels,):
        raise b.wrong(f"{scale.size} scales and {shift.size} shifts for {channels} channels")
    if b.quantized and len(x.shape) == 4 and channels > 1:
        scales = np.where(scale != 0, np.abs(scale), 1).astype(np.float32) / np.float32(127)
        quant = Quant(tuple(map(float, scales)), (0,) * channels, 0)
        signs = (127 * np.sign(scale)).astype(np.int8).reshape(channels, 1, 1, 1)
        bias = constant_value(shift.astype(np.float32), source)
        return conv(b, x, constant_value(signs, source, quant), bias, (1, 1), (1, 1), (0, 0, 0, 0), channels)
    shape = (1, channels, *(1,) * (len(x.shape) - 2))
    x = binary(b, "mul", x, constant_value(scale.reshape(shape), source))
    return binary(b, "add", x, constant_value(shift.reshape(shape), source))


def batch_norm(
    b: Builder, x: Value, scale: Value | None, shift: Value | None, mean: Value, var: Value, eps: float
) -> Value:
    """Inference-time batch normalisation as a product and a sum."""
    given = [v for v in (scale, shift, mean, var) if v is not None]
    if any(v.data is None or v.quant is not None for v in given):
        raise b.unsupported("batch normalisation with computed or quantised parameters", "float constants")
    for v in given:
        if not np.isfinite(real(v)).all():
            raise b.wrong(f"the constants of tensor {v.source!r} hold NaN or infinity")
    spread = real(var) + eps
    if (spread <= 0).any():
        raise b.wrong(f"tensor {var.source!r} holds a negative variance")
    factor = (1.0 if scale is None else real(scale)) / np.sqrt(spread)
    offset = (0.0 if shift is None else real(shift)) - real(mean) * factor
    return affine(b, x, np.asarray(factor), np.asarray(offset), var.source)


def local_response(b: Builder, x: Value, size: int, alpha: float, beta: float, bias: float) -> Value:
    """x / (bias + alpha / size * the squares of `size` channels around each) ** beta: the sum is a 1x1 convolution."""
    total = across_channels(b, binary(b, "mul", x, x), (size - 1) // 2, size, x.shape[1], alpha / size, bias)
    return binary(b, "mul", x, power(b, total, -beta))


def across_channels(b: Builder, x: Value, before: int, size: int, count: int, factor: float, shift: float) -> Value:
    """Sums of `size` channels each, times a factor, plus a shift: a 1x1 convolution to `count` channels.

    The first sum begins `before` channels before the first one.
    """
    channels, spatial = x.shape[1], len(x.shape) - 2
    first = np.arange(count)[:, None] - before
    b.count_made(4 * channels * count)
    band = (np.arange(channels) >= first) & (np.arange(channels) < first + size)
    weights = constant_value((band * np.float32(factor)).reshape(count, channels, *(1,) * spatial), "")
    bias = constant_value(np.full(count, shift, np.float32), "")
    return conv(b, x, weights, bias, (1,) * spatial, (1,) * spatial, (0, 0) * spatial, 1)
