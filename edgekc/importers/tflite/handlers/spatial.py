"""Resized images, and products of activations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ....errors import ModelError
from ....graph.ir import AttrValue, Node, Tensor
from ..builder import Builder, Handler, graph_shape, node_name
from ..file import FileOperator
from .common import activation, signs


def _resize(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        x = b.operand(op, 0, "input")
        shape, size = b.tensors[x].shape, b.ints(op, 1, "size")
        if len(shape) != 4:
            raise b.unsupported(op, f"input of shape {list(shape)}", "4 dimensions, NHWC")
        if len(size) != 2 or min(size) < 1:
            raise ModelError(f"size {size}, expected a height and a width", where=b.at(op))
        attrs = {"align_corners": int(bool(op.options["AlignCorners"]))}
        attrs["half_pixel_centers"] = int(bool(op.options["HalfPixelCenters"]))
        signed = signs(b, op) if kind == "resize_bilinear" else {}
        b.add(op, kind, (x,), {**attrs, **signed}, (shape[0], *size, shape[3]))

    return handler


def add_shaped(
    b: Builder, op: FileOperator, kind: str, inputs: tuple[str, ...], attrs: Mapping[str, AttrValue],
    graph: tuple[int, ...], file: tuple[int, ...],
) -> None:  # fmt: skip
    """A node whose output has one shape in the graph, and one that the graph may see otherwise in the file."""
    if graph_shape(file) == graph:
        b.add(op, kind, inputs, attrs, file)
        return
    name, out = f"{node_name(op)}_rows", b.file_output(op)
    b.tensors[name] = Tensor(name, graph, out.dtype, out.quant)
    b.nodes.append(Node(kind, name, inputs, (name,), dict(attrs)))
    b.add(op, "reshape", (name,), {}, file)


def _matrices(b: Builder, op: FileOperator, name: str, what: str, rank: int) -> str:
    """An operand with ones behind the batch, up to a rank of `rank`."""
    shape = b.tensors[name].shape
    return b.view(op, what, name, (shape[0], *(1,) * (rank - len(shape)), *shape[1:]))


def _batch_matmul(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "x", rowwise=True)
    y = b.operand(op, 1, "y", rowwise=True, may_be_constant=True)
    attrs = {"adj_x": int(bool(op.options["AdjX"])), "adj_y": int(bool(op.options["AdjY"]))}
    left, right = b.file_shape(x), b.file_shape(y)
    if min(len(left), len(right)) < 2:
        raise b.unsupported(op, f"matrices of shapes {list(left)} and {list(right)}", "two dimensions or more")
    rows, columns = left[-1 if attrs["adj_x"] else -2], right[-2 if attrs["adj_y"] else -1]
    try:
        file = (*np.broadcast_shapes(left[:-2], right[:-2]), rows, columns)
    except ValueError:
        raise ModelError(
            f"matrices of shapes {list(left)} and {list(right)} do not broadcast", where=b.at(op)
        ) from None
    if b.tensors[y].data is not None:
        b.add(op, "batch_matmul", (x, y), attrs, file)
        return
    rank = max(3, *(len(b.tensors[t].shape) for t in (x, y)))
    x, y = _matrices(b, op, x, "x", rank), _matrices(b, op, y, "y", rank)
    others = zip(b.tensors[x].shape[1:-2], b.tensors[y].shape[1:-2], strict=True)
    graph = (1, *(max(pair) for pair in others), rows, columns)
    add_shaped(b, op, "batch_matmul", (x, y), attrs, graph, file)


def has_computed_weights(b: Builder, op: FileOperator) -> bool:
    """Whether the weights of FULLY_CONNECTED are an activation."""
    return len(op.inputs) > 1 and op.inputs[1] in b.names


def dynamic_fully_connected(b: Builder, op: FileOperator) -> None:
    x, w = b.operand(op, 0, "input", rowwise=True), b.operand(op, 1, "weights", rowwise=True)
    units, depth = (*b.file_shape(w), 0, 0)[:2]
    values = math.prod(b.tensors[x].shape)
    if len(b.file_shape(w)) != 2 or values % depth:
        shapes = f"{list(b.file_shape(x))} by weights {list(b.file_shape(w))}"
        raise ModelError(f"an input of shape {shapes}", where=b.at(op))
    if len(op.inputs) > 2 and op.inputs[2] >= 0:
        raise b.unsupported(op, "a bias beside weights that are computed at run time", "none")
    rows = values // depth
    keep = op.options["KeepNumDims"] and b.file_shape(x)[-1] == depth
    file = (*b.file_shape(x)[:-1], units) if keep else (rows, units)
    operands = b.view(op, "x", x, (1, rows, depth)), b.view(op, "w", w, (1, units, depth))
    attrs = {"activation": activation(b, op)}
    add_shaped(b, op, "dynamic_fully_connected", operands, attrs, (1, rows, units), file)


HANDLERS: dict[str, Handler] = {
    "BATCH_MATMUL": _batch_matmul,
    "RESIZE_BILINEAR": _resize("resize_bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("resize_nearest"),
}
