"""A .onnx file to a graph: float models to FLOAT, models in the QDQ form to QUANTIZED."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...graph.ir import Array, Graph
from .. import quantized
from ..builder import Builder
from ..imported import Imported, SourceOperator
from ..layouts import import_in_best
from ..value import constant_value
from . import file, patterns, qlinear
from .file import FileModel
from .walk import Scope, Walk


def import_onnx(path: Path, name: str) -> Graph:
    """Turn a .onnx file (opset 6 to 28) into a graph called `name`.

    Inputs of four dimensions are taken as NCHW and become NHWC; where the model transposes them itself (as
    converters from TensorFlow write it), they are NHWC already and stay so.

    Raises:
        ModelError: the file is damaged, contradicts itself, or holds NaN.
        UnsupportedError: operators, types or attributes that edgekc does not have; names node and operator.
    """
    return read_onnx(path, name).sound()


def read_onnx(path: Path, name: str) -> Imported:
    """As `import_onnx`, with what stands in the way beside the graph."""
    model = _expanded(file.read(path), {})
    quantising = [node for node in model.nodes if node.op == "QuantizeLinear" and node.inputs]
    is_qdq = any(node.inputs[0] not in model.constants for node in quantising)
    ranks = [len(item.shape) for item in model.inputs]
    return import_in_best(lambda b: _import(model, name, b), str(path), ranks, is_qdq)


def _expanded(model: FileModel, outer: Mapping[str, Array]) -> FileModel:
    """The model, and the graphs inside of its nodes, of operators that there are handlers for."""
    model = qlinear.expand(patterns.fuse(replace(model, constants={**outer, **model.constants})))

    def inside(attrs: Mapping[str, Any]) -> dict[str, Any]:
        return {k: _expanded(v, model.constants) if isinstance(v, FileModel) else v for k, v in attrs.items()}

    nodes = tuple(replace(n, attrs=inside(n.attrs)) for n in model.nodes)
    return replace(model, nodes=nodes, constants={k: v for k, v in model.constants.items() if k not in outer})


def _held_bytes(model: FileModel) -> int:
    graphs = [graph for node in model.nodes for graph in node.attrs.values() if isinstance(graph, FileModel)]
    return sum(data.nbytes for data in model.constants.values()) + sum(map(_held_bytes, graphs))


def _import(model: FileModel, name: str, b: Builder) -> Imported:
    where = b.where
    values = {key: constant_value(data, key) for key, data in model.constants.items()}
    b.held_bytes = _held_bytes(model)
    inputs = []
    for k, item in enumerate(model.inputs):
        b.at = f"{where}: input {k} {item.name[:60]!r}"
        if item.dtype not in ("float32", "float16", "int32", "int64"):
            raise b.unsupported(f"type {item.dtype}", "float32, float16, and whole numbers by which rows are looked up")
        values[item.name] = replace(b.input(item.shape), whole=item.dtype.startswith("int"))
        inputs.append(values[item.name])
    walk = Walk(b, model.opset)
    walk.run(model, Scope(values, set()), where)
    operators = [SourceOperator(n.index, n.op, n.outputs[0] if n.outputs else "") for n in model.nodes]
    outputs = [values[key] for key in model.outputs if key in values]
    return b.finished(name, inputs, outputs, lambda g: quantized.settled_or_folded(b, g), operators)
