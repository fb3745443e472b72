"""Streaming networks as .tflite files: nodes of a QUANTIZED graph, and variables that each step reads and assigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from flatbuffers.builder import Builder

from ..graph.ir import Array, Tensor
from ..graph.op import View
from .file_operators import inputs_of
from .tflite_file import offsets, operator, operator_code, table, tensor_table, vector


@dataclass(frozen=True, slots=True)
class Variable:
    """What is read into `read` when a step starts, and assigned from the tensor `kept`; "" where it never is."""

    name: str
    read: Tensor
    kept: str
    first: Array


def streaming_network(
    views: Sequence[View], inputs: Sequence[Tensor], outputs: Sequence[str], variables: Sequence[Variable]
) -> bytes:
    """The .tflite file. Variables are read before all nodes and assigned behind them, and CALL_ONCE starts them."""
    b = Builder(1024)
    buffers = [table(b, "Buffer")]
    codes: dict[str, int] = {}
    operands = [inputs_of(view) for view in views]
    rows = [t for view, row in zip(views, operands, strict=True) for t in (*row, *view.outputs)]
    sources = {t.name: t for t in (*inputs, *(v.read for v in variables), *rows)}
    tables = [_tensor(b, t, buffers) for t in sources.values()]
    index = {name: i for i, name in enumerate(sources)}
    handles = {v.name: len(tables) + i for i, v in enumerate(variables)}
    tables += [_handle_tensor(b, v.name) for v in variables]

    once = table(b, "CallOnceOptions", InitSubgraphIndex=1)
    operators = [_operator(b, codes, "CALL_ONCE", [], [], "CallOnceOptions", once)]
    operators += [_var_handle(b, codes, v.name, handles[v.name]) for v in variables]
    operators += [_operator(b, codes, "READ_VARIABLE", [handles[v.name]], [index[v.read.name]]) for v in variables]
    operators += [
        operator(b, view, [index[t.name] for t in row], [index[t.name] for t in view.outputs], codes)
        for view, row in zip(views, operands, strict=True)
    ]
    operators += [
        _operator(b, codes, "ASSIGN_VARIABLE", [handles[v.name], index[v.kept]], []) for v in variables if v.kept
    ]
    ends = dict(
        Inputs=vector(b, [index[t.name] for t in inputs], "int32"),
        Outputs=vector(b, [index[n] for n in outputs], "int32"),
    )
    parts = dict(Tensors=offsets(b, tables), Operators=offsets(b, operators))
    graphs = [table(b, "SubGraph", **parts, **ends), _first_values(b, codes, buffers, variables)]
    code_tables = [operator_code(b, builtin) for builtin in codes]
    lists = dict(OperatorCodes=offsets(b, code_tables), Subgraphs=offsets(b, graphs))
    root = table(b, "Model", Version=3, **lists, Buffers=offsets(b, buffers))
    b.Finish(root, b"TFL3")
    return bytes(b.Output())


def _first_values(b: Builder, codes: dict[str, int], buffers: list[int], variables: Sequence[Variable]) -> int:
    tables, operators = list[int](), list[int]()
    for v in variables:
        handle, value = len(tables), Tensor(f"{v.name}/first", v.first.shape, v.first.dtype.name, v.read.quant)
        tables += [_handle_tensor(b, v.name), _tensor(b, _with(value, v.first), buffers)]
        operators += [
            _var_handle(b, codes, v.name, handle),
            _operator(b, codes, "ASSIGN_VARIABLE", [handle, handle + 1], []),
        ]
    nothing = [vector(b, [], "int32") for _ in range(2)]
    parts = dict(Tensors=offsets(b, tables), Operators=offsets(b, operators))
    return table(b, "SubGraph", **parts, Inputs=nothing[0], Outputs=nothing[1])


def _with(t: Tensor, value: Array) -> Tensor:
    return Tensor(t.name, t.shape, t.dtype, t.quant, data=value)


def _tensor(b: Builder, t: Tensor, buffers: list[int]) -> int:
    slot = 0
    if t.data is not None:
        data = b.CreateByteVector(np.ascontiguousarray(t.data).tobytes())
        slot = len(buffers)
        buffers.append(table(b, "Buffer", Data=data))
    return tensor_table(b, t, slot)


def _handle_tensor(b: Builder, name: str) -> int:
    fields = dict(Name=b.CreateString(f"{name}/handle"), Shape=vector(b, [], "int32"))
    return table(b, "Tensor", **fields, Type=tflite.TensorType.RESOURCE, Buffer=0)


def _var_handle(b: Builder, codes: dict[str, int], name: str, output: int) -> int:
    options = table(b, "VarHandleOptions", Container=b.CreateString(""), SharedName=b.CreateString(name))
    return _operator(b, codes, "VAR_HANDLE", [], [output], "VarHandleOptions", options)


def _operator(
    b: Builder, codes: dict[str, int], builtin: str, inputs: Sequence[int], outputs: Sequence[int],
    kind: str = "", options: int | None = None,
) -> int:  # fmt: skip
    ends: dict[str, Any] = dict(Inputs=vector(b, inputs, "int32"), Outputs=vector(b, outputs, "int32"))
    place = codes.setdefault(builtin, len(codes))
    number = getattr(tflite.BuiltinOptions, kind) if kind else None
    return table(b, "Operator", OpcodeIndex=place, **ends, BuiltinOptions=options, BuiltinOptionsType=number)
