"""Bytes of a .tflite file to plain records: everything that touches the flatbuffer, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, Quant
from . import flexbuffer
from .flatbuffer import DamagedError, Table, root
from .names import OPERATORS, TYPES
from .options import CUSTOM, OPTIONS

# Numbers of fields of the other tables.
_MODEL_CODES, _MODEL_SUBGRAPHS, _MODEL_BUFFERS = 1, 2, 4
_CODE_DEPRECATED, _CODE_CUSTOM, _CODE_VERSION, _CODE_BUILTIN = 0, 1, 2, 3
_GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_OPERATORS = 0, 1, 2, 3
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_BUFFER, _TENSOR_NAME, _TENSOR_QUANTIZATION, _TENSOR_SPARSITY = 0, 1, 2, 3, 4, 6
_QUANT_SCALE, _QUANT_ZERO_POINT, _QUANT_DIMENSION = 2, 3, 6
_OPERATOR_CODE, _OPERATOR_INPUTS, _OPERATOR_OUTPUTS, _OPERATOR_OPTIONS = 0, 1, 2, 4
_OPERATOR_CUSTOM, _OPERATOR_INTERMEDIATES = 5, 8
_BUFFER_DATA, _BUFFER_OFFSET = 0, 1
_HANDLE_CONTAINER, _HANDLE_NAME = 0, 1
_CONTROL_FLOW = ("IF", "CALL")
_MAX_DIMENSIONS = 8  # no operator of TensorFlow Lite takes more
_MAX_ELEMENTS = 1 << 28  # far above what any supported device holds; guards against absurd dimensions


@dataclass(frozen=True, slots=True)
class FileTensor:
    index: int
    name: str
    shape: tuple[int, ...]  # with a zero: there is no such tensor; some converters write an optional operand so
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
    variable: str = ""  # of VAR_HANDLE: which one
    intermediates: tuple[int, ...] = ()  # tensor indices of what it computes inside, of recurrent operators


@dataclass(frozen=True, slots=True)
class FileModel:
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    first: Mapping[str, FileTensor] = field(default_factory=dict)  # variable -> the constant that it holds at first
    unsigned: frozenset[int] = frozenset()  # indices of the operators that computed in uint8, see unsigned.py
    loops: Mapping[int, FileModel] = field(default_factory=dict)  # subgraph -> a condition or a body of WHILE
    truths: frozenset[int] = frozenset()  # indices of the tensors that were of type bool, see truths.py


def read(data: bytes, where: str) -> FileModel:
    """Parse a .tflite file.

    Raises:
        ModelError: the bytes are not a sound TensorFlow Lite model.
        UnsupportedError: a subgraph that is neither a part of a loop nor gives variables their first value, or a tensor
            type that edgekc does not know.
    """
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise ModelError(
            "not a TensorFlow Lite file (the identifier TFL3 is missing)",
            where=where,
            fix="pass a .tflite file written by the TensorFlow Lite converter",
        )
    try:
        return _read(root(data), where)
    except DamagedError as error:
        raise ModelError(
            f"the file is truncated or damaged ({error})", where=where, fix="export the model again"
        ) from error


def of_first_versions(data: bytes) -> bytes:
    """A sound file with version 1 of each operator: the number says what a reader must know, and no kernel reads it."""
    out = bytearray(data)
    for code in root(data).tables(_MODEL_CODES):
        if (at := code.place(_CODE_VERSION)) is not None:
            out[at : at + 4] = (1).to_bytes(4, "little")
    return bytes(out)


def _read(model: Table, where: str) -> FileModel:
    codes = []
    for code in model.tables(_MODEL_CODES):
        # Files from before the enumeration outgrew a byte hold the number in the deprecated field only.
        number = max(code.whole(_CODE_BUILTIN, "i"), code.whole(_CODE_DEPRECATED, "b"))
        name = OPERATORS.get(number, f"operator number {number}")
        codes.append(f"CUSTOM {code.text(_CODE_CUSTOM)}" if name == "CUSTOM" else name)
    subgraphs = model.tables(_MODEL_SUBGRAPHS)
    if not subgraphs:
        raise DamagedError("it has no subgraph")
    buffers = model.tables(_MODEL_BUFFERS)
    called, looped = _called_once(subgraphs, codes, where), _looped(subgraphs, codes)
    if len(called | looped) + 1 != len(subgraphs):
        raise UnsupportedError(
            f"the model has {len(subgraphs)} subgraphs; supported: one, those of loops, and those in which CALL_ONCE "
            "gives variables their first value",
            where=where,
        )
    graph = _subgraph(subgraphs[0], codes, buffers, where)
    if not graph.inputs or not graph.outputs:
        raise ModelError("the model has no inputs or no outputs", where=where)
    first: dict[str, FileTensor] = {}
    for i in sorted(called):
        first |= _assigned(*_content(subgraphs[i], codes, buffers, f"{where}: subgraph {i}"), f"{where}: subgraph {i}")
    loops = {i: _subgraph(subgraphs[i], codes, buffers, f"{where}: subgraph {i}") for i in sorted(looped)}
    return replace(graph, first=first, loops=loops)


def _subgraph(graph: Table, codes: Sequence[str], buffers: Sequence[Table], where: str) -> FileModel:
    tensors, operators = _content(graph, codes, buffers, where)
    inputs = _indices(graph, _GRAPH_INPUTS, len(tensors), False)
    return FileModel(tensors, operators, inputs, _indices(graph, _GRAPH_OUTPUTS, len(tensors), False))


def _content(
    graph: Table, codes: Sequence[str], buffers: Sequence[Table], where: str
) -> tuple[tuple[FileTensor, ...], tuple[FileOperator, ...]]:
    tensors = tuple(_tensor(tensor, i, buffers, where) for i, tensor in enumerate(graph.tables(_GRAPH_TENSORS)))
    rows = enumerate(graph.tables(_GRAPH_OPERATORS))
    return tensors, tuple(_operator(row, i, codes, len(tensors)) for i, row in rows)


def _called_once(subgraphs: Sequence[Table], codes: Sequence[str], where: str) -> set[int]:
    """The subgraphs that CALL_ONCE runs before all else. UnsupportedError where there is a choice between some."""
    called = set()
    count = len(subgraphs)
    for i, row in enumerate(subgraphs[0].tables(_GRAPH_OPERATORS)):
        builtin = _builtin(row, codes)
        if builtin in _CONTROL_FLOW:
            what = f"the model has {count} subgraphs, and control flow; supported of it: WHILE"
            raise UnsupportedError(what, where=f"{where}: operator {i} {builtin}")
        if builtin == "CALL_ONCE":
            options = row.table(_OPERATOR_OPTIONS)
            index = options.whole(0, "i") if options is not None else 0
            if not 1 <= index < count:
                raise DamagedError(f"operator {i} CALL_ONCE runs subgraph {index} of {count}")
            called.add(index)
    return called


def _looped(subgraphs: Sequence[Table], codes: Sequence[str]) -> set[int]:
    """The subgraphs that are the condition or the body of a WHILE, also of one within another."""
    found: set[int] = set()
    left = [0]
    while left:
        at = left.pop()
        for i, row in enumerate(subgraphs[at].tables(_GRAPH_OPERATORS)):
            if _builtin(row, codes) != "WHILE":
                continue
            options = row.table(_OPERATOR_OPTIONS)
            for part in (0, 1):
                index = options.whole(part, "i") if options is not None else 0
                if not 1 <= index < len(subgraphs):
                    raise DamagedError(f"operator {i} WHILE runs subgraph {index} of {len(subgraphs)}")
                if index not in found:
                    found.add(index)
                    left.append(index)
    return found


def _assigned(tensors: Sequence[FileTensor], operators: Sequence[FileOperator], where: str) -> dict[str, FileTensor]:
    """Variable -> the constant that a subgraph of CALL_ONCE gives it."""
    handles: dict[int, str] = {}
    first: dict[str, FileTensor] = {}
    for op in operators:
        at = f"{where}: operator {op.index} {op.builtin}"
        if op.builtin == "VAR_HANDLE" and len(op.outputs) == 1:
            handles[op.outputs[0]] = op.variable
        elif op.builtin == "ASSIGN_VARIABLE" and len(op.inputs) == 2 and min(op.inputs) >= 0:
            value = tensors[op.inputs[1]]
            if op.inputs[0] not in handles or value.data is None:
                raise UnsupportedError("assigns something else than a constant to a variable", where=at)
            first[handles[op.inputs[0]]] = value
        else:
            raise UnsupportedError("runs before the first step; supported there: constants for variables", where=at)
    return first


def _tensor(tensor: Table, index: int, buffers: Sequence[Table], where: str) -> FileTensor:
    name = tensor.text(_TENSOR_NAME)
    here = f"{where}: tensor {index} {name[:60]!r}"
    number = tensor.whole(_TENSOR_TYPE, "b")
    dtype = TYPES.get(number, f"type {number}")
    dimensions = tensor.numbers(_TENSOR_SHAPE, "int32")
    shape = tuple(int(d) for d in dimensions[: _MAX_DIMENSIONS + 1])
    shape = tuple(1 if i == 0 and d == -1 else d for i, d in enumerate(shape))  # a free batch size is one here
    if len(shape) > _MAX_DIMENSIONS or any(d < 0 for d in shape) or math.prod(shape) > _MAX_ELEMENTS:
        raise ModelError(f"impossible shape {list(shape)}", where=here)
    if tensor.table(_TENSOR_SPARSITY) is not None:
        raise UnsupportedError("sparse tensors are not supported; dense ones are", where=here)
    place = tensor.whole(_TENSOR_BUFFER, "I")
    if place >= len(buffers):
        raise DamagedError(f"tensor {index} is in buffer {place} of {len(buffers)}")
    raw = buffers[place].numbers(_BUFFER_DATA, "uint8")
    if not raw.size and buffers[place].whole(_BUFFER_OFFSET, "Q") > 1:  # behind the flatbuffer, in files of over 2 GB
        raise UnsupportedError("weights outside the flatbuffer are not supported", where=here)
    value = None
    if raw.size:
        if dtype == "int4":
            raw, dtype = _nibbles(raw, math.prod(shape), here), "int8"
        if dtype not in ("int8", "uint8", "int16", "int32", "int64", "float32", "float16", "bool"):
            raise UnsupportedError(f"constant of type {dtype}; int8, int32 are supported", where=here)
        if raw.size != math.prod(shape) * np.dtype(dtype).itemsize:
            raise ModelError(
                f"holds {raw.size} bytes, its shape {list(shape)} and type {dtype} need another number", where=here
            )
        value = np.frombuffer(raw.tobytes(), np.dtype(dtype).newbyteorder("<")).reshape(shape)
    quant = _quant(tensor.table(_TENSOR_QUANTIZATION), shape, here)
    if quant is not None and value is not None and value.dtype.kind in "iu":
        info = np.iinfo(value.dtype)
        if not info.min <= min(quant.zero_points) <= max(quant.zero_points) <= info.max:
            raise ModelError(f"a zero point of {dtype} is out of range", where=here)
    return FileTensor(index, name, shape, dtype, quant, value)


def _nibbles(raw: Array, count: int, here: str) -> Array:
    """Values of 4 bits, the lower half of each byte first, as bytes of an int8 tensor: what LiteRT computes with."""
    if raw.size != (count + 1) // 2:
        raise ModelError(f"holds {raw.size} bytes, {count} values of 4 bits need {(count + 1) // 2}", where=here)
    halves = np.stack([raw & 15, raw >> 4], axis=1).ravel()[:count]
    return np.asarray((halves ^ 8) - np.uint8(8), np.uint8)


def _quant(record: Table | None, shape: tuple[int, ...], here: str) -> Quant | None:
    if record is None:
        return None
    scales = tuple(float(s) for s in record.numbers(_QUANT_SCALE, "float32"))
    count = len(scales)
    if not count:
        return None
    points = tuple(int(z) for z in record.numbers(_QUANT_ZERO_POINT, "int64")) or (0,) * count
    axis = record.whole(_QUANT_DIMENSION, "i")
    if not all(math.isfinite(s) and s > 0 for s in scales):
        raise ModelError("a scale is not a positive finite number", where=here)
    if len(points) == 1:
        points *= count
    if count > 1 and (axis not in range(len(shape)) or shape[axis] != count) and shape.count(count) == 1:
        axis = shape.index(count)  # runtimes that take scales in the order of channels never read it
    if len(points) != count or (count > 1 and (axis not in range(len(shape)) or shape[axis] != count)):
        raise ModelError(f"{count} scales and {len(points)} zero points do not match shape {list(shape)}", where=here)
    return Quant(scales, points, axis)


def _builtin(row: Table, codes: Sequence[str]) -> str:
    code = row.whole(_OPERATOR_CODE, "I")
    if code >= len(codes):
        raise DamagedError(f"an operator has code {code} of {len(codes)}")
    return codes[code]


def _operator(row: Table, index: int, codes: Sequence[str], tensors: int) -> FileOperator:
    builtin = _builtin(row, codes)
    options: dict[str, int | float] = {}
    if builtin in OPTIONS:
        table = row.table(_OPERATOR_OPTIONS)
        # Some writers leave out a table in which every option has the schema's default.
        options = {
            name: field[2] if table is None else table.number(*field) for name, field in OPTIONS[builtin].items()
        }
    if builtin in CUSTOM:
        options = flexbuffer.numbers(row.numbers(_OPERATOR_CUSTOM, "uint8").tobytes())
    handle = row.table(_OPERATOR_OPTIONS) if builtin == "VAR_HANDLE" else None
    return FileOperator(
        index,
        builtin,
        _indices(row, _OPERATOR_INPUTS, tensors, True),
        _indices(row, _OPERATOR_OUTPUTS, tensors, False),
        options,
        "" if handle is None else f"{handle.text(_HANDLE_CONTAINER)}/{handle.text(_HANDLE_NAME)}",
        _indices(row, _OPERATOR_INTERMEDIATES, tensors, False),
    )


def _indices(record: Table, field: int, limit: int, optional: bool) -> tuple[int, ...]:
    values = record.numbers(field, "int32")
    if values.size > limit + 64:
        raise DamagedError(f"{values.size} operands, and {limit} tensors")
    if values.size and (values.max() >= limit or values.min() < (-1 if optional else 0)):
        raise DamagedError(f"an operand is tensor {values.max()} of {limit}")
    return tuple(int(v) for v in values)
