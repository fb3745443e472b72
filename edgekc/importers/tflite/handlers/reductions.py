"""Operators over axes."""

from __future__ import annotations

from dataclasses import replace

from ....graph.ir import Node, Tensor
from ..builder import Builder, Handler, node_name
from ..file import FileOperator
from .common import axes_of


def _mean(b: Builder, op: FileOperator) -> None:
    x = b.operand(op, 0, "input")
    axes = axes_of(b, op, len(b.tensors[x].shape))
    b.add(op, "mean", (x,), {"axes": ",".join(map(str, axes)), "keep_dims": int(bool(op.options["KeepDims"]))})


def _reduce_max(b: Builder, op: FileOperator) -> None:
    """A global maximum is a pooling window as large as the image."""
    x = b.operand(op, 0, "input")
    shape = b.tensors[x].shape
    axes = axes_of(b, op, len(shape))
    if len(shape) not in (3, 4) or not axes or axes[0] == 0 or axes[-1] == len(shape) - 1:
        raise b.unsupported(op, f"the maximum over axes {axes} of shape {list(shape)}", "axes of height and width")
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


HANDLERS: dict[str, Handler] = {
    "MEAN": _mean,
    "REDUCE_MAX": _reduce_max,
}
