"""Tensors, scales, windows and values that random networks are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array, AttrValue, Node, Quant, Tensor
from ..graph.op import View

ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")
Rng = np.random.Generator


def f32(x: float) -> float:
    return float(np.float32(x))


def quant(scale: float, zero: int = 0) -> Quant:
    return Quant((f32(scale),), (zero,))


def random_quant(rng: Rng) -> Quant:
    return quant(float(np.exp(rng.uniform(-7, 0))), int(rng.integers(-128, 128)))


def tensor(name: str, shape: Sequence[int], q: Quant, dtype: str = "int8") -> Tensor:
    return Tensor(name, tuple(shape), dtype, q)


def view_of(op: str, attrs: dict[str, AttrValue], inputs: Sequence[Tensor], out: Tensor) -> View:
    node = Node(op, op, tuple(t.name for t in inputs), (out.name,), attrs)
    return View(node, tuple(inputs), (out,))


def fill(rng: Rng, shape: Sequence[int], index: int) -> Array:
    """Mostly random, and now and then all -128, all 127 or nothing but the two."""
    if index % 7 == 3:
        return np.full(shape, -128, np.int8)
    if index % 7 == 5:
        return np.full(shape, 127, np.int8)
    if index % 7 == 6:
        return rng.choice(np.array([-128, 127], np.int8), tuple(shape))
    return rng.integers(-128, 128, tuple(shape)).astype(np.int8)


def window(rng: Rng, kernel: tuple[int, int], size: tuple[int, int], dilated: bool) -> tuple[dict[str, int], list[int]]:
    """(attributes, output size) of a random SAME or VALID window."""
    attrs, out = {}, []
    same = bool(rng.integers(2))
    dilation = rng.integers(1, 4, 2) if dilated else np.array([1, 1])
    stride = rng.integers(1, 4, 2) if dilation.max() == 1 else np.array([1, 1])
    pads = (("pad_top", "pad_bottom"), ("pad_left", "pad_right"))
    for i, axis in enumerate("hw"):
        span = (kernel[i] - 1) * int(dilation[i]) + 1
        step = int(stride[i])
        if same:
            count = -(-size[i] // step)
            total = max((count - 1) * step + span - size[i], 0)
        else:
            count, total = (size[i] - span) // step + 1, 0
        attrs[f"stride_{axis}"], attrs[f"dilation_{axis}"] = step, int(dilation[i])
        attrs[pads[i][0]], attrs[pads[i][1]] = total // 2, total - total // 2
        out.append(count)
    return attrs, out
