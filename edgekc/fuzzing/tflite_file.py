"""Nodes of a QUANTIZED graph as a .tflite file. Needs the packages flatbuffers and tflite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tflite
from flatbuffers.builder import Builder

from ..graph.ir import Node, Tensor
from ..graph.op import View
from . import recurrent_file
from .file_operators import FIRST_VERSION, IN_FLOAT, VERSION, builtin, builtin_name, inputs_of

DTYPE = {
    "int4": tflite.TensorType.INT4,
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "uint8": tflite.TensorType.UINT8,
    "int32": tflite.TensorType.INT32,
    "int64": tflite.TensorType.INT64,
    "float32": tflite.TensorType.FLOAT32,
    "bool": tflite.TensorType.BOOL,
}


def table(b: Builder, kind: str, **fields: Any) -> int:
    """A flatbuffers table from its field values, by the names of the generated builder functions."""
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        if value is not None:
            getattr(tflite, f"{kind}Add{name}")(b, value)
    return int(getattr(tflite, f"{kind}End")(b))


def vector(b: Builder, values: Sequence[Any], dtype: str) -> int:
    return int(b.CreateNumpyVector(np.asarray(values, dtype)))


def offsets(b: Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def tensor_table(b: Builder, tensor: Tensor, buffer: int, variable: bool = False) -> int:
    quantization = None
    if tensor.quant is not None:
        scale = vector(b, tensor.quant.scales, "float32")
        zero = vector(b, tensor.quant.zero_points, "int64")
        scales = dict(Scale=scale, ZeroPoint=zero, QuantizedDimension=tensor.quant.axis)
        quantization = table(b, "QuantizationParameters", **scales)
    name, shape = b.CreateString(tensor.name), vector(b, tensor.shape, "int32")
    fields: dict[str, Any] = dict(
        Shape=shape, Type=DTYPE[tensor.dtype], Buffer=buffer, Name=name, Quantization=quantization
    )
    return table(b, "Tensor", **fields, IsVariable=variable or None)


def model(view: View) -> bytes:
    """The .tflite file of one QUANTIZED node."""
    free = list(dict.fromkeys(t.name for t in view.inputs if t.data is None))
    views = _through_float(view) if builtin_name(view) in IN_FLOAT and view.x.dtype != "float32" else [view]
    return network(views, free, [t.name for t in view.outputs])


def _through_float(view: View) -> list[View]:
    """An operator on one value in float, between DEQUANTIZE and QUANTIZE."""
    x, y = (Tensor(f"{t.name}/float", t.shape, "float32") for t in (view.x, view.out))
    steps = (("dequantize", view.x, x), (view.node.op, x, y), ("quantize", y, view.out))
    return [View(Node(op, out.name, (a.name,), (out.name,), view.node.attrs), (a,), (out,)) for op, a, out in steps]


def network(views: Sequence[View], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The .tflite file of nodes in execution order; tensors of one name are one tensor.

    Args:
        inputs: names of the network's inputs.
        outputs: names of its outputs, in order.
    """
    b = Builder(1024)
    operands = [inputs_of(view) for view in views]
    rows = zip(views, operands, strict=True)
    sources = {t.name: t for view, row in rows for t in (*row, *view.outputs, *recurrent_file.inner_of(view))}
    sources.pop(recurrent_file.ABSENT.name, None)
    index = {name: i for i, name in enumerate(sources)} | {recurrent_file.ABSENT.name: -1}
    kept = frozenset().union(*map(recurrent_file.variables_of, views))

    buffers, tables = [table(b, "Buffer")], []
    for tensor in sources.values():
        slot = 0
        if tensor.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(tensor.data).tobytes())
            slot = len(buffers)
            buffers.append(table(b, "Buffer", Data=data))
        tables.append(tensor_table(b, tensor, slot, tensor.name in kept))

    codes: dict[str, int] = {}  # builtin -> its place in the list of operator codes
    operators = [
        operator(b, view, [index[t.name] for t in row], [index[t.name] for t in view.outputs], codes,
                 [index[t.name] for t in recurrent_file.inner_of(view)])
        for view, row in zip(views, operands, strict=True)
    ]  # fmt: skip
    parts = dict(Tensors=offsets(b, tables), Operators=offsets(b, operators))
    ends = dict(
        Inputs=vector(b, [index[n] for n in inputs], "int32"), Outputs=vector(b, [index[n] for n in outputs], "int32")
    )
    graph = table(b, "SubGraph", **parts, **ends)
    code_tables = [operator_code(b, builtin) for builtin in codes]
    lists = dict(OperatorCodes=offsets(b, code_tables), Subgraphs=offsets(b, [graph]), Buffers=offsets(b, buffers))
    root = table(b, "Model", Version=3, **lists)
    b.Finish(root, b"TFL3")
    return bytes(b.Output())


def operator(
    b: Builder, view: View, inputs: Sequence[int], outputs: Sequence[int], codes: dict[str, int],
    inner: Sequence[int] = (),
) -> int:  # fmt: skip
    name, options_kind, options = builtin(view)
    custom = b.CreateByteVector(options.pop("custom")) if "custom" in options else None
    for key, value in options.items():
        if isinstance(value, list):
            options[key] = vector(b, value, "int32")
    option_table = table(b, options_kind, **options) if options_kind else None
    kind = getattr(tflite.BuiltinOptions, options_kind) if options_kind else None
    ends = dict(Inputs=vector(b, inputs, "int32"), Outputs=vector(b, outputs, "int32"))
    if inner:
        ends["Intermediates"] = vector(b, inner, "int32")
    place = codes.setdefault(name, len(codes))
    return table(b, "Operator", OpcodeIndex=place, **ends, BuiltinOptions=option_table, BuiltinOptionsType=kind,
                  CustomOptions=custom)  # fmt: skip


def operator_code(b: Builder, builtin: str) -> int:
    if builtin.startswith("CUSTOM "):
        fields = dict(CustomCode=b.CreateString(builtin.removeprefix("CUSTOM ")), Version=1)
        number = tflite.BuiltinOperator.CUSTOM
        return table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=number, **fields)
    number = getattr(tflite.BuiltinOperator, builtin)
    version = 1 if builtin in FIRST_VERSION else VERSION
    return table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127), Version=version)
