"""Operators over axes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....errors import ModelError
from ....graph.ir import Node, Role, Tensor, constant
from ....ops.arg_max import COUNTS
from ..builder import Builder, Handler, node_name
from ..file import FileOperator
from .common import Attrs, activation, axes_of, plain, signs, text
from .spatial import add_shaped


def reduction(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        """Axes are those of the file's shape, in front of which the graph may have one more."""
        x = b.operand(op, 0, "input", rowwise=True)
        shape, ahead = b.tensors[x].shape, int(x in b.rows)
        axes = [a + ahead for a in axes_of(b, op, len(b.file_shape(x)))]
        if not axes or axes[0] == 0:
            raise b.unsupported(op, f"axes {axes} of shape {list(shape)}", "axes behind the batch")
        keep = int(bool(op.options["KeepDims"]))
        attrs: Attrs = {"axes": ",".join(map(str, axes)), "keep_dims": keep}
        reduced = tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes)
        if ahead:
            add_shaped(b, op, kind, (x,), attrs, reduced, reduced[1:])
        else:
            b.add(op, kind, (x,), attrs)

    return handler


def _reduce_max(b: Builder, op: FileOperator) -> None:
    """A maximum over an image is a pooling window as large as it."""
    x = b.operand(op, 0, "input", rowwise=True)
    shape = b.tensors[x].shape
    axes = axes_of(b, op, len(b.file_shape(x)))
    real = b.tensors[x].dtype == "float32"  # of which there are no pools
    if real or x in b.rows or len(shape) not in (3, 4) or not axes or axes[0] == 0 or axes[-1] == len(shape) - 1:
        reduction("reduce_max")(b, op)
        return
    image = (*shape[:-1], 1, shape[-1]) if len(shape) == 3 else shape
    window = [image[a] if a in axes else 1 for a in (1, 2)]
    pooled = Tensor(f"{node_name(op)}_pool", (1, image[1] // window[0], image[2] // window[1], image[3]), "int8")
    attrs = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    attrs |= {"filter_h": window[0], "filter_w": window[1]}
    source = b.view(op, "image", x, image)
    b.tensors[pooled.name] = replace(pooled, quant=b.tensors[x].quant)
    b.nodes.append(Node("max_pool", pooled.name, (source,), (pooled.name,), {**attrs, "activation": "none"}))
    keep = bool(op.options["KeepDims"])
    out = tuple(1 if a in axes else d for a, d in enumerate(shape) if keep or a not in axes)
    b.add(op, "reshape", (pooled.name,), {}, out)


def _l2_normalize(b: Builder, op: FileOperator) -> None:
    if (kind := activation(b, op)) != "none":
        raise b.unsupported(op, f"a fused {kind}", "no fused activation")
    plain("l2_normalize", **signs(b, op))(b, op)


def _place(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        """Places are int32 in the graph, also where they are int64 in the file."""
        x = b.operand(op, 0, "input")
        rank, axes = len(b.tensors[x].shape), b.ints(op, 1, "axis")
        if len(axes) != 1 or not -rank <= axes[0] < rank or axes[0] % rank == 0:
            raise b.unsupported(op, f"axis {axes} in {rank} dimensions", "one axis behind the batch")
        b.add(op, kind, (x,), {"axis": axes[0] % rank})
        (name,) = b.nodes[-1].outputs
        b.tensors[name] = replace(b.tensors[name], dtype="int32", quant=COUNTS)

    return handler


_LONGEST = 512  # of a running sum: so many rows of so many weights


def _running_sum(b: Builder, op: FileOperator) -> None:
    """A layer whose weights are a triangle of ones, along the last axis: its sums have LiteRT's order."""
    x = b.operand(op, 0, "input", rowwise=True)
    shape, ahead = b.tensors[x].shape, int(x in b.rows)
    rank, axes = len(b.file_shape(x)), b.ints(op, 1, "axis")
    if len(axes) != 1 or not -rank <= axes[0] < rank:
        raise ModelError(f"axis {axes} of {rank} dimensions", where=b.at(op))
    axis, stated = axes[0] % rank + ahead, b.file_shape(x) if ahead or x in b.unstated else None
    size, reverse = shape[axis], bool(op.options["Reverse"])
    if size > _LONGEST:
        raise b.unsupported(op, f"a running sum of {size} values", f"up to {_LONGEST}, each takes a row of weights")
    last = len(shape) - 1
    order = [*(a for a in range(len(shape)) if a != axis), axis]
    turned = tuple(shape[a] for a in order)
    if axis != last:
        x = b.inner(op, "turned", "transpose", (x,), {"perm": text(order)}, turned)
    if reverse:  # the sums begin at the end
        begins, steps = [0] * last + [size - 1], [1] * last + [-1]
        attrs: Attrs = {"begins": text(begins), "sizes": text(turned), "strides": text(steps)}
        x = b.inner(op, "reversed", "strided_slice", (x,), attrs, turned)
    ones = np.tri(size, k=-int(bool(op.options["Exclusive"])), dtype=np.float32)
    name = node_name(op)
    weights = constant(f"{name}/weights", ones[::-1] if reverse else ones, Role.WEIGHTS)
    bias = constant(f"{name}/bias", np.zeros(size, np.float32), Role.BIAS)
    b.tensors.update({t.name: t for t in (weights, bias)})
    inputs = (x, weights.name, bias.name)
    if axis == last:
        b.add(op, "fully_connected", inputs, {"activation": "none"}, stated)
        return
    sums = b.inner(op, "sums", "fully_connected", inputs, {"activation": "none"}, turned)
    back = [order.index(a) for a in range(len(shape))]
    b.add(op, "transpose", (sums,), {"perm": text(back)}, stated)


FLOAT_ONLY: dict[str, Handler] = {"CUMSUM": _running_sum}
HANDLERS: dict[str, Handler] = {
    "MEAN": reduction("mean"),
    "SUM": reduction("sum"),
    "REDUCE_MAX": _reduce_max,
    "L2_NORMALIZATION": _l2_normalize,
    "ARG_MAX": _place("arg_max"),
    "ARG_MIN": _place("arg_min"),
    "LOG_SOFTMAX": plain("log_softmax"),
    "REDUCE_MIN": reduction("reduce_min"),
    "REDUCE_PROD": reduction("reduce_prod"),
}
