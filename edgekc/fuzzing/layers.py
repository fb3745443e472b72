"""The layers that random networks are made of: each appends one or more nodes of a .tflite file to a Builder.

Every operator that the importer takes is here, with what LiteRT leaves undefined kept out of reach:

- relu6 and relu_n1_to_1, fused or alone, where 6 / scale leaves int32: LiteRT casts the quotient to int32, which is
  undefined.
- Fully connected layers where accumulator times multiplier leaves int32: LiteRT casts that product too.
- Softmax over rows of so many equal values that the exponentials add up to 512, or of beta * scale <= 2**-26, and
  additions whose output scale is below about 2**-18 of an input's: LiteRT aborts the process.
- Products of 2**13 output scales and more, and requantisations by 2**21 and more: LiteRT's left shift leaves int32,
  a signed overflow in C++; edgekc refuses what is twice as large.

Left shifts of convolutions may wrap: LiteRT multiplies in 32 bits, and what it gives there is what edgekc defines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from ..graph.op import View
from .packed import templated_filters
from .values import ACTIVATIONS, Rng, f32, quant, tensor, window

SCALES = (1e-9, 1e3)  # of activations
MOST = 4000  # values of an activation, so that numpy is quick
PROBABILITY = quant(1 / 256, -128)  # what softmax and logistic demand of their outputs
SIGNED_UNIT = quant(1 / 128, 0)  # what tanh demands of its output
Layer = Callable[["Builder", Tensor], "Tensor | None"]


@dataclass
class Builder:
    """The network so far. `extreme`: scales from all of SCALES, instead of what trained networks have."""

    rng: Rng
    extreme: bool
    views: list[View] = field(default_factory=list)
    live: list[Tensor] = field(default_factory=list)  # activations that a layer may read
    read: set[str] = field(default_factory=set)
    roots: dict[str, str] = field(default_factory=dict)  # activation -> the one whose bytes it shows

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def scale(self) -> float:
        low, high = np.log(SCALES) if self.extreme else (-7.0, 0.0)
        return f32(float(np.exp(self.rng.uniform(low, high))))

    def zero(self, dtype: str = "int8") -> int:
        info = np.iinfo(dtype)
        ends = (info.min, info.max, (info.min + info.max + 1) // 2)
        return int(self.rng.choice(ends)) if self.chance(0.4) else self.between(info.min, info.max)

    def quant(self) -> Quant:
        return Quant((self.scale(),), (self.zero(),))

    def activation(self, q: Quant) -> str:
        """A fused activation whose bounds LiteRT can compute in this quantisation."""
        kind = ACTIVATIONS[self.between(0, 3)] if self.chance(0.5) else "none"
        return kind if kind in ("none", "relu") or 6 / q.scale < 2.0**30 else "relu"

    def emit(self, op: str, attrs: dict[str, AttrValue], inputs: Sequence[Tensor], out: Tensor, live: bool = True) -> Tensor:  # fmt: skip  # noqa: E501
        """Append a node that writes `out`; returns it."""
        view = View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), attrs), tuple(inputs), (out,))
        self.views.append(view)
        self.read.update(t.name for t in inputs)
        moves_nothing = op in ("reshape", "expand_dims", "squeeze", "cast")
        self.roots[out.name] = self.roots.get(inputs[0].name, inputs[0].name) if moves_nothing else out.name
        if live:
            self.live.append(out)
        return out

    def name(self, op: str) -> str:
        return f"{op}_{len(self.views)}"

    def new(self, op: str, shape: Sequence[int], q: Quant, dtype: str = "int8") -> Tensor:
        return tensor(self.name(op), shape, q, dtype)

    def partner(self, fits: Callable[[Tensor], bool]) -> Tensor | None:
        """Another activation that fits."""
        found = [t for t in self.live if fits(t)]
        return found[self.between(0, len(found) - 1)] if found else None


# ---- weights, biases, and the scales that go with them --------------------------------------------------


def filters(b: Builder, shape: tuple[int, ...], axis: int) -> Array:
    """int8 weights: dense, pruned, constant, at their limits, or all zero; some filters of nothing but zeros."""
    kind = b.rng.choice(["dense", "pruned", "small", "constant", "limits", "lowest", "zero", "templates"],
                        p=[0.32, 0.2, 0.12, 0.06, 0.12, 0.05, 0.03, 0.1])  # fmt: skip
    dense = b.rng.integers(-127, 128, shape)
    per_filter = [shape[axis] if i == axis else 1 for i in range(len(shape))]
    if kind == "pruned":
        dense = dense * (b.rng.random(shape) < b.rng.choice([0.02, 0.1, 0.3]))
    elif kind == "small":
        dense = b.rng.integers(-2, 3, shape)
    elif kind == "constant":
        dense = np.broadcast_to(b.rng.integers(-127, 128, per_filter), shape)
    elif kind == "limits":
        dense = b.rng.choice([-127, 127], shape)
    elif kind == "lowest":
        dense = b.rng.choice([-128, 127], shape)
    elif kind == "zero":
        dense = np.zeros(shape, np.int64)
    elif kind == "templates" and len(shape) == 4:
        dense = templated_filters(b.rng, (shape[0], shape[3]), (shape[1], shape[2])).transpose(0, 2, 3, 1)
    if b.chance(0.2):
        dense = dense * (b.rng.random(per_filter) < 0.6)
    return np.ascontiguousarray(dense).astype(np.int8)


def linear(b: Builder, op: str, attrs: dict[str, AttrValue], x: Tensor, w: Array, axis: int, shape: Sequence[int],
           *, live: bool = True, bias: bool = True, bounded: bool = False) -> Tensor:  # fmt: skip
    """A layer with weights. `bounded`: no accumulator times its multiplier leaves int32."""
    name, channels = b.name(op), w.shape[axis]
    flat = np.moveaxis(w.astype(np.int64), axis, 0).reshape(channels, -1)
    bound = (128 + abs(x.q.zero_point)) * np.abs(flat).sum(1)
    spread = 74 * np.sqrt((flat**2).sum(1)) + 1
    out = b.quant()
    real = _multipliers(b, spread)
    values = _bias(b, bound, spread, np.broadcast_to(real, channels)) if bias else np.zeros(channels, np.int64)
    if bounded:
        real = np.minimum(real, 2.0**30 / float((bound + np.abs(values)).max() + 1))
    scales = tuple(f32(s) for s in np.clip(real * out.scale / x.q.scale, 1e-30, 1e30))
    inputs = [x, constant(f"{name}/w", w, Role.WEIGHTS, Quant(scales, (0,) * len(scales), axis))]
    if bias:
        bias_scales = tuple(f32(max(x.q.scale * s, 1e-37)) for s in scales)
        q = Quant(bias_scales, (0,) * len(bias_scales))
        inputs.append(constant(f"{name}/b", values.astype(np.int32), Role.BIAS, q))
    return b.emit(op, {**attrs, "activation": b.activation(out)}, inputs, tensor(name, shape, out), live)


def _multipliers(b: Builder, spread: Array) -> Array:
    """Real multipliers, one or one per filter: such that outputs fill int8, or anything up to 2**24.

    Filters of few weights get the largest, as in pruned networks: there left shifts wrap.
    """
    style = b.rng.choice(["usual", "anything", "left"], p=[0.65, 0.15, 0.2] if b.extreme else [0.9, 0.05, 0.05])
    if style == "anything":
        real = 2.0 ** b.rng.uniform(-24, 24) * 2.0 ** b.rng.uniform(-2, 2, spread.size)
    else:
        real = 60 / spread * b.rng.uniform(0.3, 2.0, spread.size)
    if style == "left":
        return np.asarray(np.where(b.rng.random(spread.size) < 0.5, 2.0 ** b.rng.uniform(8, 26, spread.size), real))
    if b.chance(0.4):
        return np.asarray(np.median(real, keepdims=True))
    if b.chance(0.2):
        real[b.between(0, spread.size - 1)] *= 2.0 ** b.rng.uniform(-32, 12)
    return np.asarray(real)


def _bias(b: Builder, bound: Array, spread: Array, real: Array) -> Array:
    """Zeros, some of the sums' size, next to a rounding tie, or as far out as the accumulator allows."""
    kind = b.rng.choice(["zero", "usual", "tie", "limit"], p=[0.15, 0.6, 0.15, 0.1])
    room = 2**31 - 1 - bound
    usual = b.rng.uniform(-1, 1, spread.size) * spread
    if kind == "tie":
        usual = np.round((b.rng.integers(-128, 128, spread.size) + 0.5) / real) + b.rng.integers(-1, 2, spread.size)
    elif kind == "limit":
        usual = b.rng.choice([-1.0, 1.0], spread.size) * room
    return np.asarray(np.clip(np.round(usual), -room, room) * (kind != "zero")).astype(np.int64)


# ---- windows --------------------------------------------------------------------------------------------


def _window(b: Builder, x: Tensor, dilated: bool = True) -> tuple[tuple[int, int], dict[str, AttrValue], list[int]] | None:  # fmt: skip  # noqa: E501
    """(kernel, attributes, output size) of a window over an image; None where it does not fit."""
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    kernel = (3, 3) if b.chance(0.35) else (b.between(1, 5), b.between(1, 5))
    if b.chance(0.2):
        kernel = (1, 1)
    attrs, out = window(b.rng, kernel, (x.shape[1], x.shape[2]), dilated and b.chance(0.25))
    return (kernel, dict(attrs), out) if min(out) > 0 else None


def conv2d(b: Builder, x: Tensor) -> Tensor | None:
    if (found := _window(b, x)) is None:
        return None
    kernel, attrs, out = found
    channels = min(b.between(1, 24), MOST // math.prod(out))
    w = filters(b, (channels, *kernel, x.shape[3]), 0)
    return linear(b, "conv2d", attrs, x, w, 0, (1, *out, channels)) if channels else None


def grouped_conv2d(b: Builder, x: Tensor) -> Tensor | None:
    divisors = [g for g in range(2, x.shape[-1] + 1) if x.shape[-1] % g == 0]
    if not divisors or (found := _window(b, x)) is None:
        return None
    kernel, attrs, out = found
    groups = int(b.rng.choice(divisors))
    channels = groups * b.between(1, max(1, min(3, MOST // (math.prod(out) * groups))))
    w = filters(b, (channels, *kernel, x.shape[3] // groups), 0)
    return linear(b, "grouped_conv2d", attrs, x, w, 0, (1, *out, channels))


def depthwise(b: Builder, x: Tensor) -> Tensor | None:
    if (found := _window(b, x)) is None:
        return None
    kernel, attrs, out = found
    channels = x.shape[3] * (b.between(2, 4) if x.shape[3] <= 12 and b.chance(0.3) else 1)
    return linear(b, "depthwise", attrs, x, filters(b, (1, *kernel, channels), 3), 3, (1, *out, channels))


def body(b: Builder, x: Tensor) -> Tensor | None:
    """A 3x3 window of SAME padding as the bodies of trained networks have, of more channels, for the kernels for it."""
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    stride = b.between(1, 2) if b.chance(0.3) else 1
    attrs: dict[str, AttrValue] = {"stride_h": stride, "stride_w": stride, "dilation_h": 1, "dilation_w": 1}
    sizes = []
    for size, before, after in ((x.shape[1], "pad_top", "pad_bottom"), (x.shape[2], "pad_left", "pad_right")):
        sizes.append(-(-size // stride))
        total = max((sizes[-1] - 1) * stride + 3 - size, 0)
        attrs |= {before: total // 2, after: total - total // 2}
    if x.shape[3] >= 4 and b.chance(0.5):
        return linear(b, "depthwise", attrs, x, filters(b, (1, 3, 3, x.shape[3]), 3), 3, (1, *sizes, x.shape[3]))
    usual = int(b.rng.choice([8, 16, 24, 32])) if b.chance(0.6) else b.between(8, 32)
    channels = min(usual, MOST // math.prod(sizes))
    w = filters(b, (channels, 3, 3, x.shape[3]), 0)
    return linear(b, "conv2d", attrs, x, w, 0, (1, *sizes, channels)) if channels else None


def dilated_in_phases(b: Builder, x: Tensor) -> Tensor | None:
    """SPACE_TO_BATCH_ND, a convolution without padding, BATCH_TO_SPACE_ND: one dilated convolution."""
    if len(x.shape) != 4 or x.shape[0] != 1 or min(x.shape[1:3]) < 3:
        return None
    blocks, kernel = [b.between(1, 3), b.between(2, 3)], [b.between(1, 3), b.between(1, 3)]
    pads, crops, phase = [], [], []
    for size, block, k in zip(x.shape[1:3], blocks, kernel, strict=True):
        least = max(block * k - size, 0)
        before = b.between(0, 2)
        after = max(least - before, 0)
        after += -(size + before + after) % block
        pads += [before, after]
        phase.append((size + before + after) // block)
        room = (phase[-1] - k + 1) * block - 1  # at least one row must stay
        crops += [0, b.between(0, min(after, block - 1, room))]
    n = blocks[0] * blocks[1]
    dealt = b.new("space_to_batch", (n, *phase, x.shape[3]), x.q)
    text = [",".join(map(str, v)) for v in (blocks, pads, crops)]
    b.emit("space_to_batch", {"blocks": text[0], "pads": text[1]}, [x], dealt, live=False)
    attrs: dict[str, AttrValue] = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    sizes = [p - k + 1 for p, k in zip(phase, kernel, strict=True)]
    if b.chance(0.5):
        w = filters(b, (1, *kernel, x.shape[3]), 3)
        y = linear(b, "depthwise", attrs, dealt, w, 3, (n, *sizes, x.shape[3]), live=False)
    else:
        w = filters(b, (b.between(1, 8), *kernel, x.shape[3]), 0)
        y = linear(b, "conv2d", attrs, dealt, w, 0, (n, *sizes, w.shape[0]), live=False)
    whole = [s * block - a - c for s, block, a, c in zip(sizes, blocks, crops[::2], crops[1::2], strict=True)]
    out = b.new("batch_to_space", (1, *whole, y.shape[3]), y.q)
    return b.emit("batch_to_space", {"blocks": text[0], "crops": text[2]}, [y], out)


def pool(b: Builder, x: Tensor) -> Tensor | None:
    if (found := _window(b, x, dilated=False)) is None:
        return None
    kernel, attrs, out = found
    attrs |= {"filter_h": kernel[0], "filter_w": kernel[1], "activation": b.activation(x.q)}
    op = "average_pool" if b.chance(0.5) else "max_pool"
    return b.emit(op, attrs, [x], b.new(op, (1, *out, x.shape[3]), x.q))


def global_pool(b: Builder, x: Tensor) -> Tensor | None:
    """A window as large as the image, which ends most networks."""
    if len(x.shape) != 4 or x.shape[0] != 1:
        return None
    attrs: dict[str, AttrValue] = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    attrs |= {"filter_h": x.shape[1], "filter_w": x.shape[2], "activation": "none"}
    op = "average_pool" if b.chance(0.7) else "max_pool"
    return b.emit(op, attrs, [x], b.new(op, (1, 1, 1, x.shape[3]), x.q))


def fully_connected(b: Builder, x: Tensor) -> Tensor | None:
    """Over the last axis; of an image, over all of it, which the file need not flatten first."""
    rows, channels = tuple(x.shape[:-1]), b.between(1, 20)
    taps = x.shape[-1]
    if len(x.shape) == 4:
        rows, taps = (1,), math.prod(x.shape)
    if not rows or taps > 1200 or math.prod(rows) * channels > MOST:
        return None
    w = filters(b, (channels, taps), 0)
    return linear(b, "fully_connected", {}, x, w, 0, (*rows, channels), bias=b.chance(0.8), bounded=True)
