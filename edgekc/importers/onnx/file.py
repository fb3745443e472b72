"""Bytes of a .onnx file to plain records: everything that touches the protobuf, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import EdgekcError, ModelError, ToolError, UnsupportedError
from ...files.bounded import read_file
from ...graph.ir import Array
from ...names import visible
from ..faults import is_ours
from .external import check_functions, load_external_data

MIN_OPSET, MAX_OPSET = 6, 28


@dataclass(frozen=True, slots=True)
class FileNode:
    index: int
    op: str
    name: str
    inputs: tuple[str, ...]  # "" where an optional one is left out
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]  # a graph inside of the node is a FileModel
    proto: Any  # for folding

    @property
    def title(self) -> str:
        return f"node {self.index} {self.op}" + (f" {self.name[:60]!r}" if self.name else "")

    def read_inside(self) -> Iterator[str]:
        """What the graphs inside of the node read; names of their own among them."""
        for graph in self.attrs.values():
            if isinstance(graph, FileModel):
                yield from graph.outputs
                for node in graph.nodes:
                    yield from node.inputs
                    yield from node.read_inside()


@dataclass(frozen=True, slots=True)
class FileInput:
    name: str
    dtype: str
    shape: tuple[int, ...]  # a free batch size is one here; nothing is said of the inputs of a graph inside of a node


@dataclass(frozen=True, slots=True)
class FileModel:
    opset: int
    nodes: tuple[FileNode, ...]
    constants: Mapping[str, Array]
    inputs: tuple[FileInput, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int | None, ...]]  # that the file states of what its nodes compute; None: a free size


def read(path: Path) -> FileModel:
    """Parse a .onnx file, with the external data beside it.

    Raises:
        ToolError: the package onnx is not installed.
        ModelError: the bytes are not a sound ONNX model, or its external data is missing or damaged.
        UnsupportedError: another opset than 6 to 28.
    """
    try:
        import onnx
    except ImportError as error:
        raise ToolError(
            "reading ONNX needs the package onnx", where=str(path), fix="pip install 'edgekc[onnx]'"
        ) from error
    where = str(path)
    data = read_file(path, None, ModelError)
    try:
        model = onnx.load_model_from_string(data)
        opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
        if model.graph.node and opset and not MIN_OPSET <= opset <= MAX_OPSET:
            raise UnsupportedError(
                f"opset {opset}; supported: {MIN_OPSET} to {MAX_OPSET}", where=where, fix="export with another opset"
            )
        load_external_data(model, path)
        shapes = _stated(model.graph)
        for value in model.graph.output:
            if value.type.WhichOneof("value") in (None, "tensor_type"):
                value.type.tensor_type.shape.SetInParent()  # the checker wants a shape; nobody here reads it
        onnx.checker.check_model(model)
        if model.functions:
            from onnx import inliner

            check_functions(model, where)
            model = inliner.inline_local_functions(model)
        return _read(model, opset, where, shapes)
    except EdgekcError:
        raise
    except Exception as error:
        if is_ours(error):
            raise
        # protobuf, the checker and numpy each have their own ways to refuse a damaged file; one for the user.
        line = " ".join(str(error).split())[:200]
        raise ModelError(
            f"not a sound ONNX model ({type(error).__name__}: {line})", where=where, fix="export the model again"
        ) from error


def _stated(graph: Any) -> dict[str, tuple[int | None, ...]]:
    """The shapes in the file, of outputs and of what is between; where the batch size is free, the first axis is too.

    Converters that free the batch size leave the old one in the shapes behind it.
    """

    def sizes(value: Any) -> tuple[int | None, ...] | None:
        tensor = value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type" or not tensor.shape.dim:  # a scalar has no layer
            return None
        fixed = (d.dim_value if d.WhichOneof("value") == "dim_value" else 0 for d in tensor.shape.dim)
        return tuple(d or None for d in fixed)

    constants = {t.name for t in graph.initializer}
    batches = [shape[0] for v in graph.input if v.name not in constants and (shape := sizes(v))]
    found = {v.name: shape for v in (*graph.value_info, *graph.output) if (shape := sizes(v)) is not None}
    if None in batches:
        found = {name: (None, *shape[1:]) if shape else shape for name, shape in found.items()}
    return found


def _read(model: Any, opset: int, where: str, shapes: Mapping[str, tuple[int | None, ...]]) -> FileModel:
    graph = model.graph
    if graph.sparse_initializer:
        raise UnsupportedError("sparse initialisers are not supported; dense ones are", where=where)
    nodes, constants = _nodes(graph, opset, where)
    inputs = tuple(_input(value, where) for value in graph.input if value.name not in constants)
    outputs = tuple(value.name for value in graph.output)
    if not inputs or not outputs:
        raise ModelError("the model has no inputs or no outputs", where=where)
    return FileModel(opset, nodes, constants, inputs, outputs, shapes)


def _nodes(graph: Any, opset: int, where: str) -> tuple[tuple[FileNode, ...], dict[str, Array]]:
    """(nodes, constants) of a graph."""
    from onnx import AttributeProto, helper, numpy_helper

    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    nodes = []
    for index, proto in enumerate(graph.node):
        attrs = {
            a.name: _inside(a.g, opset, where) if a.type == AttributeProto.GRAPH else helper.get_attribute_value(a)
            for a in proto.attribute
        }
        # Errors begin with it, and are of one line.
        name = visible(proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}")
        node = FileNode(index, name, proto.name, tuple(proto.input), tuple(proto.output), attrs, proto)
        if name == "Constant":
            constants[proto.output[0]] = _constant(node, where)
        else:
            nodes.append(node)
    return tuple(nodes), constants


def _inside(graph: Any, opset: int, where: str) -> FileModel:
    """A graph inside of a node: the body of a loop, or a branch."""
    if graph.sparse_initializer:
        raise UnsupportedError("sparse initialisers are not supported; dense ones are", where=where)
    nodes, constants = _nodes(graph, opset, where)
    inputs = tuple(FileInput(value.name, "", ()) for value in graph.input)
    return FileModel(opset, nodes, constants, inputs, tuple(value.name for value in graph.output), {})


def _constant(node: FileNode, where: str) -> Array:
    from onnx import numpy_helper

    for key, value in node.attrs.items():
        if key == "value":
            return np.asarray(numpy_helper.to_array(value))
        if key in ("value_float", "value_floats"):
            return np.asarray(value, np.float32)
        if key in ("value_int", "value_ints"):
            return np.asarray(value, np.int64)
    raise UnsupportedError("a constant that is no dense tensor; supported: value, value_float(s), value_int(s)",
                           where=f"{where}: {node.title}")  # fmt: skip


def _input(value: Any, where: str) -> FileInput:
    from onnx import helper

    here = f"{where}: input {value.name[:60]!r}"
    if value.type.WhichOneof("value") != "tensor_type" or not value.type.tensor_type.HasField("shape"):
        raise UnsupportedError("an input without a shape; supported: tensors of known shape", where=here)
    tensor = value.type.tensor_type
    shape = []
    for i, dim in enumerate(tensor.shape.dim):
        fixed = dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0
        if not fixed and i > 0:
            raise UnsupportedError(
                f"dimension {i} is free ({dim.dim_param or '?'}); supported: a free batch size",
                where=here,
                fix="export with a fixed input shape",
            )
        shape.append(int(dim.dim_value) if fixed else 1)
    return FileInput(value.name, helper.tensor_dtype_to_np_dtype(tensor.elem_type).name, tuple(shape))
