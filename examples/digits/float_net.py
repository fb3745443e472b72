"""A folded float network as a tuple of layers, and numpy code that runs it: the float reference and the calibrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Kind = Literal["conv", "depthwise", "add", "average_pool", "flatten", "dense", "softmax"]

INPUT = "image"


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator. Its output goes by its own name; `inputs` are names of earlier layers or `INPUT`."""

    kind: Kind
    name: str
    inputs: tuple[str, ...]
    weights: Floats | None = None  # conv (oc, kh, kw, ic); depthwise (1, kh, kw, c); dense (out, in)
    bias: Floats | None = None  # (oc,)
    stride: int = 1
    relu: bool = False


def run(layers: Iterable[Layer], images: Floats) -> dict[str, Floats]:
    """Run the network on `images` (n, h, w, c); return every activation by name, the input included."""
    values = {INPUT: images}
    for layer in layers:
        out = _apply(layer, *(values[name] for name in layer.inputs))
        values[layer.name] = np.maximum(out, 0) if layer.relu else out
    return values


def _apply(layer: Layer, x: Floats, *others: Floats) -> Floats:
    match layer.kind:
        case "conv":
            out = np.einsum("nhwcij,oijc->nhwo", _windows(layer, x), layer.weights, optimize=True) + layer.bias
        case "depthwise":
            out = np.einsum("nhwcij,zijc->nhwc", _windows(layer, x), layer.weights, optimize=True) + layer.bias
        case "dense":
            assert layer.weights is not None
            out = x @ layer.weights.T + layer.bias
        case "add":
            out = x + others[0]
        case "average_pool":  # over the whole image
            out = x.mean(axis=(1, 2), keepdims=True)
        case "flatten":
            out = x.reshape(len(x), -1)
        case "softmax":
            e = np.exp(x - x.max(axis=1, keepdims=True))
            out = e / e.sum(axis=1, keepdims=True)
    return np.asarray(out, dtype=np.float32)


def _windows(layer: Layer, x: Floats) -> Floats:
    """Every window of `x` under SAME padding, as (n, h, w, c, kh, kw)."""
    assert layer.weights is not None
    kernel = layer.weights.shape[1:3]
    pads = [same_padding(size, k, layer.stride) for size, k in zip(x.shape[1:3], kernel, strict=True)]
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    view = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
    return view[:, :: layer.stride, :: layer.stride]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(before, after) of TensorFlow's SAME padding: the odd pixel goes after, unlike a symmetric torch padding."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
