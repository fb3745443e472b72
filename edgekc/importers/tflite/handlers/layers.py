"""Layers with weights, and pools."""

from __future__ import annotations

import math

from ....errors import ModelError
from ....graph.ir import Role
from ..builder import Builder, Handler, graph_shape
from ..file import FileOperator
from .common import activation, conv_kind, signs, transposed_window, window, window_shape
from .spatial import dynamic_fully_connected, has_computed_weights


def _weights(b: Builder, op: FileOperator, x: str, rank: int, axis: int) -> str:
    """Of the layer that reads `x`."""
    t = b.file_tensor(op, 1, "weights")
    b.check_type(op, "weights", t, ("float32" if b.tensors[x].dtype == "float32" else "int8",))
    if len(t.shape) != rank:
        raise ModelError(f"weights must have {rank} dimensions, got {list(t.shape)}", where=b.at(op))
    if t.dtype == "float32":
        return b.const(op, t, "weights", Role.WEIGHTS)
    if t.quant is None:
        raise ModelError(f"weights (tensor {t.index}) have no quantisation", where=b.at(op))
    if any(t.quant.zero_points) and op.index not in b.model.unsigned:
        raise b.unsupported(op, "weights with a zero point", "symmetric weights (zero point 0)")
    if len(t.quant.scales) > 1 and t.quant.axis != axis:
        raise b.unsupported(op, f"weight scales along axis {t.quant.axis}", f"axis {axis}")
    return b.const(op, t, "weights", Role.WEIGHTS)


def _bias(b: Builder, op: FileOperator, x: str, position: int = 2) -> tuple[str, ...]:
    if len(op.inputs) <= position or op.inputs[position] < 0:
        return ()
    t = b.file_tensor(op, position, "bias")
    b.check_type(op, "bias", t, ({"int16": "int64", "float32": "float32"}.get(b.tensors[x].dtype, "int32"),))
    return (b.const(op, t, "bias", Role.BIAS),)


def _conv(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    w = _weights(b, op, x, 4, 0)
    shape = b.tensors[w].shape
    kind = conv_kind(b, op, x, shape)
    attrs = window(b, op, b.tensors[x], shape[1], shape[2])
    out = window_shape(b, x, attrs, shape[1], shape[2], shape[0])
    b.add(op, kind, (x, w, *_bias(b, op, x)), {**attrs, **signs(b, op), "activation": activation(b, op)}, out)


def _depthwise(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    w = _weights(b, op, x, 4, 3)
    shape = b.tensors[w].shape
    attrs = window(b, op, b.tensors[x], shape[1], shape[2])
    out = window_shape(b, x, attrs, shape[1], shape[2], shape[3])
    b.add(op, "depthwise", (x, w, *_bias(b, op, x)), {**attrs, **signs(b, op), "activation": activation(b, op)}, out)


def _transpose_conv(b: Builder, op: FileOperator) -> None:
    """Its operands are the output's shape, the weights, the input, and at times a bias."""
    x = b.operand(op, 2, "input")
    w = _weights(b, op, x, 4, 0)
    attrs, out = transposed_window(b, op, b.tensors[x], b.tensors[w].shape)
    operands = (x, w, *_bias(b, op, x, 3))
    b.add(op, "transpose_conv", operands, {**attrs, **signs(b, op), "activation": activation(b, op)}, out)


def _fully_connected(b: Builder, op: FileOperator) -> None:
    if op.options["WeightsFormat"] != 0:
        raise b.unsupported(op, "shuffled weights", "the default weights format")
    if has_computed_weights(b, op):
        dynamic_fully_connected(b, op)
        return
    x = b.operand(op, 0, "input", rowwise=True)
    w = _weights(b, op, x, 2, 0)
    units, in_c = b.tensors[w].shape
    t = b.tensors[x]
    rows = math.prod(t.shape) // in_c
    if rows * in_c != math.prod(t.shape):
        raise ModelError(f"input of {math.prod(t.shape)} values does not divide into rows of {in_c}", where=b.at(op))
    out = b.model.tensors[op.outputs[0]].shape if op.outputs else ()
    if math.prod(out) != rows * units or out[-1:] != (units,):  # a placeholder
        out = (*b.file_shape(x)[:-1], units) if op.options["KeepNumDims"] and t.shape[-1] == in_c else (rows, units)
    x = b.view(op, "rows", x, graph_shape((*out[:-1], in_c)))  # TFLite flattens silently; here it is a node of its own
    b.add(op, "fully_connected", (x, w, *_bias(b, op, x)), {"activation": activation(b, op)}, out)


def _pool(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        k_h, k_w = int(op.options["FilterHeight"]), int(op.options["FilterWidth"])
        attrs = window(b, op, b.tensors[x], k_h, k_w)
        signed = signs(b, op) if kind == "average_pool" else {}
        out = window_shape(b, x, attrs, k_h, k_w, b.tensors[x].shape[-1])
        attrs = {**attrs, "filter_h": k_h, "filter_w": k_w, **signed}
        b.add(op, kind, (x,), {**attrs, "activation": activation(b, op)}, out)

    return handler


HANDLERS: dict[str, Handler] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "FULLY_CONNECTED": _fully_connected,
    "AVERAGE_POOL_2D": _pool("average_pool"),
    "MAX_POOL_2D": _pool("max_pool"),
}
