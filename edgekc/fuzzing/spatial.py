"""Layers of random networks that resize images, go over axes, or multiply activations."""

from __future__ import annotations

import math

import numpy as np

from ..graph.ir import AttrValue, Quant, Role, Tensor, constant
from .layers import MOST, SIGNED_UNIT, Builder, Layer, filters, linear
from .values import f32, quant

_LARGEST = 40  # pixels along an axis


def _image(x: Tensor) -> bool:
    return len(x.shape) == 4 and x.shape[0] == 1


def _resize(b: Builder, x: Tensor, op: str) -> Tensor | None:
    """Twice the size, as networks do most, or any other."""
    if not _image(x):
        return None
    twice = b.chance(0.3)
    size = [2 * d if twice else b.between(1, _LARGEST) for d in x.shape[1:3]]
    shape = (1, *size, x.shape[3])
    if math.prod(shape) > 4 * MOST:
        return None
    align, half = b.between(0, 1), b.between(0, 1)
    if op == "resize_bilinear" and align:  # LiteRT refuses both rules at once
        half = 0
    attrs = {"align_corners": align, "half_pixel_centers": half}
    return b.emit(op, dict(attrs), [x], b.new(op, shape, x.q))


def resize_nearest(b: Builder, x: Tensor) -> Tensor | None:
    return _resize(b, x, "resize_nearest")


def resize_bilinear(b: Builder, x: Tensor) -> Tensor | None:
    return _resize(b, x, "resize_bilinear")


def transpose_conv(b: Builder, x: Tensor) -> Tensor | None:
    """Of SAME padding, or of none; LiteRT takes sizes of the output whose convolution has the input's size."""
    if not _image(x):
        return None
    same, out = b.chance(0.5), []
    attrs: dict[str, AttrValue] = {}
    kernel = (b.between(1, 5), b.between(1, 5))
    axes = (("stride_h", "pad_top"), ("stride_w", "pad_left"))
    for size, k, (stride_name, pad_name) in zip(x.shape[1:3], kernel, axes, strict=True):
        stride = int(b.rng.choice([1, 2, 2, 3]))
        first = (size - 1) * stride + (1 if same else k)
        count = b.between(first, first + stride - 1)
        total = max((-(-count // stride) - 1) * stride + k - count, 0) if same else 0
        attrs |= {stride_name: stride, pad_name: total // 2}
        out.append(count)
    channels = min(b.between(1, 16), 2 * MOST // math.prod(out))
    if not channels or math.prod(out) * math.prod(kernel) * x.shape[3] > 50 * MOST:
        return None
    w = filters(b, (channels, *kernel, x.shape[3]), 0)
    return linear(b, "transpose_conv", attrs, x, w, 0, (1, *out, channels), bias=b.chance(0.7))


def _axes(b: Builder, x: Tensor) -> tuple[dict[str, AttrValue], tuple[int, ...]] | None:
    """Attributes of an operator over any axes but the batch, and the shape of its output."""
    if x.shape[0] != 1 or len(x.shape) < 2:
        return None
    axes = [i for i in range(1, len(x.shape)) if b.chance(0.5)] or [len(x.shape) - 1]
    keep = b.between(0, 1) if len(axes) < len(x.shape) - 1 else 1
    shape = tuple(1 if i in axes else d for i, d in enumerate(x.shape) if keep or i not in axes)
    stated = [a if b.chance(0.5) else a - len(x.shape) for a in axes]
    return {"axes": ",".join(map(str, stated)), "keep_dims": keep}, shape


def mean_of_any(b: Builder, x: Tensor) -> Tensor | None:
    if (found := _axes(b, x)) is None:
        return None
    q = x.q
    if b.chance(0.6):
        factor = 2.0 ** b.rng.uniform(-6, 30) if b.extreme else b.rng.uniform(0.3, 2.0)
        q = Quant((f32(min(max(x.q.scale / factor, 1e-9), 1e3)),), (b.zero(),))
    return b.emit("mean", found[0], [x], b.new("mean", found[1], q))


def _extreme(b: Builder, x: Tensor, op: str) -> Tensor | None:
    found = _axes(b, x)
    return found and b.emit(op, found[0], [x], b.new(op, found[1], x.q))


def max_of_any(b: Builder, x: Tensor) -> Tensor | None:
    return _extreme(b, x, "reduce_max")


def reduce_min(b: Builder, x: Tensor) -> Tensor | None:
    return _extreme(b, x, "reduce_min")


def reduce_prod(b: Builder, x: Tensor) -> Tensor | None:
    """Outputs as large as products of usual values are, or anything that LiteRT's shifts hold."""
    if (found := _axes(b, x)) is None:
        return None
    many = math.prod(x.shape) // math.prod(found[1])
    each, most = float(np.log(x.q.scale)), 17 if b.extreme else 5
    low, high = max(many * (each - 3.5), np.log(1e-9)), min(many * (each + most), np.log(1e3))
    if low >= high:
        return None
    size = b.rng.uniform(low, high)
    q = Quant((f32(float(np.exp(size))),), (b.zero(),))
    return b.emit("reduce_prod", found[0], [x], b.new("reduce_prod", found[1], q))


def sum_of_any(b: Builder, x: Tensor) -> Tensor | None:
    """Not in LAYERS: LiteRT's reference kernel takes int8 for uint8, and rounds twice."""
    if (found := _axes(b, x)) is None:
        return None
    many = math.prod(x.shape) / math.prod(found[1])
    factor = 2.0 ** b.rng.uniform(-6, 10) if b.extreme else b.rng.uniform(0.3, 2.0)
    q = Quant((f32(min(max(x.q.scale * np.sqrt(many) / factor, 1e-9), 1e3)),), (b.zero(),))
    return b.emit("sum", found[0], [x], b.new("sum", found[1], q))


def small_sum(b: Builder, x: Tensor) -> Tensor | None:
    """A sum in 0 .. 127 of numbers in 0 .. 127, all of one scale: there LiteRT's two kernels agree."""
    found = _axes(b, x)
    many = math.prod(x.shape) // math.prod(found[1]) if found else MOST
    if found is None or many > 80:
        return None
    zero = b.between(0, 40)
    scale = f32(x.q.scale * 128 * many / (100 - zero - many / 2))  # half a level for each that is rounded up
    above = b.emit("relu", {"activation": "relu"}, [x], b.new("relu", x.shape, Quant((x.q.scale,), (0,))))
    small = b.emit("quantize", {}, [above], b.new("quantize", x.shape, Quant((scale,), (0,))))
    return b.emit("sum", found[0], [small], b.new("sum", found[1], Quant((scale,), (zero,))))


def _product_quant(b: Builder, p: Quant, q: Quant, depth: int) -> Quant:
    """Of sums of `depth` products: such that they fill int8, or anything that LiteRT's shifts hold."""
    usual = p.scale * q.scale * 74 * 74 * np.sqrt(depth) / 60
    factor = 2.0 ** b.rng.uniform(-4, 10) if b.extreme and b.chance(0.3) else b.rng.uniform(0.3, 3.0)
    return Quant((f32(min(max(usual * factor, 1e-9), 1e3)),), (b.zero(),))


def batch_matmul(b: Builder, x: Tensor) -> Tensor | None:
    """With itself, turned or under another shape, or with a constant matrix."""
    if x.shape[0] != 1 or len(x.shape) < 3:
        return None
    *others, rows, depth = x.shape
    kind, adj_x, adj_y = b.between(0, 4), 0, b.between(0, 1)
    if kind == 4:
        columns = b.between(1, 12)
        data = b.rng.integers(-127, 128, (columns, depth) if adj_y else (depth, columns)).astype(np.int8)
        y: Tensor = constant(f"{b.name('batch_matmul')}/y", data, Role.WEIGHTS, Quant((b.scale(),), (0,)))
        shape = (*others, rows, columns)
    else:
        adj_x = int(kind >= 2)
        size = depth if adj_x else rows
        shape = (*others, size, size)
        y, adj_y = x, 1 - adj_x
        if kind % 2 and math.prod(shape) <= MOST:
            other = (*others, depth, rows)
            y, adj_y = b.emit("reshape", {}, [x], b.new("reshape", other, x.q)), adj_x
    q = _product_quant(b, x.q, y.q, rows if adj_x else depth)
    if math.prod(shape) > MOST or x.q.scale * y.q.scale / q.scale > 2.0**10:
        return None
    return b.emit("batch_matmul", {"adj_x": adj_x, "adj_y": adj_y}, [x, y], b.new("batch_matmul", shape, q))


def dynamic_fully_connected(b: Builder, x: Tensor) -> Tensor | None:
    """With weights that are the same values as rows of another shape."""
    depth = x.shape[-1]
    units = math.prod(x.shape) // depth
    shape = (*x.shape[:-1], units)
    q = _product_quant(b, x.q, x.q, depth)
    if x.shape[0] != 1 or math.prod(shape) > MOST or x.q.scale**2 / q.scale > 2.0**10:
        return None
    w = b.emit("reshape", {}, [x], b.new("reshape", (units, depth), x.q))
    attrs: dict[str, AttrValue] = {"activation": b.activation(q)}
    return b.emit("dynamic_fully_connected", attrs, [x, w], b.new("dynamic_fully_connected", shape, q))


def l2_normalize(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("l2_normalize", {}, [x], b.new("l2_normalize", x.shape, SIGNED_UNIT)) if len(x.shape) > 1 else None


def log_softmax(b: Builder, x: Tensor) -> Tensor | None:
    if len(x.shape) < 2 or x.shape[-1] > 400 or x.q.scale * 2.0**26 <= 1:
        return None
    return b.emit("log_softmax", {}, [x], b.new("log_softmax", x.shape, quant(1 / 16, 127)))


def _place(b: Builder, x: Tensor, op: str) -> Tensor | None:
    """int32, which only the application reads."""
    if x.shape[0] != 1 or len(x.shape) < 2:
        return None
    axis = b.between(1, len(x.shape) - 1)
    shape = [d for i, d in enumerate(x.shape) if i != axis]
    stated = axis if b.chance(0.5) else axis - len(x.shape)
    return b.emit(op, {"axis": stated}, [x], Tensor(b.name(op), tuple(shape), "int32"), live=False)


def arg_max(b: Builder, x: Tensor) -> Tensor | None:
    return _place(b, x, "arg_max")


def arg_min(b: Builder, x: Tensor) -> Tensor | None:
    return _place(b, x, "arg_min")


def place(b: Builder, x: Tensor) -> Tensor:
    """An output that is the place of the largest or smallest value, where `x` has an axis for it."""
    return (arg_max(b, x) if b.chance(0.5) else arg_min(b, x)) or x


LAYERS: dict[Layer, float] = {
    resize_nearest: 0.4, resize_bilinear: 0.4, transpose_conv: 1.6, mean_of_any: 0.6,
    max_of_any: 0.4, reduce_min: 0.5, reduce_prod: 0.4, small_sum: 0.6, batch_matmul: 0.8, dynamic_fully_connected: 0.5,
    l2_normalize: 0.7, log_softmax: 0.4,
}  # fmt: skip
