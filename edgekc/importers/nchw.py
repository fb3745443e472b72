"""The operators that PyTorch and ONNX share, each from the source's terms (NCHW) to nodes of the graph (NHWC)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Array, AttrValue, Quant, Role
from . import order as od
from .builder import Builder, Value, constant_value, elements, real, with_batch
from .order import Shape

Pair = tuple[int, int]
Pads = tuple[int, int, int, int]  # top, bottom, left, right
_CLAMPS = {(0.0, math.inf): "relu", (0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1"}


def conv(
    b: Builder, x: Value, w: Value, bias: Value | None, stride: Pair, dilation: Pair, pads: Pads, groups: int
) -> Value:
    """Convolution with weights (oc, ic / groups, kh, kw): dense, grouped, or depthwise (a group for each channel)."""
    weights = _weights(b, w, 4)
    if len(x.shape) != 4:
        raise b.unsupported(f"convolution of a tensor of shape {list(x.shape)}", "4 dimensions (2-D convolution)")
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
    return b.emit(
        op,
        operands,
        {**attrs, "activation": "none"},
        (1, h, wide, oc),
        (1, oc, h, wide),
        od.nhwc((1, oc, h, wide)),
        name,
    )


def fully_connected(b: Builder, x: Value, w: Value, bias: Value | None) -> Value:
    """x (..., ic) times weights (oc, ic); columns follow the order in which x lies in memory."""
    weights = _weights(b, w, 2)
    oc, ic = w.shape
    if len(x.shape) < 2 or x.shape[-1] != ic:
        raise b.wrong(f"weights {list(w.shape)} do not fit an input of shape {list(x.shape)}")
    if not x.order.plain:
        if elements(x.shape) != ic:
            raise b.layout(x)
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


def window(
    b: Builder, size: Shape, kernel: Pair, stride: Pair, dilation: Pair, pads: Pads, ceil: bool
) -> tuple[dict[str, AttrValue], Pair]:
    """Window attributes and (out_h, out_w); `ceil` becomes padding at the end."""
    attrs: dict[str, AttrValue] = {}
    out = []
    sides = (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right"))
    for i, (axis, before, after) in enumerate(sides):
        k, s, d, (low, high) = kernel[i], stride[i], dilation[i], (pads[2 * i], pads[2 * i + 1])
        if min(k, s, d) < 1 or min(low, high) < 0:
            raise b.wrong(f"window {k}, stride {s}, dilation {d}, padding {low} and {high}: impossible")
        span = (k - 1) * d + 1
        room = size[i] + low + high - span
        count = (room + (s - 1 if ceil else 0)) // s + 1
        if ceil and (count - 1) * s >= size[i] + low:  # a window may not start in the padding at the end
            count -= 1
        if count < 1:
            raise b.wrong(f"a window of {span} does not fit into {size[i]} plus {low + high} padding")
        high = max(high, (count - 1) * s + span - size[i] - low)  # further than that where `ceil` adds a window
        attrs |= {f"stride_{axis}": s, f"dilation_{axis}": d, before: low, after: high}
        out.append(count)
    return attrs, (out[0], out[1])


def pool(
    b: Builder,
    op: str,
    x: Value,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    pads: Pads,
    ceil: bool,
    count_include_pad: bool = False,
) -> Value:
    """Average or max pool; padding that counts becomes a node of its own, since averages here exclude it."""
    if dilation != (1, 1):
        raise b.unsupported(f"pooling with dilation {list(dilation)}", "1")
    if len(x.shape) != 4:
        raise b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "4 dimensions")
    # The windows are those of the source's own size: padding that becomes a node is not what `ceil` may start in.
    attrs, (h, w) = window(b, x.shape[2:], kernel, stride, dilation, pads, ceil)
    if op == "average_pool" and count_include_pad and any(pads):
        x = pad(b, x, [(0, 0), (0, 0), (pads[0], pads[1]), (pads[2], pads[3])], 0.0)
        beyond = (int(attrs["pad_bottom"]) - pads[1], int(attrs["pad_right"]) - pads[3])  # by `ceil`; never counted
        attrs |= {"pad_top": 0, "pad_left": 0, "pad_bottom": beyond[0], "pad_right": beyond[1]}
    tensor, c = b.nhwc(x), x.shape[1]
    attrs |= {"filter_h": kernel[0], "filter_w": kernel[1], "activation": "none"}
    return b.emit(op, (tensor,), attrs, (1, h, w, c), (1, c, h, w), od.nhwc((1, c, h, w)))


def binary(b: Builder, op: str, x: Value, y: Value) -> Value:
    """Sum or product (`op`: add, mul) with numpy's broadcasting."""
    if x.data is not None:
        x, y = y, x
    if y.data is not None:
        return _with_constant(b, op, x, y)
    rank = max(len(x.shape), len(y.shape))
    x, y = (replace(v, shape=(1,) * (rank - len(v.shape)) + v.shape) for v in (x, y))
    shape = broadcast(b, x.shape, y.shape)
    attrs: dict[str, AttrValue] = {"activation": "none"}
    if x.shape == y.shape and x.order == y.order:
        native = b.native_shape(x)
        return b.emit(op, (b.stored(x, native), b.stored(y, native)), attrs, native, shape, x.order)
    if rank == 4 and all(v.order == od.nhwc(v.shape) for v in (x, y)):
        n, c, h, w = shape
        return b.emit(op, (b.nhwc(x), b.nhwc(y)), attrs, (n, h, w, c), shape, od.nhwc(shape))
    for v in (x, y):
        if not v.order.plain:
            raise b.layout(v)
    return b.emit(op, (b.stored(x, x.shape), b.stored(y, y.shape)), attrs, shape, shape, od.plain(shape))


def _with_constant(b: Builder, op: str, x: Value, y: Value) -> Value:
    assert y.data is not None
    if broadcast(b, x.shape, y.shape) != x.shape:
        raise b.unsupported(f"a constant {list(y.shape)} that enlarges {list(x.shape)}", "broadcasting of the constant")
    if b.quantized and y.quant is None:
        raise b.unsupported(f"a float constant ({y.source!r}) in a quantised model", "int8 behind DequantizeLinear")
    if y.quant is not None and (len(y.quant.scales) > 1 or y.data.dtype != np.int8):
        raise b.unsupported("a constant operand with several scales", "int8 with one scale")
    native = b.native_shape(x)
    data = _arranged(b, x, y.data, native)
    for axis in range(data.ndim):  # back to the smallest shape that broadcasts
        first = data.take([0], axis)
        if (data == first).all():
            data = first
    tensor, name = b.stored(x, native), b.node_name(op, "")
    const = b.const(f"{name}/b", data, Role.WEIGHTS, y.quant, y.source)
    return b.emit(op, (tensor, const), {"activation": "none"}, native, x.shape, x.order, name)


def _arranged(b: Builder, x: Value, data: Array, native: Shape) -> Array:
    """A constant that broadcasts to `x` in the order of `x`; no larger than it is where axes stay whole."""
    rank = len(x.shape)
    data = data.reshape((1,) * (rank - data.ndim) + data.shape)
    if data.size == 1:
        return data.reshape((1,) * len(native))
    if x.order.plain and native in (x.shape, (1, *x.shape)):
        return data.reshape((1,) * (len(native) - rank) + data.shape)
    if rank == 4 and x.order == od.nhwc(x.shape):
        return data.transpose(0, 2, 3, 1)
    b.count_made(elements(x.shape) * data.itemsize)
    return od.arrange(x.order, np.broadcast_to(data, x.shape)).reshape(native)


def broadcast(b: Builder, x: Shape, y: Shape) -> Shape:
    try:
        return tuple(np.broadcast_shapes(x, y))
    except ValueError as error:
        raise b.wrong(f"shapes {list(x)} and {list(y)} do not broadcast") from error


def affine(b: Builder, x: Value, scale: Array, shift: Array, source: str) -> Value:
    """x * scale + shift along axis 1; folded into the neighbouring layer later, where that is exact."""
    channels = x.shape[1] if len(x.shape) > 1 else 0
    if scale.shape != (channels,) or shift.shape != (channels,):
        raise b.wrong(f"{scale.size} scales and {shift.size} shifts for {channels} channels")
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


def mean(b: Builder, x: Value, axes: Sequence[int], keep_dims: bool) -> Value:
    """Mean over spatial axes."""
    rank = len(x.shape)
    if any(not -rank <= a < rank for a in axes):
        raise b.wrong(f"axes {list(axes)} do not exist in {rank} dimensions")
    chosen = sorted({a % rank for a in axes})
    if all(x.shape[a] == 1 for a in chosen):
        return reshape(b, x, _reduced(x.shape, chosen, keep_dims))
    native, where = b.axes(x)
    stored = sorted(where[a] for a in chosen)
    if stored[0] == 0 or stored[-1] == len(native) - 1 or stored != list(range(stored[0], stored[-1] + 1)):
        raise b.unsupported(f"mean over axes {chosen} of shape {list(x.shape)}", "adjacent axes of height and width")
    shape, out = _reduced(x.shape, chosen, keep_dims), _reduced(native, stored, keep_dims)
    attrs: dict[str, AttrValue] = {"axes": ",".join(map(str, stored)), "keep_dims": int(keep_dims)}
    # The axes that stay keep their order of memory: with height or width gone, (n, w, c) holds (n, c, w).
    order = od.order_of([1 if i in chosen else d for i, d in enumerate(x.shape)], np.argsort(where).tolist())
    return b.emit("mean", (b.stored(x, native),), attrs, out, shape, order)


def _reduced(shape: Shape, axes: Sequence[int], keep_dims: bool) -> Shape:
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keep_dims or i not in axes)


def reshape(b: Builder, x: Value, shape: Sequence[int]) -> Value:
    """The source's reshape, one dimension may be -1; no node, since no bytes move."""
    target = list(shape)
    total = elements(x.shape)
    if target.count(-1) == 1:
        rest = math.prod(d for d in target if d != -1)
        target[target.index(-1)] = total // rest if rest else 0
    if math.prod(target) != total or any(d < 1 for d in target):
        raise b.wrong(f"{list(x.shape)} does not reshape to {list(shape)}")
    if x.data is not None:
        quant = None if x.quant is not None and len(x.quant.scales) > 1 else x.quant
        return constant_value(x.data.reshape(target) if quant == x.quant else real(x).reshape(target), x.source, quant)
    return replace(x, shape=tuple(target))


def transpose(b: Builder, x: Value, perm: Sequence[int]) -> Value:
    """The source's transpose: what changes is how its elements are called, not where they lie."""
    rank = len(x.shape)
    perm = [p % rank if -rank <= p < rank else rank for p in perm]
    if sorted(perm) != list(range(rank)):
        raise b.wrong(f"axes {list(perm)} are no permutation of {rank} dimensions")
    if x.data is not None:
        quant = x.quant
        if quant is not None and len(quant.scales) > 1:
            quant = Quant(quant.scales, quant.zero_points, list(perm).index(quant.axis))
        return constant_value(x.data.transpose(perm), x.source, quant)
    order = od.transposed(x.order, x.shape, perm)
    if order is None:
        raise b.layout(x)
    return replace(x, shape=tuple(x.shape[p] for p in perm), order=order)


def softmax(b: Builder, x: Value, axis: int) -> Value:
    rank = len(x.shape)
    if not -rank <= axis < rank:
        raise b.wrong(f"axis {axis} does not exist in {rank} dimensions")
    axis %= rank
    if x.shape[axis] == elements(x.shape):  # one row, in whatever order
        native = (*(1,) * (max(rank, 2) - 1), x.shape[axis])
    else:
        native, where = b.axes(x)
        if where[axis] != len(native) - 1:
            raise b.unsupported(f"softmax over axis {axis} of shape {list(x.shape)}", "the channel axis")
    return b.emit("softmax", (b.stored(x, native),), {"beta": 1.0}, native, x.shape, x.order)


def concat(b: Builder, parts: Sequence[Value], axis: int) -> Value:
    if not parts:
        raise b.wrong("a concatenation of nothing")
    rank = len(parts[0].shape)
    if not -rank <= axis < rank:
        raise b.wrong(f"axis {axis} does not exist in {rank} dimensions")
    axis %= rank
    for part in parts:
        alike = len(part.shape) == rank
        if not alike or any(
            d != e for i, (d, e) in enumerate(zip(part.shape, parts[0].shape, strict=True)) if i != axis
        ):
            raise b.wrong(f"shapes {[list(p.shape) for p in parts]} do not concatenate along axis {axis}")
    shape = tuple(sum(p.shape[i] for p in parts) if i == axis else d for i, d in enumerate(parts[0].shape))
    if rank == 4 and all(p.data is not None or p.order == od.nhwc(p.shape) for p in parts):
        n, c, h, w = shape
        names = tuple(b.nhwc(p) for p in parts)
        attrs: dict[str, AttrValue] = {"axis": (0, 3, 1, 2)[axis], "activation": "none"}
        return b.emit("concat", names, attrs, (n, h, w, c), shape, od.nhwc(shape))
    for part in parts:
        if not part.order.plain:
            raise b.layout(part)
    names = tuple(b.stored(p, p.shape) for p in parts)
    return b.emit("concat", names, {"axis": axis, "activation": "none"}, shape, shape, od.plain(shape))


def pad(b: Builder, x: Value, pairs: Sequence[Pair], value: float) -> Value:
    """Zeros around each axis of the source."""
    if value != 0:
        raise b.unsupported(f"padding with {value}", "0")
    if len(pairs) != len(x.shape):
        raise b.wrong(f"padding of {len(pairs)} axes for shape {list(x.shape)}")
    if any(p < 0 for pair in pairs for p in pair):
        raise b.unsupported(f"negative padding {[list(p) for p in pairs]}", "0 and more")
    if not any(map(any, pairs)):
        return x
    native, where = b.axes(x)
    amounts = [0] * 2 * len(native)
    for axis, pair in enumerate(pairs):
        amounts[2 * where[axis] : 2 * where[axis] + 2] = pair
    shape, stored = (
        tuple(d + sum(pair) for d, pair in zip(s, p, strict=True))
        for s, p in ((x.shape, pairs), (native, list(zip(amounts[::2], amounts[1::2], strict=True))))
    )
    attrs: dict[str, AttrValue] = {"pads": ",".join(map(str, amounts))}
    return b.emit("pad", (b.stored(x, native),), attrs, stored, shape, od.order_of(shape, np.argsort(where).tolist()))


def unary(b: Builder, op: str, x: Value, attrs: dict[str, AttrValue] | None = None) -> Value:
    native = b.native_shape(x)
    return b.emit(op, (b.stored(x, native),), attrs or {}, native, x.shape, x.order)


def clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    before = next((n for n in b.nodes if n.outputs == (x.name,)), None)
    if ends == (-math.inf, 6.0) and before is not None and before.op == "relu" and before.attrs["activation"] == "relu":
        x, ends = replace(x, name=before.inputs[0]), (0.0, 6.0)  # how torch decomposes hardswish and relu6
    if ends == (-math.inf, math.inf):
        return x
    if ends not in _CLAMPS:
        raise b.unsupported(f"a clamp to {ends[0]} .. {ends[1]}", "0 .. infinity, 0 .. 6, -1 .. 1")
    return unary(b, "relu", x, {"activation": _CLAMPS[ends]})
