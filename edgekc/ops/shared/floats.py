"""What float definitions share, in numpy and in PyTorch, whose module is given: windows, and operands of one rank.

Activations are NHWC; a convolution of PyTorch sees a permuted view, which it knows as its channels-last format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...graph.ir import Array, Quant
from ...graph.op import View
from .linear import bordered

LARGEST = float(np.finfo(np.float32).max)
LOWEST = -1e4  # what stands for minus infinity where attention leaves something out, and anything below it
UNIT = Quant((1 / 256,), (-128,))  # the quantisation that TensorFlow Lite fixes for outputs in 0 .. 1

_CLAMPS: dict[str, tuple[float | None, float | None]] = {
    "none": (None, None),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}


def windows(view: View, x: Array, k_h: int, k_w: int, fill: float = 0.0) -> Iterator[tuple[int, int, Array]]:
    """(i, j, what tap i, j of the window sees): x (n, h, w, c) to strided views (n, out_h, out_w, c)."""
    _, out_h, out_w = view.out.shape[:3]
    s_h, s_w, d_h, d_w = (view[k] for k in ("stride_h", "stride_w", "dilation_h", "dilation_w"))
    pads = ((0, 0), (view["pad_top"], view["pad_bottom"]), (view["pad_left"], view["pad_right"]), (0, 0))
    image = bordered(x, pads, fill)
    for i in range(k_h):
        for j in range(k_w):
            top, left = i * d_h, j * d_w
            yield i, j, image[:, top : top + (out_h - 1) * s_h + 1 : s_h, left : left + (out_w - 1) * s_w + 1 : s_w]


def patches(view: View, x: Array, k_h: int, k_w: int) -> Array:
    """im2col: x (n, h, w, c) to (n, out_h, out_w, k_h * k_w * c), in the order of weights (oc, kh, kw, ic)."""
    n, c = x.shape[0], x.shape[3]
    _, out_h, out_w = view.out.shape[:3]
    columns = np.empty((n, out_h, out_w, k_h, k_w, c), np.float32)
    for i, j, seen in windows(view, x, k_h, k_w):
        columns[:, :, :, i, j] = seen
    return columns.reshape(n, out_h, out_w, k_h * k_w * c)


_PATCH_BYTES = 16 * 2**20  # of a slice of the batch: near the cache, and large enough for the matrix product


def by_patches(view: View, x: Array, w: Array, bias: Array) -> Array:
    """A convolution through im2col and one matrix product, so that a whole test set takes a minute, not an hour."""
    oc, k_h, k_w, ic = w.shape
    _, out_h, out_w, _ = view.out.shape
    matrix = np.ascontiguousarray(w.reshape(oc, -1).T)
    out = np.empty((x.shape[0], out_h, out_w, oc), np.float32)
    step = max(1, _PATCH_BYTES // (out_h * out_w * k_h * k_w * ic * 4))
    for start in range(0, x.shape[0], step):
        part = patches(view, x[start : start + step], k_h, k_w)
        np.matmul(part, matrix, out=out[start : start + step])
    out += bias
    return out


def aligned(operands: Sequence[Any]) -> tuple[Any, Any]:
    """Two operands, of numpy or PyTorch, ones put behind the batch axis of that with the lower rank."""
    rank = max(x.ndim for x in operands)
    first, second = (x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) if x.ndim else x for x in operands)
    return first, second


def first_in_numpy(view: View, operands: Sequence[Array]) -> Array:
    """The first operand as it is: of what changes no real number, or does so by its activation alone."""
    return operands[0]


def first_in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    return operands[0]


def reshaped(view: View, x: Any) -> Any:
    """An activation of numpy or PyTorch under the output's shape, with the batch that it has."""
    return x.reshape(-1, *view.out.shape[1:])


def padded(torch: Any, view: View, x: Any, fill: float = 0.0) -> Any:
    """x (n, h, w, c) as (n, c, h, w) with the node's padding."""
    pads = (view["pad_left"], view["pad_right"], view["pad_top"], view["pad_bottom"])
    nchw = x.permute(0, 3, 1, 2)
    return torch.nn.functional.pad(nchw, pads, value=fill) if any(pads) else nchw


def convolved(torch: Any, view: View, x: Any, filters: Any, bias: Any, groups: int) -> Any:
    """x (n, h, w, c) and filters (oc, ic, kh, kw) to (n, h, w, oc)."""
    pads = [(view["pad_top"], view["pad_bottom"]), (view["pad_left"], view["pad_right"])]
    even = all(before == after for before, after in pads)
    out = torch.nn.functional.conv2d(
        x.permute(0, 3, 1, 2) if even else padded(torch, view, x),
        filters,
        bias,
        stride=(view["stride_h"], view["stride_w"]),
        padding=(pads[0][0], pads[1][0]) if even else 0,
        dilation=(view["dilation_h"], view["dilation_w"]),
        groups=groups,
    )
    return out.permute(0, 2, 3, 1)


def clamp_of(activation: str) -> tuple[float | None, float | None]:
    """The least and the most that a fused or stand-alone activation lets through; None: no limit."""
    return _CLAMPS[activation]


def activate(x: Array, activation: str) -> Array:
    """The clamp of a fused or stand-alone activation; `x` itself where there is none."""
    low, high = clamp_of(activation)
    if low is not None:
        x = np.maximum(x, np.float32(low))
    return x if high is None else np.minimum(x, np.float32(high))
