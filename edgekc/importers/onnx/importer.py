"""A .onnx file to a graph: float models to FLOAT, models in the QDQ form to QUANTIZED."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Graph
from .. import quantized
from ..builder import Builder
from ..imported import Imported, SourceOperator
from ..layouts import import_in_best
from ..value import Value, constant_value
from . import file, fold, patterns, qlinear
from .args import Args
from .file import FileModel, FileNode
from .handlers import HANDLERS

# What takes whole numbers that are an activation; others compute real ones.
_OF_WHOLE = frozenset("Cast Flatten Gather Identity OneHot Reshape Squeeze Transpose Unsqueeze".split())


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
    model = qlinear.expand(patterns.fuse(file.read(path)))
    quantising = [node for node in model.nodes if node.op == "QuantizeLinear" and node.inputs]
    is_qdq = any(node.inputs[0] not in model.constants for node in quantising)
    ranks = [len(item.shape) for item in model.inputs]
    return import_in_best(lambda b: _import(model, name, b), str(path), ranks, is_qdq)


def _import(model: FileModel, name: str, b: Builder) -> Imported:
    where = b.where
    values = {key: constant_value(data, key) for key, data in model.constants.items()}
    b.held_bytes = sum(data.nbytes for data in model.constants.values())
    inputs = []
    for k, item in enumerate(model.inputs):
        b.at = f"{where}: input {k} {item.name[:60]!r}"
        if item.dtype not in ("float32", "float16", "int32", "int64"):
            raise b.unsupported(f"type {item.dtype}", "float32, float16, and whole numbers by which rows are looked up")
        values[item.name] = replace(b.input(item.shape), whole=item.dtype.startswith("int"))
        inputs.append(values[item.name])
    loose: set[str] = set()  # what comes of refused nodes
    for node in model.nodes:
        b.at, b.source = f"{where}: {node.title}", node.index
        before, follows = len(b.nodes), not loose.isdisjoint(node.inputs)
        try:
            results = _checked_outputs(b, node, values, model, loose)
        except (UnsupportedError, ModelError) as error:
            if isinstance(error, UnsupportedError):
                b.refuse(error, node.outputs[0] if node.outputs else "")
            elif not follows:
                raise
            del b.nodes[before:]
            results, follows = [b.stand_in(model.shapes.get(key)) for key in node.outputs], True
        values.update((k, v) for k, v in zip(node.outputs, results, strict=False) if v is not None)
        loose.update(node.outputs if follows else ())
    for key in model.outputs:
        if key not in values and key not in loose:
            raise ModelError(f"output {key[:60]!r} is never computed", where=where)
    operators = [SourceOperator(n.index, n.op, n.outputs[0] if n.outputs else "") for n in model.nodes]
    outputs = [values[key] for key in model.outputs if key in values]
    return b.finished(name, inputs, outputs, lambda g: quantized.settled_or_folded(b, g), operators)


def _checked_outputs(
    b: Builder, node: FileNode, values: Mapping[str, Value], model: FileModel, loose: set[str]
) -> list[Value | None]:
    """What a node computes, of the shapes that the file states; None: of a refused node, and nothing is known of it."""
    for key in node.inputs:
        if key and key not in values and key not in loose:
            raise b.wrong(f"tensor {key[:60]!r} is read before it is computed, or is a further output")
    if any(key in loose and key not in values for key in node.inputs):
        if node.op not in (*HANDLERS, *fold.FOLDABLE, "Shape"):
            raise b.missing(HANDLERS)
        return [b.stand_in(model.shapes.get(key)) for key in node.outputs]
    results = _outputs(Args(b, node, values, model.opset), b.where)
    for key, value in zip(node.outputs, results, strict=False):
        b.check_stated(value.shape, model.shapes.get(key))
    return list(results)


def _outputs(a: Args, where: str) -> list[Value]:
    """What a node computes: constants where all its inputs are, else what its handler makes of it."""
    operands = [a.get(i) for i in range(len(a.node.inputs))]
    if a.node.op == "Shape" and operands and operands[0] is not None:
        shape = np.array(operands[0].shape, np.int64)
        return [constant_value(shape[a.attr("start", 0) : a.attr("end", None)], a.node.outputs[0])]
    foldable = all(v is None or (v.data is not None and v.quant is None) for v in operands)
    if foldable and a.node.op in fold.FOLDABLE:
        arrays = [None if v is None else v.data for v in operands]
        a.b.count_made(fold.folded_bytes(a.node, arrays))
        source = next((v.source for v in operands if v is not None and v.data is not None and v.data.ndim > 1), "")
        return [constant_value(r, source) for r in fold.fold(a.node, arrays, a.opset, where)]
    handler = HANDLERS.get(a.node.op)
    if handler is not None and a.node.op not in _OF_WHOLE and any(v is not None and v.whole for v in operands):
        raise a.b.unsupported("integers that are computed at run time", f"{', '.join(sorted(_OF_WHOLE))} of them")
    if handler is None:
        raise a.b.missing(HANDLERS, qlinear.STATIC if qlinear.kind(a.node) in qlinear.DYNAMIC else "")
    try:
        results = handler(a)
        a.check_seen()
        return results if isinstance(results, list) else [results]
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A handler trusts the types that the standard gives attributes; a damaged file keeps to none.
        raise a.b.wrong(f"attributes and operands do not fit ({type(error).__name__}: {error})") from error
