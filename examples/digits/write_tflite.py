"""A quantised model, as plain records, to the bytes of a .tflite file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_TYPES = {"int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}

# What the TensorFlow converter writes for the int8 form of each operator. A runtime older than an operator's
# version refuses the file, so a number is the lowest that has int8; fully connected stays at 4 because its
# weights have one scale here (per-channel ones would need 12).
_VERSIONS = {
    schema.BuiltinOperator.CONV_2D: 3,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.ADD: 2,
    schema.BuiltinOperator.AVERAGE_POOL_2D: 2,
    schema.BuiltinOperator.RESHAPE: 1,
    schema.BuiltinOperator.FULLY_CONNECTED: 4,
    schema.BuiltinOperator.SOFTMAX: 2,
}


@dataclass(frozen=True, slots=True)
class Quant:
    """real = scale * (q - zero_point), with one scale, or one per index along `axis`."""

    scales: NDArray[np.float32]  # (1,) or (channels,)
    zero_point: int
    axis: int = 0


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of the file; `data` is None for an activation. `quant` is None for a shape operand."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # a key of _TYPES
    quant: Quant | None
    data: NDArray[np.int8] | NDArray[np.int32] | None = None


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """An operator: its builtin code, the names of its tensors, and its options as the schema's own object."""

    code: int
    inputs: tuple[str, ...]
    output: str
    options: object  # schema.Conv2DOptionsT and so on


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One subgraph, its operators in order of execution."""

    description: str
    tensors: tuple[TensorSpec, ...]
    operators: tuple[OperatorSpec, ...]
    input: str
    output: str


class _AlignedBuffer(schema.BufferT):
    """A buffer whose bytes start at a multiple of 16, as the schema's force_align asks.

    The generated Python code ignores force_align, and a runtime that maps the file reads biases in place as int32.
    """

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802, the generated code calls it so
        content = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), 16)
            for byte in reversed(self.data):  # a flatbuffer is built from its end
                builder.PrependByte(byte)
            content = builder.EndVector()
        schema.BufferStart(builder)
        if content is not None:
            schema.BufferAddData(builder, content)
        return int(schema.BufferEnd(builder))


def write_tflite(model: ModelSpec) -> bytes:
    """Serialise `model`; the same model always gives the same bytes."""
    buffers = [_AlignedBuffer()]  # buffer 0 means "no data" by convention
    index = {tensor.name: i for i, tensor in enumerate(model.tensors)}
    codes = list(dict.fromkeys(op.code for op in model.operators))

    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(tensor, buffers) for tensor in model.tensors]
    graph.inputs, graph.outputs = [index[model.input]], [index[model.output]]
    graph.operators = [_operator(op, index, codes) for op in model.operators]

    root = schema.ModelT()
    root.version = 3
    root.description = model.description
    root.operatorCodes = [_operator_code(code) for code in codes]
    root.subgraphs = [graph]
    root.buffers = buffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _tensor(spec: TensorSpec, buffers: list[_AlignedBuffer]) -> schema.TensorT:
    """The schema's tensor; appends its data, if any, to `buffers`."""
    tensor = schema.TensorT()
    tensor.name = spec.name
    tensor.shape = list(spec.shape)
    tensor.type = _TYPES[spec.dtype]
    tensor.buffer = 0
    if spec.data is not None:
        assert spec.data.shape == spec.shape and spec.data.dtype == spec.dtype, spec.name
        tensor.buffer = len(buffers)
        buffer = _AlignedBuffer()
        buffer.data = spec.data.astype(spec.data.dtype.newbyteorder("<")).tobytes()
        buffers.append(buffer)
    if spec.quant is not None:
        tensor.quantization = _quantization(spec.quant)
    return tensor


def _quantization(quant: Quant) -> schema.QuantizationParametersT:
    out = schema.QuantizationParametersT()
    out.scale = [float(s) for s in quant.scales]
    out.zeroPoint = [quant.zero_point] * len(quant.scales)
    out.quantizedDimension = quant.axis
    return out


def _operator(spec: OperatorSpec, index: dict[str, int], codes: Sequence[int]) -> schema.OperatorT:
    op = schema.OperatorT()
    op.opcodeIndex = codes.index(spec.code)
    op.inputs = [index[name] for name in spec.inputs]
    op.outputs = [index[spec.output]]
    op.builtinOptionsType = getattr(schema.BuiltinOptions, type(spec.options).__name__.removesuffix("T"))
    op.builtinOptions = spec.options
    return op


def _operator_code(code: int) -> schema.OperatorCodeT:
    out = schema.OperatorCodeT()
    out.builtinCode = code
    out.deprecatedBuiltinCode = code  # what readers older than schema 3a look at; equal for codes below 127
    out.version = _VERSIONS[code]
    return out
