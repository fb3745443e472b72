"""Operators that put values into an order."""

from __future__ import annotations

from dataclasses import replace

from ....errors import ModelError
from ....ops.arg_max import COUNTS
from ..builder import Builder, Handler
from ..file import FileOperator


def _top_k(b: Builder, op: FileOperator) -> None:
    """A node for the values, and one for their places, where something reads them."""
    x = b.operand(op, 0, "input", rowwise=True)
    shape, count = b.file_shape(x), (b.ints(op, 1, "k") or [0])[0]
    if len(op.outputs) != 2 or not shape or not 1 <= count <= shape[-1]:
        raise ModelError(f"{len(op.outputs)} outputs with the {count} largest of shape {list(shape)}", where=b.at(op))
    if len(shape) == 1:
        raise b.unsupported(op, f"input of shape {list(shape)}", "a batch in front")
    read = {i for each in b.model.operators for i in each.inputs} | set(b.model.outputs)
    for places, index in enumerate(op.outputs):
        if index in read:
            kind = "top_k_places" if places else "top_k"
            b.add(op, kind, (x,), dict(count=count), (*shape[:-1], count), places)
            (name,) = b.nodes[-1].outputs
            if (b.tensors[name].dtype == "int32") != bool(places):
                raise ModelError(f"output {places} has type {b.tensors[name].dtype}", where=b.at(op))
            if places:
                b.tensors[name] = replace(b.tensors[name], quant=COUNTS)


HANDLERS: dict[str, Handler] = {"TOPK_V2": _top_k}
