"""Layers of int8 tensors between QuantizeLinear and DequantizeLinear, as other tools read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array, Graph
from ..graph.op import View
from ..ops.shared import reduce
from ..ops.sum import overflows
from .scales import Level, factor, levels, term_ratio
from .writer import INT8, MOVERS, Writer, mean_axes, weights_of, window_of


class Quantising(Writer):
    """Layers compute in float, between DequantizeLinear and QuantizeLinear."""

    def __init__(self, onnx: Any, graph: Graph) -> None:
        super().__init__(onnx, graph)
        self.levels = levels(graph)
        self.reals: dict[str, str] = {}  # tensors to what they stand for
        for name, level in self.levels.items():
            if not INT8[0] <= level.zero_point <= INT8[1]:
                what = f"the zero point {level.zero_point}, beyond int8, has no form in ONNX"
                raise UnsupportedError(what, where=name)

    def real(self, name: str) -> str:
        """What an activation stands for, in float, NCHW."""
        if name not in self.reals:
            self.reals[name] = self._dequantized(self.where[name], f"{name}:real", self.levels[name])
        return self.reals[name]

    def _dequantized(self, tensor: str, name: str, level: Level) -> str:
        scale = self.constant(f"{name}_scale", level.scale, "float32")
        return self.node(
            "DequantizeLinear", [tensor, scale, self.constant(f"{name}_zero", level.zero_point, "int8")], name
        )

    def quantized(self, name: str, real: str, low: int = -128, high: int = 127) -> None:
        """An activation of what it stands for, clamped to levels."""
        level = self.levels[name]
        if (low, high) != INT8:
            ends = [(end - level.zero_point) * level.scale for end in (low, high)]
            bounds = [
                self.constant(f"{name}:{k}", end, "float32") for k, end in zip(("least", "most"), ends, strict=True)
            ]
            real = self.node("Clip", [real, *bounds], f"{name}:clipped")
        scale = self.constant(f"{name}:scale", level.scale, "float32")
        zero = self.constant(f"{name}:zero", level.zero_point, "int8")
        self.where[name] = self.node("QuantizeLinear", [real, scale, zero], f"{name}:q")

    # ---- layers with weights ----

    def linear(self, view: View, weights: Array, sums: Array, axis: int) -> tuple[str, str]:
        """Weights and bias in float, each from integers: as the weights are, and (oc,).

        Args:
            weights: as ONNX lays them out, output channels along `axis`.
            sums: of each channel's weights; the zero point of the input is in the bias of the INTEGER graph.
        """
        name, x = view.node.name, self.levels[view.x.name]
        scales = _scales(view, len(sums)) * self.levels[view.out.name].scale / x.scale
        if weights.min() >= -128 and weights.max() <= 127:
            ints = self.constant(f"{name}:weights", weights, "int8")
            scale = self.constant(f"{name}:weights_scale", scales, "float32")
            zero = self.constant(f"{name}:weights_zero", np.zeros(len(sums)), "int8")
            real = self.node("DequantizeLinear", [ints, scale, zero], f"{name}:weights_real", axis=axis)
        else:  # centers of 16 bits: runtimes fuse DequantizeLinear of wider integers to layers of int8, and fail
            by_channel = scales.reshape([-1 if k == axis else 1 for k in range(weights.ndim)])
            real = self.constant(f"{name}:weights_real", weights * by_channel, "float32")
        bias = view.bias.value.astype(np.int64).reshape(-1) + x.zero_point * sums
        if np.abs(bias).max(initial=0) < 2**31:
            whole = self.constant(f"{name}:bias", bias, "int32")
            scale = self.constant(f"{name}:bias_scale", scales.astype(np.float32) * np.float32(x.scale), "float32")
            zero = self.constant(f"{name}:bias_zero", np.zeros(len(sums)), "int32")
            return real, self.node("DequantizeLinear", [whole, scale, zero], f"{name}:bias_real", axis=0)
        return real, self.constant(f"{name}:bias_real", bias * scales * x.scale, "float32")


def _scales(view: View, channels: int) -> Array:
    """What a level of each channel's accumulator is, in levels of the output."""
    pairs = zip(view.multiplier.value.reshape(-1).tolist(), view.shift.value.reshape(-1).tolist(), strict=True)
    found = np.array([factor(multiplier, shift) for multiplier, shift in pairs])
    return np.broadcast_to(found, (channels,)).copy()


def _conv(writer: Quantising, view: View, weights: Array, groups: int) -> None:
    """Weights (oc, ic / groups, kh, kw)."""
    real, bias = writer.linear(view, weights, weights.sum((1, 2, 3)), 0)
    attrs = window_of(view, weights.shape[2:])
    out = writer.node(
        "Conv", [writer.real(view.x.name), real, bias], f"{view.out.name}:sum", group=groups,
        dilations=[view["dilation_h"], view["dilation_w"]], **attrs,
    )  # fmt: skip
    writer.quantized(view.out.name, out, view["act_min"], view["act_max"])


def _conv2d(writer: Quantising, view: View) -> None:
    weights = weights_of(view).transpose(0, 3, 1, 2)
    _conv(writer, view, weights, view.x.shape[3] // weights.shape[1])


def _depthwise(writer: Quantising, view: View) -> None:
    _conv(writer, view, weights_of(view).transpose(2, 0, 1)[:, None], view.x.shape[3])


def _fully_connected(writer: Quantising, view: View) -> None:
    weights = weights_of(view).T
    real, bias = writer.linear(view, weights, weights.sum(0), 1)
    x = writer.real(view.x.name)
    if len(view.x.shape) == 4:
        x = writer.node("Transpose", [x], f"{view.node.name}:nhwc", perm=[0, 2, 3, 1])
    product = writer.node("MatMul", [x, real], f"{view.out.name}:product")
    out = writer.node("Add", [product, bias], f"{view.out.name}:sum")
    if len(view.out.shape) == 4:
        out = writer.node("Transpose", [out], f"{view.out.name}:nchw_sum", perm=[0, 3, 1, 2])
    writer.quantized(view.out.name, out, view["act_min"], view["act_max"])


# ---- layers without ----


def _add(writer: Quantising, view: View) -> None:
    """Operands broadcast as in ONNX, where they have as many axes as the output."""
    rank, parts = len(view.out.shape), []
    for prefix, t in zip("ab", view.inputs, strict=True):
        if term_ratio(view.node, prefix) == 0:
            continue  # its scale is so far below the output's that no level of it counts
        if t.data is None and len(t.shape) != rank:
            what = f"an addition of {len(t.shape)} to {rank} dimensions has no form in ONNX here"
            raise UnsupportedError(what, where=view.node.name)
        parts.append(writer.real(t.name) if t.data is None else _addend(writer, view, t.value, prefix))
    shape = view.out.shape if rank != 4 else tuple(view.out.shape[k] for k in (0, 3, 1, 2))
    while len(parts) < 2:  # such an operand as nothing, in the output's shape
        parts.append(writer.constant(f"{view.node.name}:nothing", np.zeros(shape), "float32"))
    out = writer.node("Add", parts, f"{view.out.name}:sum")
    writer.quantized(view.out.name, out, view["act_min"], view["act_max"])


def _addend(writer: Quantising, view: View, value: Array, prefix: str) -> str:
    """A constant operand in float, in the scale that its multiplier says."""
    shape = (1,) * (len(view.out.shape) - value.ndim) + value.shape
    value = value.reshape(shape).astype(np.float64) - view[f"{prefix}_zero"]
    scale = term_ratio(view.node, prefix) * writer.levels[view.out.name].scale
    moved = value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
    return writer.constant(f"{view.node.name}:{prefix}", moved * scale, "float32")


def _pool(kind: str) -> Callable[[Quantising, View], None]:
    def write(writer: Quantising, view: View) -> None:
        attrs = window_of(view, (view["filter_h"], view["filter_w"]))
        out = writer.node(kind, [writer.real(view.x.name)], f"{view.out.name}:pooled", **attrs)
        writer.quantized(view.out.name, out, view["act_min"], view["act_max"])

    return write


def _mean(writer: Quantising, view: View) -> None:
    axes = mean_axes(view)
    if overflows(reduce.count(view), view["shift"]):
        raise UnsupportedError("a mean whose sum wraps at 32 bits has no form in ONNX here", where=view.node.name)
    real, name = writer.real(view.x.name), f"{view.out.name}:mean"
    out = writer.node("ReduceMean", [real], name, axes=axes, keepdims=view["keep_dims"])
    writer.quantized(view.out.name, out)


def _softmax(writer: Quantising, view: View) -> None:
    if len(view.x.shape) == 4:
        raise UnsupportedError("a softmax of an image has no form in ONNX here", where=view.node.name)
    out = writer.node("Softmax", [writer.real(view.x.name)], f"{view.out.name}:share", axis=-1)
    writer.quantized(view.out.name, out)


WRITERS: dict[str, Callable[[Quantising, View], None]] = {
    "conv2d": _conv2d,
    "grouped_conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _add,
    "average_pool": _pool("AveragePool"),
    "max_pool": _pool("MaxPool"),
    "mean": _mean,
    "softmax": _softmax,
    **MOVERS,
}
