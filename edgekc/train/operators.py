"""The operators of a FLOAT graph in PyTorch: the twin of quantize/float_reference, with gradients.

Activations are NHWC as everywhere in edgekc; a convolution sees a permuted view, which PyTorch knows as its
channels-last format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import Tensor

from ..graph.op import View

# Functions of their own, not torch.clamp: their gradients take a third of its time.
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda x: x,
    "relu": torch.relu,
    "relu6": F.relu6,
    "relu_n1_to_1": F.hardtanh,
}


def activate(x: Tensor, activation: str) -> Tensor:
    """A fused or stand-alone activation; `x` itself where there is none."""
    return _ACTIVATIONS[activation](x)


def padded(view: View, x: Tensor, fill: float = 0.0) -> Tensor:
    """x (n, h, w, c) as (n, c, h, w) with the node's padding."""
    pads = (view["pad_left"], view["pad_right"], view["pad_top"], view["pad_bottom"])
    nchw = x.permute(0, 3, 1, 2)
    return F.pad(nchw, pads, value=fill) if any(pads) else nchw


def _convolved(view: View, x: Tensor, filters: Tensor, bias: Tensor, groups: int) -> Tensor:
    """x (n, h, w, c) and filters (oc, ic, kh, kw) to (n, h, w, oc)."""
    pads = [(view["pad_top"], view["pad_bottom"]), (view["pad_left"], view["pad_right"])]
    even = all(before == after for before, after in pads)
    out = F.conv2d(
        x.permute(0, 3, 1, 2) if even else padded(view, x),
        filters,
        bias,
        stride=(view["stride_h"], view["stride_w"]),
        padding=(pads[0][0], pads[1][0]) if even else 0,
        dilation=(view["dilation_h"], view["dilation_w"]),
        groups=groups,
    )
    return out.permute(0, 2, 3, 1)


def _conv2d(view: View, operands: Sequence[Tensor]) -> Tensor:
    x, w, bias = operands
    return _convolved(view, x, w.permute(0, 3, 1, 2), bias, x.shape[3] // w.shape[3])


def _depthwise(view: View, operands: Sequence[Tensor]) -> Tensor:
    x, w, bias = operands
    groups = x.shape[3]
    if view["stride_h"] == view["stride_w"] == 1 or not torch.is_autocast_enabled("cpu"):
        return _convolved(view, x, w.permute(3, 0, 1, 2), bias, groups)
    # With a stride, the gradients of PyTorch's bfloat16 kernel take several times as long as those of float32.
    with torch.autocast("cpu", enabled=False):
        return _convolved(view, x.float(), w.permute(3, 0, 1, 2), bias, groups)


def _fully_connected(view: View, operands: Sequence[Tensor]) -> Tensor:
    return F.linear(*operands)


def _aligned(operands: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    rank = max(x.ndim for x in operands)
    first, second = (x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) if x.ndim else x for x in operands)
    return first, second


def _add(view: View, operands: Sequence[Tensor]) -> Tensor:
    a, b = _aligned(operands)
    return a + b


def _mul(view: View, operands: Sequence[Tensor]) -> Tensor:
    a, b = _aligned(operands)
    return a * b


def _average_pool(view: View, operands: Sequence[Tensor]) -> Tensor:
    size, stride = (view["filter_h"], view["filter_w"]), (view["stride_h"], view["stride_w"])
    x = operands[0]
    total = F.avg_pool2d(padded(view, x), size, stride, divisor_override=1)
    inside = F.avg_pool2d(padded(view, torch.ones_like(x[:1])), size, stride, divisor_override=1)
    return (total / inside).permute(0, 2, 3, 1)


def _max_pool(view: View, operands: Sequence[Tensor]) -> Tensor:
    size, stride = (view["filter_h"], view["filter_w"]), (view["stride_h"], view["stride_w"])
    return F.max_pool2d(padded(view, operands[0], float("-inf")), size, stride).permute(0, 2, 3, 1)


def _mean(view: View, operands: Sequence[Tensor]) -> Tensor:
    x = operands[0]
    axes = [int(a) % x.ndim for a in str(view.node.attrs["axes"]).split(",")]
    return x.mean(axes, keepdim=bool(view["keep_dims"]))


def _reshape(view: View, operands: Sequence[Tensor]) -> Tensor:
    return operands[0].reshape(-1, *view.out.shape[1:])


def _pad(view: View, operands: Sequence[Tensor]) -> Tensor:
    amounts = [int(v) for v in str(view.node.attrs["pads"]).split(",")]
    backwards = [p for axis in range(len(amounts) - 2, -1, -2) for p in amounts[axis : axis + 2]]
    return F.pad(operands[0], backwards)


def _softmax(view: View, operands: Sequence[Tensor]) -> Tensor:
    beta = view.node.attrs["beta"]
    assert isinstance(beta, (int, float))
    return F.softmax(operands[0] * beta, -1)


def _concat(view: View, operands: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(operands), view["axis"])


# Operator name -> output before the activation, from the node and its operands (constants included).
OPERATORS: dict[str, Callable[[View, Sequence[Tensor]], Tensor]] = {
    "conv2d": _conv2d,
    "grouped_conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _add,
    "mul": _mul,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": _mean,
    "reshape": _reshape,
    "softmax": _softmax,
    "pad": _pad,
    "relu": lambda view, operands: operands[0],
    "logistic": lambda view, operands: torch.sigmoid(operands[0]),
    "concat": _concat,
}
