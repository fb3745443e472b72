"""An int8 .tflite file to a QUANTIZED graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..ir import AttrValue, Graph, Node, Role, Stage, Tensor, constant
from . import tflite_file
from .tflite_file import FileModel, FileOperator, FileTensor

_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6"}
_MAX_DIM = 65535  # the C parameter structs hold 16-bit sizes


@dataclass(slots=True)
class _Builder:
    """The graph under construction, and what every handler needs to speak of the file."""

    model: FileModel
    where: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  # file tensor index -> graph tensor name

    def at(self, op: FileOperator) -> str:
        return f"{self.where}: operator {op.index} {op.builtin}"

    def unsupported(self, op: FileOperator, what: str, supported: str) -> UnsupportedError:
        return UnsupportedError(f"{what}; supported: {supported}", where=self.at(op))

    def file_tensor(self, op: FileOperator, position: int, what: str) -> FileTensor:
        if position >= len(op.inputs) or op.inputs[position] < 0:
            raise ModelError(f"operand {position} ({what}) is missing", where=self.at(op))
        return self.model.tensors[op.inputs[position]]

    def operand(self, op: FileOperator, position: int, what: str) -> str:
        """The graph name of an int8 or uint8 operand, activation or constant."""
        t = self.file_tensor(op, position, what)
        allowed = ("int8", "uint8", "float32") if op.builtin in ("QUANTIZE", "DEQUANTIZE") else ("int8",)
        if t.dtype not in allowed:
            raise self.unsupported(op, f"{what} (tensor {t.index} {t.name[:60]!r}) has type {t.dtype}", "int8")
        if t.data is not None:
            return self.const(op, t, what, Role.WEIGHTS)
        if t.index not in self.names:
            raise ModelError(f"tensor {t.index} {t.name[:60]!r} is read before it is written", where=self.at(op))
        return self.names[t.index]

    def const(self, op: FileOperator, t: FileTensor, what: str, role: Role) -> str:
        if t.data is None:
            raise self.unsupported(
                op, f"{what} (tensor {t.index} {t.name[:60]!r}) is computed at run time", "a constant"
            )
        name = f"{_node_name(op)}/{what}"
        self.tensors[name] = constant(name, t.data, role, t.quant)
        return name

    def output(self, op: FileOperator) -> str:
        if len(op.outputs) != 1:
            raise self.unsupported(op, f"{len(op.outputs)} outputs", "one")
        t = self.model.tensors[op.outputs[0]]
        allowed = ("int8", "uint8", "float32") if op.builtin in ("QUANTIZE", "DEQUANTIZE") else ("int8",)
        if t.dtype not in allowed:
            raise self.unsupported(op, f"output (tensor {t.index} {t.name[:60]!r}) has type {t.dtype}", "int8")
        if t.index in self.names:
            raise ModelError(f"tensor {t.index} is written twice", where=self.at(op))
        return self.activation(t, _node_name(op), self.at(op))

    def activation(self, t: FileTensor, name: str, where: str) -> str:
        if any(d > _MAX_DIM for d in t.shape):
            raise UnsupportedError(f"a dimension of {list(t.shape)} is over {_MAX_DIM}", where=where)
        if len(t.shape) > 1 and t.shape[0] != 1:
            raise UnsupportedError(f"batch size {t.shape[0]} of tensor {t.index}; supported: 1", where=where)
        if t.dtype in ("int8", "uint8"):
            if t.quant is None:
                raise ModelError(f"tensor {t.index} {t.name[:60]!r} has no quantisation", where=where)
            info = np.iinfo(t.dtype)
            if len(t.quant.scales) != 1 or not info.min <= t.quant.zero_point <= info.max:
                raise ModelError(
                    f"tensor {t.index}: an activation needs one scale, and a zero point in range", where=where
                )
        self.names[t.index] = name
        self.tensors[name] = Tensor(name, t.shape, t.dtype, t.quant)
        return name

    def add(self, op: FileOperator, kind: str, inputs: tuple[str, ...], attrs: Mapping[str, AttrValue]) -> None:
        name = _node_name(op)
        self.nodes.append(Node(kind, name, inputs, (self.output(op),), dict(attrs)))


def _node_name(op: FileOperator) -> str:
    """Named by operator and index, so that a user finds the layer in any .tflite viewer."""
    return f"{op.builtin.lower().removesuffix('_2d').replace(' ', '_')}_{op.index}"


def import_tflite(data: bytes, name: str, where: str) -> Graph:
    """Turn the bytes of an int8 model into a QUANTIZED graph called `name`.

    Raises:
        ModelError: the file is damaged or contradicts itself.
        UnsupportedError: an operator, type or attribute that edgekc does not have; names operator, index
            and tensor. Float models are refused here.
    """
    model = tflite_file.read(data, where)
    b = _Builder(model, where)
    inputs = tuple(
        b.activation(model.tensors[i], "input" if k == 0 else f"input_{k}", f"{where}: input {k}")
        for k, i in enumerate(model.inputs)
    )
    for op in model.operators:
        handler = _HANDLERS.get(op.builtin)
        if handler is None:
            tensor = model.tensors[op.outputs[0]].name[:60] if op.outputs else ""
            raise b.unsupported(
                op, f"this operator (tensor {tensor!r}) is not implemented", ", ".join(sorted(_HANDLERS))
            )
        handler(b, op)
    for k, i in enumerate(model.outputs):
        if i not in b.names:
            raise ModelError(f"output {k} is never computed", where=where)
    outputs = tuple(b.names[i] for i in model.outputs)
    return Graph(name, Stage.QUANTIZED, b.tensors, tuple(b.nodes), inputs, outputs, {})


def _activation(b: _Builder, op: FileOperator) -> str:
    code = int(op.options["FusedActivationFunction"])
    if code not in _ACTIVATIONS:
        raise b.unsupported(op, f"fused activation number {code}", "none, RELU, RELU6, RELU_N1_TO_1")
    return _ACTIVATIONS[code]


def _window(b: _Builder, op: FileOperator, x: Tensor, k_h: int, k_w: int) -> dict[str, AttrValue]:
    """Window attributes with explicit padding (TFLite: the odd pixel of SAME goes to the end)."""
    if len(x.shape) != 4:
        raise b.unsupported(op, f"input of shape {list(x.shape)}", "4 dimensions, NHWC")
    padding = int(op.options["Padding"])
    if padding not in (0, 1):
        raise b.unsupported(op, f"padding number {padding}", "SAME, VALID")
    attrs: dict[str, AttrValue] = {}
    for axis, size, kernel, before, after in (
        ("h", x.shape[1], k_h, "pad_top", "pad_bottom"),
        ("w", x.shape[2], k_w, "pad_left", "pad_right"),
    ):
        stride = int(op.options[f"Stride{axis.upper()}"])
        dilation = int(op.options.get(f"Dilation{axis.upper()}Factor", 1))
        if not (1 <= stride <= _MAX_DIM and 1 <= dilation <= _MAX_DIM and 1 <= kernel <= _MAX_DIM):
            raise ModelError(f"stride {stride}, dilation {dilation}, window {kernel}: must be positive", where=b.at(op))
        total = 0
        if padding == 0:  # SAME
            span = (kernel - 1) * dilation + 1
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
        attrs |= {f"stride_{axis}": stride, f"dilation_{axis}": dilation, before: total // 2, after: total - total // 2}
    return attrs


def _weights(b: _Builder, op: FileOperator, rank: int, axis: int) -> str:
    t = b.file_tensor(op, 1, "weights")
    if t.dtype != "int8":
        raise b.unsupported(op, f"weights (tensor {t.index} {t.name[:60]!r}) have type {t.dtype}", "int8")
    if len(t.shape) != rank:
        raise ModelError(f"weights must have {rank} dimensions, got {list(t.shape)}", where=b.at(op))
    if t.quant is None:
        raise ModelError(f"weights (tensor {t.index}) have no quantisation", where=b.at(op))
    if any(t.quant.zero_points):
        raise b.unsupported(op, "weights with a zero point", "symmetric weights (zero point 0)")
    if len(t.quant.scales) > 1 and t.quant.axis != axis:
        raise b.unsupported(op, f"weight scales along axis {t.quant.axis}", f"axis {axis}")
    return b.const(op, t, "weights", Role.WEIGHTS)


def _bias(b: _Builder, op: FileOperator) -> tuple[str, ...]:
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return ()
    t = b.file_tensor(op, 2, "bias")
    if t.dtype != "int32":
        raise b.unsupported(op, f"bias (tensor {t.index} {t.name[:60]!r}) has type {t.dtype}", "int32")
    return (b.const(op, t, "bias", Role.BIAS),)


def _conv(b: _Builder, op: FileOperator) -> None:
    x, w = b.operand(op, 0, "input"), _weights(b, op, 4, 0)
    shape = b.tensors[w].shape
    if len(b.tensors[x].shape) == 4 and b.tensors[x].shape[3] != shape[3]:
        raise b.unsupported(op, f"groups: input has {b.tensors[x].shape[3]} channels, filters {shape[3]}", "one group")
    attrs = _window(b, op, b.tensors[x], shape[1], shape[2])
    b.add(op, "conv2d", (x, w, *_bias(b, op)), {**attrs, "activation": _activation(b, op)})


def _depthwise(b: _Builder, op: FileOperator) -> None:
    x, w = b.operand(op, 0, "input"), _weights(b, op, 4, 3)
    shape = b.tensors[w].shape
    attrs = _window(b, op, b.tensors[x], shape[1], shape[2])
    b.add(op, "depthwise", (x, w, *_bias(b, op)), {**attrs, "activation": _activation(b, op)})


def _fully_connected(b: _Builder, op: FileOperator) -> None:
    if op.options["WeightsFormat"] != 0:
        raise b.unsupported(op, "shuffled weights", "the default weights format")
    x, w = b.operand(op, 0, "input"), _weights(b, op, 2, 0)
    in_c = b.tensors[w].shape[1]
    t = b.tensors[x]
    size = int(np.prod(t.shape))
    if size % in_c:
        raise ModelError(f"input of {size} values does not divide into rows of {in_c}", where=b.at(op))
    out_shape = b.model.tensors[op.outputs[0]].shape if op.outputs else ()
    rows = (*out_shape[:-1], in_c)
    if t.shape != rows:  # TFLite flattens silently; here it is a node of its own
        flat = f"{_node_name(op)}_rows"
        b.tensors[flat] = Tensor(flat, rows, t.dtype, t.quant)
        b.nodes.append(Node("reshape", flat, (x,), (flat,), {}))
        x = flat
    b.add(op, "fully_connected", (x, w, *_bias(b, op)), {"activation": _activation(b, op)})


def _binary(kind: str) -> Callable[[_Builder, FileOperator], None]:
    def handler(b: _Builder, op: FileOperator) -> None:
        operands = (b.operand(op, 0, "a"), b.operand(op, 1, "b"))
        b.add(op, kind, operands, {"activation": _activation(b, op)})

    return handler


def _pool(kind: str) -> Callable[[_Builder, FileOperator], None]:
    def handler(b: _Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        k_h, k_w = int(op.options["FilterHeight"]), int(op.options["FilterWidth"])
        attrs = _window(b, op, b.tensors[x], k_h, k_w)
        b.add(op, kind, (x,), {**attrs, "filter_h": k_h, "filter_w": k_w, "activation": _activation(b, op)})

    return handler


def _ints(b: _Builder, op: FileOperator, position: int, what: str) -> list[int]:
    """The values of a constant int32 or int64 operand."""
    t = b.file_tensor(op, position, what)
    if t.data is None or t.dtype not in ("int32", "int64"):
        raise b.unsupported(op, f"{what} (tensor {t.index}) that is computed at run time", "a constant int32 tensor")
    return [int(v) for v in t.data.ravel()]


def _mean(b: _Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    rank = len(b.tensors[x].shape)
    axes = _ints(b, op, 1, "axes")
    if any(not -rank <= a < rank for a in axes):
        raise ModelError(f"axes {axes} do not exist in {rank} dimensions", where=b.at(op))
    axes = sorted({a % rank for a in axes})
    b.add(op, "mean", (x,), {"axes": ",".join(map(str, axes)), "keep_dims": int(bool(op.options["KeepDims"]))})


def _pad(b: _Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    pads = _ints(b, op, 1, "paddings")
    if len(pads) != 2 * len(b.tensors[x].shape) or any(not 0 <= p <= _MAX_DIM for p in pads):
        raise ModelError(f"paddings {pads} do not match shape {list(b.tensors[x].shape)}", where=b.at(op))
    b.add(op, "pad", (x,), {"pads": ",".join(map(str, pads))})


def _concat(b: _Builder, op: FileOperator) -> None:
    names = tuple(b.operand(op, i, f"input{i}") for i in range(len(op.inputs)))
    if not names:
        raise ModelError("no inputs", where=b.at(op))
    rank = len(b.tensors[names[0]].shape)
    axis = int(op.options["Axis"])
    if not -rank <= axis < rank:
        raise ModelError(f"axis {axis} does not exist in {rank} dimensions", where=b.at(op))
    b.add(op, "concat", names, {"axis": axis % rank, "activation": _activation(b, op)})


def _unary(kind: str, **attrs: AttrValue) -> Callable[[_Builder, FileOperator], None]:
    return lambda b, op: b.add(op, kind, (b.operand(op, 0, "input"),), attrs)


def _softmax(b: _Builder, op: FileOperator) -> None:
    beta = float(op.options["Beta"])
    if not 0 < beta < 1e6:
        raise ModelError(f"beta is {beta}, expected a positive number", where=b.at(op))
    b.add(op, "softmax", (b.operand(op, 0, "input"),), {"beta": beta})


_HANDLERS: dict[str, Callable[[_Builder, FileOperator], None]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": _binary("add"),
    "MUL": _binary("mul"),
    "AVERAGE_POOL_2D": _pool("average_pool"),
    "MAX_POOL_2D": _pool("max_pool"),
    "MEAN": _mean,
    "RESHAPE": _unary("reshape"),
    "SOFTMAX": _softmax,
    "PAD": _pad,
    "RELU": _unary("relu", activation="relu"),
    "RELU6": _unary("relu", activation="relu6"),
    "RELU_N1_TO_1": _unary("relu", activation="relu_n1_to_1"),
    "QUANTIZE": _unary("quantize"),
    "DEQUANTIZE": _unary("dequantize"),
    "LOGISTIC": _unary("logistic"),
    "CONCATENATION": _concat,
}
