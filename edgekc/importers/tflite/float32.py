"""A float .tflite file to a FLOAT graph; nodes have the names that the int8 importer gives to the same operators."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, Graph, Node, Role, Stage, constant
from ..constants import fold_constants
from ..finish import fold_affine, tidy
from ..imported import Imported
from . import numbers, truths
from .builder import Builder, graph_shape, node_name, operators_of
from .file import FileModel, FileOperator, FileTensor
from .handlers import FLOAT_ONLY, HANDLERS, detection
from .handlers.common import activation, conv_kind, plain, transposed_window, window, window_shape
from .handlers.float_lstm import float_lstm
from .handlers.float_svdf import float_svdf
from .handlers.spatial import dynamic_fully_connected, has_computed_weights
from .handlers.state import states
from .unroll import unrolled


class _FloatBuilder(Builder):
    """The int8 importer's builder, with float32 in place of int8 and int32."""

    def check_type(self, op: FileOperator, what: str, t: FileTensor, allowed: tuple[str, ...]) -> None:
        if t.dtype != "float32" and not (op.builtin in _PLACES and t.index in op.outputs):
            raise self.unsupported(
                op, f"{what} (tensor {t.index} {t.name[:60]!r}) has type {t.dtype} in a float model", "float32"
            )

    def const(self, op: FileOperator, t: FileTensor, what: str, role: Role) -> str:
        if t.data is not None and t.dtype == "float32" and not np.isfinite(t.data).all():
            raise ModelError(f"tensor {t.index} {t.name[:60]!r} holds NaN or infinity", where=self.at(op))
        return Builder.const(self, op, replace(t, quant=None), what, role)


_PLACES = ("ARG_MAX", "ARG_MIN", "TOPK_V2")  # their outputs may be whole numbers


def is_float(model: FileModel) -> bool:
    """Whether what the operators compute is float: no activation has an integer quantisation."""
    activations = {i for op in model.operators for i in op.outputs} | set(model.inputs)
    return not any(model.tensors[i].dtype in ("int8", "uint8", "int16") for i in activations)


def read_tflite_float(given: FileModel, name: str, where: str) -> Imported:
    """The FLOAT graph of a float model, called `name`, with everything that stands in its way.

    Weights that are stored as float16, int8 or uint8 (dynamic range quantisation) are widened to float32; LiteRT then
    also rounds activations of such layers to 8 bits while it runs, this graph does not.

    Raises:
        ModelError: the file is damaged, contradicts itself, or holds NaN.
    """
    given = unrolled(given, where)
    model = truths.as_reals(_widened(given, where))
    b = _FloatBuilder(model, where, in_float=True)
    inputs = []
    for k, i in enumerate(model.inputs):
        at = f"{where}: input {k}"
        t = b.there(model.tensors[i], at)
        whole = t.dtype in ("int32", "int64")  # numbers by which rows are looked up
        if t.dtype != "float32" and not whole:
            b.refuse(UnsupportedError(f"type {t.dtype}; supported: float32, int32, int64", where=at), None)
        inputs.append(b.activation(replace(t, dtype="float32", quant=None), "input" if k == 0 else f"input_{k}", at))
        if whole:
            b.numbers[i] = numbers.every(inputs[-1])
        if len(t.shape) > 1 and t.shape[0] != 1:
            b.refuse_batch(t.shape, at, i)
    outputs = b.walk(_HANDLERS, "is not implemented in float")
    if b.refused:  # what variables hold behind a refused operator is not known
        b.guessed += b.starts.values()
    kept = () if b.refused else states(b)
    tensors = {n: t if t.data is not None else replace(t, dtype="float32", quant=None) for n, t in b.tensors.items()}
    graph = Graph(name, Stage.FLOAT, tensors, tuple(b.nodes), tuple(inputs), outputs, {}, kept)
    read = replace(b.finished(graph), operators=operators_of(given))
    return read if read.refused else replace(read, graph=tidy(fold_affine(fold_constants(read.graph))))


# Operands that may be stored as float16, int8 or uint8.
_STORED = {
    "DEQUANTIZE": slice(0, 1),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"), slice(1, 2)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": slice(1, 9),  # weights of its gates
    "SVDF": slice(1, 3),
}

_BYTES = ("CONV_2D", "FULLY_CONNECTED")  # whose weights may be uint8


def _widened(model: FileModel, where: str) -> FileModel:
    """Constants that are stored as float16, int8 or uint8, behind a DEQUANTIZE or as weights, as float32."""
    tensors, operators = list(model.tensors), []
    for op in model.operators:
        constants = {i: _real(tensors[i], op.builtin) for i in op.inputs[_STORED.get(op.builtin, slice(0))] if i >= 0}
        widened = {i: value for i, value in constants.items() if value is not None}
        if widened and op.builtin == "DEQUANTIZE":
            (value,) = widened.values()
            if len(op.outputs) != 1 or tensors[op.outputs[0]].shape != value.shape:
                raise ModelError(
                    "its output does not fit its input", where=f"{where}: operator {op.index} {op.builtin}"
                )
            target = tensors[op.outputs[0]]
            tensors[target.index] = replace(target, data=value, dtype="float32", quant=None)
            continue
        for i, value in widened.items():
            tensors[i] = replace(tensors[i], data=value, dtype="float32", quant=None)
        operators.append(op)
    return replace(model, tensors=tuple(tensors), operators=tuple(operators))


def _real(t: FileTensor, builtin: str) -> Array | None:
    """A constant operand of `builtin` of float16, int8 or uint8 as float32; None for any other tensor."""
    if t.data is None or t.dtype not in ("float16", "int8", "uint8"):
        return None
    if t.dtype == "float16":
        return t.data.astype(np.float32)
    if t.quant is None:
        return None
    shape = [-1 if len(t.quant.scales) > 1 and i == t.quant.axis else 1 for i in range(t.data.ndim)]
    scales, points = (np.array(v).reshape(shape) for v in (t.quant.scales, t.quant.zero_points))
    if t.dtype == "uint8" and builtin != "DEQUANTIZE":
        # Files of TensorFlow 1 have int8 weights under this type: LiteRT takes the bits so, whatever the zero point.
        return np.asarray(t.data.view(np.int8) * scales, np.float32) if builtin in _BYTES else None
    return np.asarray((t.data - points) * scales, np.float32)


def _layer(b: Builder, op: FileOperator, rank: int, axis: int, bias_at: int = 2) -> tuple[str, str, tuple[int, ...]]:
    """(weights, bias, shape of the weights); zeros where the file has no bias.

    Args:
        axis: of the output channels.
        bias_at: the bias's place among the operands.
    """
    t = b.file_tensor(op, 1, "weights")
    b.check_type(op, "weights", t, ("float32",))
    if len(t.shape) != rank:
        raise ModelError(f"weights must have {rank} dimensions, got {list(t.shape)}", where=b.at(op))
    weights, channels = b.const(op, t, "weights", Role.WEIGHTS), t.shape[axis]
    if len(op.inputs) <= bias_at or op.inputs[bias_at] < 0:
        bias = f"{node_name(op)}/bias"
        b.tensors[bias] = constant(bias, np.zeros(channels, np.float32), Role.BIAS)
        return weights, bias, t.shape
    given = b.file_tensor(op, bias_at, "bias")
    b.check_type(op, "bias", given, ("float32",))
    if given.shape != (channels,):
        raise ModelError(f"bias of shape {list(given.shape)} for {channels} channels", where=b.at(op))
    return weights, b.const(op, given, "bias", Role.BIAS), t.shape


def _conv(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    weights, bias, (oc, k_h, k_w, ic) = _layer(b, op, 4, 0)
    attrs = window(b, op, b.tensors[x], k_h, k_w)
    kind = conv_kind(b, op, x, (oc, k_h, k_w, ic))
    out = window_shape(b, x, attrs, k_h, k_w, oc)
    b.add(op, kind, (x, weights, bias), {**attrs, "activation": activation(b, op)}, out)


def _depthwise(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    weights, bias, (one, k_h, k_w, oc) = _layer(b, op, 4, 3)
    attrs = window(b, op, b.tensors[x], k_h, k_w)
    if one != 1 or oc % b.tensors[x].shape[3]:
        raise ModelError(
            f"{oc} output channels are not a multiple of {b.tensors[x].shape[3]} input channels", where=b.at(op)
        )
    out = window_shape(b, x, attrs, k_h, k_w, oc)
    b.add(op, "depthwise", (x, weights, bias), {**attrs, "activation": activation(b, op)}, out)


def _transpose_conv(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 2, "input")
    weights, bias, shape = _layer(b, op, 4, 0, bias_at=3)
    attrs, out = transposed_window(b, op, b.tensors[x], shape)
    b.add(op, "transpose_conv", (x, weights, bias), {**attrs, "activation": activation(b, op)}, out)


def _fully_connected(b: Builder, op: FileOperator) -> None:
    if op.options["WeightsFormat"] != 0:
        raise b.unsupported(op, "shuffled weights", "the default weights format")
    if has_computed_weights(b, op):
        dynamic_fully_connected(b, op)
        return
    x = b.operand(op, 0, "input", rowwise=True)
    weights, bias, (units, in_c) = _layer(b, op, 2, 0)
    t = b.tensors[x]
    rows = math.prod(t.shape) // in_c
    if rows * in_c != math.prod(t.shape):
        raise ModelError(f"input of {math.prod(t.shape)} values does not divide into rows of {in_c}", where=b.at(op))
    out = b.model.tensors[op.outputs[0]].shape if op.outputs else ()
    if math.prod(out) != rows * units or out[-1:] != (units,):  # a placeholder
        out = (*b.file_shape(x)[:-1], units) if op.options["KeepNumDims"] and t.shape[-1] == in_c else (rows, units)
    x = b.view(op, "rows", x, graph_shape((*out[:-1], in_c)))
    b.add(op, "fully_connected", (x, weights, bias), {"activation": activation(b, op)}, out)


def _batch_matmul(b: Builder, op: FileOperator) -> None:
    """Of a constant matrix: a fully connected layer, whose weights can be compressed."""
    HANDLERS[op.builtin](b, op)
    node = b.nodes[-1]
    matrix = b.tensors[node.inputs[-1]]
    if matrix.data is None:
        return
    if node.attrs["adj_x"] or math.prod(matrix.shape[:-2]) != 1:
        raise b.unsupported(op, "a turned activation times a constant, or several constants", "one constant matrix")
    w = matrix.data.reshape(matrix.shape[-2:])
    w = w if node.attrs["adj_y"] else w.T
    bias = constant(f"{node.name}/bias", np.zeros(len(w), np.float32), Role.BIAS)
    weights = constant(f"{node.name}/weights", w, Role.WEIGHTS)
    b.tensors.update({t.name: t for t in (weights, bias)})
    inputs = (node.inputs[0], weights.name, bias.name)
    b.nodes[-1] = Node("fully_connected", node.name, inputs, node.outputs, {"activation": "none"})


def _binary(b: Builder, op: FileOperator) -> None:
    """The int8 importer's node, a constant of the output's rank, whose first axis is the batch's."""
    HANDLERS[op.builtin](b, op)
    node = b.nodes[-1]
    rank = len(b.tensors[node.outputs[0]].shape)
    for name in node.inputs:
        t = b.tensors[name]
        if t.data is not None and len(t.shape) < rank:
            b.tensors[name] = constant(name, t.data.reshape((1,) * (rank - t.data.ndim) + t.shape), t.role)
    if op.builtin in ("ADD", "MUL"):  # they commute: a constant comes last
        b.nodes[-1] = replace(node, inputs=tuple(sorted(node.inputs, key=lambda n: b.tensors[n].data is not None)))


_BINARY = ("ADD", "MUL", "SUB", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU")

# Everything without weights of its own is as in the int8 importer; some functions LiteRT has in float only.
_HANDLERS: dict[str, Callable[[Builder, FileOperator], None]] = {
    **{k: v for k, v in HANDLERS.items() if k not in ("QUANTIZE", "DEQUANTIZE", detection.NAME)},
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "NEG": plain("neg"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": float_lstm,
    "SVDF": float_svdf,
    **FLOAT_ONLY,
    "BATCH_MATMUL": _batch_matmul,
    **dict.fromkeys(_BINARY, _binary),
}
