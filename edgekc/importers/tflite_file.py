"""Bytes of a .tflite file to plain records: everything that touches the flatbuffer, and nothing else."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..ir import Array, Quant

# Options tables: builtin operator -> (flatbuffer table, its fields). The reader's accessor of field `StrideH`
# is a method of the same name.
_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": (
        "Conv2DOptions",
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        ("Padding", "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "FusedActivationFunction"),
    ),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat", "KeepNumDims")),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "MAX_POOL_2D": (
        "Pool2DOptions",
        ("Padding", "StrideH", "StrideW", "FilterHeight", "FilterWidth", "FusedActivationFunction"),
    ),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_MAX": ("ReducerOptions", ("KeepDims",)),
    "REDUCE_PROD": ("ReducerOptions", ("KeepDims",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask"),
    ),
    "PACK": ("PackOptions", ("Axis",)),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
}
_CONTROL_FLOW = ("WHILE", "IF", "CALL", "CALL_ONCE")
_MAX_ELEMENTS = 1 << 28  # far above what any supported device holds; guards against absurd dimensions


@dataclass(frozen=True, slots=True)
class FileTensor:
    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None
    data: Array | None


@dataclass(frozen=True, slots=True)
class FileOperator:
    index: int
    builtin: str  # as TFLite spells it: CONV_2D
    inputs: tuple[int, ...]  # tensor indices; -1: operand left out
    outputs: tuple[int, ...]
    options: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class FileModel:
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(data: bytes, where: str) -> FileModel:
    """Parse a .tflite file.

    Raises:
        ModelError: the bytes are not a sound TensorFlow Lite model.
        UnsupportedError: more than one subgraph, or a tensor type that edgekc does not know.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError(
            "not a TensorFlow Lite file (the identifier TFL3 is missing)",
            where=where,
            fix="pass a .tflite file written by the TensorFlow Lite converter",
        )
    import tflite  # here, so that a broken installation is not mistaken for a broken file

    try:
        return _read(tflite, data, where)
    except (ModelError, UnsupportedError):
        raise
    except Exception as error:
        # The flatbuffers reader trusts its input: damaged offsets surface as struct, index, type, Unicode,
        # overflow or memory errors. All of them mean the same to the user.
        raise ModelError(
            f"the file is truncated or damaged ({type(error).__name__} while reading it)",
            where=where,
            fix="export the model again",
        ) from error


def _read(tflite: Any, data: bytes, where: str) -> FileModel:
    types = {value: name.lower() for name, value in vars(tflite.TensorType).items() if isinstance(value, int)}
    builtins = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    model = tflite.Model.GetRootAs(data, 0)
    codes = []
    for i in range(_count(model.OperatorCodesLength(), data)):
        code = model.OperatorCodes(i)
        # Files from before the enumeration outgrew a byte hold the number in the deprecated field only.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = builtins.get(number, f"operator number {number}")
        codes.append(f"CUSTOM {_text(code.CustomCode())}" if name == "CUSTOM" else name)
    _refuse_control_flow(model, codes, data, where)
    graph = model.Subgraphs(0)
    tensors = tuple(
        _tensor(model, graph.Tensors(i), i, types, data, where) for i in range(_count(graph.TensorsLength(), data))
    )
    operators = tuple(
        _operator(graph.Operators(i), i, codes, len(tensors), where)
        for i in range(_count(graph.OperatorsLength(), data))
    )
    inputs = tuple(_indices(graph, "Inputs", len(tensors), False))
    outputs = tuple(_indices(graph, "Outputs", len(tensors), False))
    if not inputs or not outputs:
        raise ModelError("the model has no inputs or no outputs", where=where)
    return FileModel(tensors, operators, inputs, outputs)


def _refuse_control_flow(model: Any, codes: list[str], data: bytes, where: str) -> None:
    count = _count(model.SubgraphsLength(), data)
    if count == 1:
        return
    what = f"the model has {count} subgraphs"
    graph = model.Subgraphs(0)
    for i in range(_count(graph.OperatorsLength(), data)):
        builtin = codes[graph.Operators(i).OpcodeIndex()]
        if builtin in _CONTROL_FLOW:
            where = f"{where}: operator {i} {builtin}"
            what += " (control flow, which recurrent layers as LSTM and GRU become)"
            break
    raise UnsupportedError(f"{what}; one is supported", where=where)


def _tensor(model: Any, tensor: Any, index: int, types: Mapping[int, str], data: bytes, where: str) -> FileTensor:
    name = _text(tensor.Name())
    here = f"{where}: tensor {index} {name[:60]!r}"
    dtype = types.get(tensor.Type(), f"type {tensor.Type()}")
    shape = tuple(int(tensor.Shape(i)) for i in range(_count(tensor.ShapeLength(), data)))
    shape = tuple(1 if i == 0 and d == -1 else d for i, d in enumerate(shape))  # a free batch size is one here
    if any(d < 1 for d in shape) or math.prod(shape) > _MAX_ELEMENTS:
        raise ModelError(f"impossible shape {list(shape)}", where=here)
    if tensor.Sparsity() is not None:
        raise UnsupportedError("sparse tensors are not supported; dense ones are", where=here)
    buffer = model.Buffers(tensor.Buffer())
    raw = b""
    if _count(buffer.DataLength(), data):
        raw = buffer.DataAsNumpy().tobytes()
    elif buffer.Offset() > 1:  # buffers may lie behind the flatbuffer in files of over 2 GB
        raise UnsupportedError("weights outside the flatbuffer are not supported", where=here)
    value = None
    if raw:
        if dtype not in ("int8", "uint8", "int16", "int32", "int64", "float32", "float16"):
            raise UnsupportedError(f"constant of type {dtype}; int8, int32 are supported", where=here)
        if len(raw) != math.prod(shape) * np.dtype(dtype).itemsize:
            raise ModelError(
                f"holds {len(raw)} bytes, its shape {list(shape)} and type {dtype} need another number", where=here
            )
        value = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return FileTensor(index, name, shape, dtype, _quant(tensor.Quantization(), shape, data, here), value)


def _quant(record: Any, shape: tuple[int, ...], data: bytes, here: str) -> Quant | None:
    if record is None or not _count(record.ScaleLength(), data):
        return None
    count = record.ScaleLength()
    scales = tuple(float(record.Scale(i)) for i in range(count))
    points = tuple(int(record.ZeroPoint(i)) for i in range(_count(record.ZeroPointLength(), data))) or (0,) * count
    axis = int(record.QuantizedDimension())
    if not all(math.isfinite(s) and s > 0 for s in scales):
        raise ModelError("a scale is not a positive finite number", where=here)
    if len(points) == 1:
        points *= count
    if len(points) != count or (count > 1 and (axis not in range(len(shape)) or shape[axis] != count)):
        raise ModelError(f"{count} scales and {len(points)} zero points do not match shape {list(shape)}", where=here)
    return Quant(scales, points, axis)


def _operator(op: Any, index: int, codes: list[str], tensors: int, where: str) -> FileOperator:
    builtin = codes[op.OpcodeIndex()]
    options: dict[str, int | float] = {}
    table = op.BuiltinOptions()
    if builtin in _OPTIONS and table is not None:
        name, fields = _OPTIONS[builtin]
        record = getattr(importlib.import_module(f"tflite.{name}"), name)()
        record.Init(table.Bytes, table.Pos)
        options = {field: getattr(record, field)() for field in fields}
    elif builtin in _OPTIONS:
        raise ModelError("the operator has no options", where=f"{where}: operator {index} {builtin}")
    return FileOperator(
        index,
        builtin,
        tuple(_indices(op, "Inputs", tensors, True)),
        tuple(_indices(op, "Outputs", tensors, False)),
        options,
    )


def _indices(record: Any, field: str, limit: int, optional: bool) -> list[int]:
    count = getattr(record, f"{field}Length")()
    if count > limit + 64:
        raise ValueError("more operands than tensors")
    values = [int(getattr(record, field)(i)) for i in range(count)]
    if any(v >= limit or v < (-1 if optional else 0) for v in values):
        raise ValueError("tensor index out of range")
    return values


def _count(count: int, data: bytes) -> int:
    """A vector's length, refused where the file could not hold it: damaged lengths must not cost minutes."""
    if not 0 <= count <= len(data):
        raise ValueError("vector longer than the file")
    return count


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
