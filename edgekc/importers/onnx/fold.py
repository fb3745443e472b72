"""Nodes of ONNX whose inputs are all constants: what they compute, and how large that is before it is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ..faults import is_ours
from .file import FileNode

# Operators that are computed here when all their inputs are constants; none of them is random.
FOLDABLE = frozenset(
    (
        "Abs Add And Cast CastLike Ceil Clip Concat ConstantOfShape Cos CumSum Div Equal Erf Exp Expand Flatten "
        "Floor Gather Greater GreaterOrEqual Identity Less LessOrEqual Log MatMul Max Mean Min Mod Mul Neg Not Or "
        "Pow Range Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
        "ReduceSumSquare Relu Reshape Round ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax "
        "Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Trilu Unsqueeze Where"
    ).split()
)
_BROADCAST = frozenset(
    "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where".split()
)
_ITEM_BYTES = 8  # of the largest type


def folded_bytes(node: FileNode, inputs: Sequence[Array | None]) -> int:
    """At most so many bytes the outputs take; a guess that is too large where operands do not fit each other."""
    arrays = [x for x in inputs if x is not None]
    elements = sum(x.size for x in arrays)
    first, last = (arrays[0], arrays[-1]) if arrays else (np.zeros(0), np.zeros(0))
    if node.op in _BROADCAST:
        elements = math.prod(_broadcast([x.shape for x in arrays]))
    elif node.op == "ConstantOfShape":
        elements = math.prod(_dims(first))
    elif node.op == "Expand":
        elements = math.prod(_broadcast([first.shape, tuple(_dims(last))]))
    elif node.op == "Tile":
        elements = first.size * math.prod(_dims(last))
    elif node.op == "Range" and len(arrays) == 3 and all(x.size == 1 for x in arrays):
        start, limit, step = (float(x.item()) for x in arrays)
        count = (limit - start) / step if step else math.inf
        elements = max(int(min(count, 2.0**60)) + 1, 0) if count == count else 0
    elif node.op == "Gather" and first.ndim:
        axis = int(node.attrs.get("axis", 0))
        rows = first.shape[axis] if -first.ndim <= axis < first.ndim else 1
        elements = last.size * (first.size // max(rows, 1))
    elif node.op == "MatMul" and first.ndim and last.ndim:
        common = max(first.shape[-1], 1)  # at least: each row of the one by each column of the other, of every batch
        elements = (first.size // common + 1) * (last.size // common + 1)
    elif node.op == "Unsqueeze":
        elements = first.size
    return elements * _ITEM_BYTES


def _dims(x: Array) -> list[int]:
    """The numbers of a shape operand; negative ones and what is no number are the evaluator's to refuse."""
    if x.dtype.kind not in "iuf" or x.size > 64 or not np.isfinite(x).all():
        return [1 << 60] if x.size > 64 else [1]
    return [max(int(d), 0) for d in x.ravel()]


def _broadcast(shapes: Sequence[Sequence[int]]) -> list[int]:
    """The dimensions of operands under each other; the largest where they do not fit."""
    rank = max(map(len, shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return [0 if 0 in column else max(column) for column in zip(*padded, strict=True)]


def fold(node: FileNode, inputs: Sequence[Array | None], opset: int, at: str) -> list[Array]:
    """The outputs of a node whose inputs are all constants."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    given = {name: value for name, value in zip(node.inputs, inputs, strict=True) if value is not None}
    unknown = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in (*given, *node.outputs)]
    graph = helper.make_graph([node.proto], "fold", unknown[: len(given)], unknown[len(given) :])
    try:
        evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
        with np.errstate(all="ignore"):
            results = [np.asarray(value) for value in evaluator.run(None, given)]
    except Exception as error:
        if is_ours(error):
            raise
        line = " ".join(str(error).split())[:200]
        raise ModelError(f"cannot be computed from its constants ({type(error).__name__}: {line})", where=at) from error
    if any(r.dtype.kind not in "biuf" for r in results):
        raise ModelError(f"computes constants of type {results[0].dtype}; supported: numbers", where=at)
    return results
