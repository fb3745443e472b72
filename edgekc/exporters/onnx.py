"""An INTEGER graph to ONNX: int8 tensors between QuantizeLinear and DequantizeLinear, as other tools read them.

The integers that it computes are those of the graph to within one level for each layer: ONNX rounds halves to even, and
computes in float between two QuantizeLinear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ToolError, UnsupportedError
from ..graph.ir import Array, Graph
from ..graph.op import View, int_attrs, view_of
from ..names import visible
from ..ops import OPS
from ..ops.shared import reduce
from ..ops.sum import overflows
from .scales import Level, factor, levels, term_ratio

OPSET, IR_VERSION = 13, 8
_INT8 = (-128, 127)


def to_onnx(graph: Graph) -> bytes:
    """The model as the bytes of a .onnx file; inputs and outputs are those of the graph, NHWC and in its types.

    Raises:
        UnsupportedError: an operator or a type has no form in ONNX here; says the layer.
        ToolError: the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise ToolError("writing ONNX needs the package onnx", fix="pip install 'edgekc[onnx]'") from None
    if graph.states:
        raise UnsupportedError("a network with a state has no form in ONNX here", where=graph.name)
    writer = _Writer(onnx, graph)
    for name, level in writer.levels.items():
        if not -128 <= level.zero_point <= 127:
            what = f"the zero point {level.zero_point}, beyond int8, has no form in ONNX"
            raise UnsupportedError(what, where=name)
    for name in graph.inputs:
        writer.take_input(name)
    for node in graph.nodes:
        write = _WRITERS.get(OPS[node.op].packs or node.op)
        dtypes = {t.dtype for t in graph.of((*node.inputs, *node.outputs)) if t.data is None}
        if write is None or dtypes != {"int8"}:
            what = f"{node.op} of {' and '.join(sorted(dtypes))}"
            raise UnsupportedError(f"{what} has no form in ONNX here", where=node.name)
        write(writer, view_of(graph, node))
    for name in graph.outputs:
        writer.give_output(name)
    return writer.bytes()


class _Writer:
    """The ONNX graph as it grows. Tensors of four dimensions are NCHW in it."""

    def __init__(self, onnx: Any, graph: Graph) -> None:
        self.onnx, self.graph, self.levels = onnx, graph, levels(graph)
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.where: dict[str, str] = {}  # activations to tensors of theirs, NCHW
        self.reals: dict[str, str] = {}  # those to what they stand for

    # ---- parts ----

    def node(self, kind: str, inputs: Sequence[str], name: str, **attrs: Any) -> str:
        """One operator; its output has its name."""
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name=f"{name}:{kind}", **attrs))
        return name

    def constant(self, name: str, value: Any, dtype: str) -> str:
        """An initializer; of two with a name the first."""
        if name not in self.constants:
            self.constants[name] = self.onnx.numpy_helper.from_array(np.asarray(value, dtype), name)
        return name

    def take_input(self, name: str) -> None:
        t = self.graph.tensors[name]
        self._declare(self.inputs, name)
        self.where[name] = name
        if len(t.shape) == 4:
            self.where[name] = self.node("Transpose", [name], f"{name}:nchw", perm=[0, 3, 1, 2])

    def give_output(self, name: str) -> None:
        self._declare(self.outputs, f"{name}:out")
        t, found = self.graph.tensors[name], self.where[name]
        if len(t.shape) == 4:
            self.node("Transpose", [found], f"{name}:out", perm=[0, 2, 3, 1])
        else:
            self.node("Identity", [found], f"{name}:out")

    def _declare(self, into: list[Any], name: str) -> None:
        t = self.graph.tensors[name.removesuffix(":out")]
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(t.dtype))
        into.append(self.onnx.helper.make_tensor_value_info(name, kind, list(t.shape)))

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
        if (low, high) != _INT8:
            ends = [(end - level.zero_point) * level.scale for end in (low, high)]
            bounds = [
                self.constant(f"{name}:{k}", end, "float32") for k, end in zip(("least", "most"), ends, strict=True)
            ]
            real = self.node("Clip", [real, *bounds], f"{name}:clipped")
        scale = self.constant(f"{name}:scale", level.scale, "float32")
        zero = self.constant(f"{name}:zero", level.zero_point, "int8")
        self.where[name] = self.node("QuantizeLinear", [real, scale, zero], f"{name}:q")

    def bytes(self) -> bytes:
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes, visible(self.graph.name), self.inputs, self.outputs, list(self.constants.values())
        )
        model = helper.make_model(
            graph, producer_name="edgekc", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        # What a packed model says of itself; `source_layout` is what a process knows of the arrays of its user.
        for key, value in sorted((k, v) for k, v in self.graph.metadata.items() if k != "source_layout"):
            model.metadata_props.add(key=key, value=value)
        self.onnx.checker.check_model(model)
        found: bytes = model.SerializeToString(deterministic=True)
        return found

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


def _weights(view: View) -> Array:
    """The integers that a layer's constants stand for, as its dense operator has them."""
    make = OPS[view.node.op].weights
    if make is None:
        return view.weights.value.astype(np.int64)
    return make(int_attrs(view.node), [t.value for t in view.inputs if t.data is not None]).astype(np.int64)


def _window(view: View, kernel: Sequence[int]) -> dict[str, Any]:
    pads = [view[f"pad_{side}"] for side in ("top", "left", "bottom", "right")]
    strides = [view["stride_h"], view["stride_w"]]
    return dict(kernel_shape=list(kernel), strides=strides, pads=pads)


def _conv(writer: _Writer, view: View, weights: Array, groups: int) -> None:
    """Weights (oc, ic / groups, kh, kw)."""
    real, bias = writer.linear(view, weights, weights.sum((1, 2, 3)), 0)
    attrs = _window(view, weights.shape[2:])
    out = writer.node(
        "Conv", [writer.real(view.x.name), real, bias], f"{view.out.name}:sum", group=groups,
        dilations=[view["dilation_h"], view["dilation_w"]], **attrs,
    )  # fmt: skip
    writer.quantized(view.out.name, out, view["act_min"], view["act_max"])


def _conv2d(writer: _Writer, view: View) -> None:
    weights = _weights(view).transpose(0, 3, 1, 2)
    _conv(writer, view, weights, view.x.shape[3] // weights.shape[1])


def _depthwise(writer: _Writer, view: View) -> None:
    _conv(writer, view, _weights(view).transpose(2, 0, 1)[:, None], view.x.shape[3])


def _fully_connected(writer: _Writer, view: View) -> None:
    weights = _weights(view).T
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


def _add(writer: _Writer, view: View) -> None:
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


def _addend(writer: _Writer, view: View, value: Array, prefix: str) -> str:
    """A constant operand in float, in the scale that its multiplier says."""
    shape = (1,) * (len(view.out.shape) - value.ndim) + value.shape
    value = value.reshape(shape).astype(np.float64) - view[f"{prefix}_zero"]
    scale = term_ratio(view.node, prefix) * writer.levels[view.out.name].scale
    moved = value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
    return writer.constant(f"{view.node.name}:{prefix}", moved * scale, "float32")


def _pool(kind: str) -> Callable[[_Writer, View], None]:
    def write(writer: _Writer, view: View) -> None:
        attrs = _window(view, (view["filter_h"], view["filter_w"]))
        out = writer.node(kind, [writer.real(view.x.name)], f"{view.out.name}:pooled", **attrs)
        writer.quantized(view.out.name, out, view["act_min"], view["act_max"])

    return write


def _mean(writer: _Writer, view: View) -> None:
    place = (0, 2, 3, 1) if len(view.x.shape) == 4 else tuple(range(len(view.x.shape)))
    axes = sorted(place[axis] for axis in reduce.axes_of(int_attrs(view.node)))
    keep = view["keep_dims"]
    if overflows(reduce.count(view), view["shift"]):
        raise UnsupportedError("a mean whose sum wraps at 32 bits has no form in ONNX here", where=view.node.name)
    images = [len(t.shape) == 4 for t in (view.x, view.out)]
    if any(images) and not all(images) and (images[1] or axes != [2, 3]):
        raise UnsupportedError("a mean of other axes than height and width has no form here", where=view.node.name)
    out = writer.node("ReduceMean", [writer.real(view.x.name)], f"{view.out.name}:mean", axes=axes, keepdims=keep)
    writer.quantized(view.out.name, out)


def _softmax(writer: _Writer, view: View) -> None:
    if len(view.x.shape) == 4:
        raise UnsupportedError("a softmax of an image has no form in ONNX here", where=view.node.name)
    out = writer.node("Softmax", [writer.real(view.x.name)], f"{view.out.name}:share", axis=-1)
    writer.quantized(view.out.name, out)


def _reshape(writer: _Writer, view: View) -> None:
    """Of the integers, which keep their order: that of NHWC."""
    found, name = writer.where[view.x.name], view.out.name
    if len(view.x.shape) == 4:
        found = writer.node("Transpose", [found], f"{name}:nhwc", perm=[0, 2, 3, 1])
    shape = writer.constant(f"{name}:shape", np.asarray(view.out.shape), "int64")
    found = writer.node("Reshape", [found, shape], f"{name}:reshaped")
    if len(view.out.shape) == 4:
        found = writer.node("Transpose", [found], f"{name}:nchw", perm=[0, 3, 1, 2])
    writer.where[name] = found


def _concat(writer: _Writer, view: View) -> None:
    axis = view["axis"] if len(view.out.shape) != 4 else (0, 2, 3, 1)[view["axis"]]
    parts = [writer.where[t.name] for t in view.inputs]
    writer.where[view.out.name] = writer.node("Concat", parts, f"{view.out.name}:q", axis=axis)


def _pad(writer: _Writer, view: View) -> None:
    if len(view.out.shape) != 4:
        raise UnsupportedError("padding of other than images has no form in ONNX here", where=view.node.name)
    names = (("front", "top", "left"), ("back", "bottom", "right"))
    pads = [n for side in names for n in (0, *(view[f"pad_{end}"] for end in side))]
    amounts = writer.constant(f"{view.out.name}:pads", pads, "int64")
    value = writer.constant(f"{view.out.name}:pad_value", view["pad_value"], "int8")
    found = [writer.where[view.x.name], amounts, value]
    writer.where[view.out.name] = writer.node("Pad", found, f"{view.out.name}:q", mode="constant")


def _lut(writer: _Writer, view: View) -> None:
    """An index below zero counts from the end of the table, which is just where the byte lies."""
    table = writer.constant(f"{view.node.name}:table", view.inputs[1].value, "int8")
    index = writer.node(
        "Cast", [writer.where[view.x.name]], f"{view.out.name}:index", to=int(writer.onnx.TensorProto.INT32)
    )  # fmt: skip
    writer.where[view.out.name] = writer.node("Gather", [table, index], f"{view.out.name}:q", axis=0)


def supported() -> tuple[str, ...]:
    """Operators of an INTEGER graph that can be written, and those that hold their weights in another form."""
    return tuple(name for name, op in OPS.items() if (op.packs or name) in _WRITERS)


_WRITERS: dict[str, Callable[[_Writer, View], None]] = {
    "conv2d": _conv2d,
    "grouped_conv2d": _conv2d,
    "depthwise": _depthwise,
    "fully_connected": _fully_connected,
    "add": _add,
    "average_pool": _pool("AveragePool"),
    "max_pool": _pool("MaxPool"),
    "mean": _mean,
    "softmax": _softmax,
    "reshape": _reshape,
    "concat": _concat,
    "pad": _pad,
    "lut": _lut,
}
