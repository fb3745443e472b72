"""Comparisons, what is computed of their answers, and choices by them."""

from __future__ import annotations

import numpy as np

from ....graph.ir import Array, Role, Tensor, constant
from ....ops.compare import RELATIONS
from ....ops.shared.floats import LARGEST
from ..builder import Builder, Handler, node_name
from ..file import FileOperator
from .common import aligned
from .reductions import reduction


def _comparison(relation: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        _check_truth(b, op)
        b.add(op, "compare", aligned(b, op, "ab"), {"relation": relation})

    return handler


def _of_truths(kind: str) -> Handler:
    """The smaller or the larger of 0 and 1; in float models a choice, which keeps the two apart in int8 too."""

    def handler(b: Builder, op: FileOperator) -> None:
        _check_truth(b, op, 0, 1)
        names = aligned(b, op, "ab")
        if not b.in_float:
            b.add(op, kind, names, {})
            return
        x, y = sorted(names, key=lambda name: b.tensors[name].data is not None)
        ends = constant(f"{node_name(op)}/end", np.full(1, kind == "maximum", np.float32), Role.WEIGHTS)
        b.tensors[ends.name] = ends
        b.add(op, "select", (x, y, ends.name) if kind == "minimum" else (x, ends.name, y), {})

    return handler


def _over_axes(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        _check_truth(b, op, 0)
        reduction(kind)(b, op)

    return handler


def _not(b: Builder, op: FileOperator) -> None:
    """Whether it is equal to 0."""
    _check_truth(b, op, 0)
    x = b.operand(op, 0, "input", rowwise=True)
    zero = constant(f"{node_name(op)}/b", np.zeros(1, b.tensors[x].dtype), Role.WEIGHTS, b.tensors[x].quant)
    b.tensors[zero.name] = zero
    b.add(op, "compare", (x, zero.name), {"relation": "equal"}, b.file_shape(x))


def _check_truth(b: Builder, op: FileOperator, *positions: int) -> None:
    """That the output is of type bool, and the inputs at these positions."""
    for t in (b.file_output(op), *(b.file_tensor(op, i, "input") for i in positions)):
        if t.index not in b.model.truths:
            raise b.unsupported(op, f"tensor {t.index} {t.name[:60]!r} has type {t.dtype}", "bool")


def _select(b: Builder, op: FileOperator) -> None:
    condition = b.file_tensor(op, 0, "condition")
    if condition.index not in b.model.truths:
        raise b.unsupported(op, f"condition (tensor {condition.index}) has type {condition.dtype}", "bool")
    names = aligned(b, op, ("condition", "a", "b"))
    if condition.data is None:
        b.add(op, "select", names, {})
    else:
        _masked(b, op, names[1], names[2], condition.data != 0)


def _masked(b: Builder, op: FileOperator, x: str, other: str, mask: Array) -> None:
    """By a constant condition, as attention has it: limits, which are one value where the constant is taken."""
    if (b.tensors[x].data is None) == (b.tensors[other].data is None):
        raise b.unsupported(op, "a constant condition of two activations or two constants", "one of each")
    if b.tensors[x].data is not None:
        x, other, mask = other, x, ~mask
    t, held = b.file_output(op), b.tensors[other]
    if b.in_float:
        _masked_reals(b, op, x, held, mask)
        return
    if not b.tensors[x].quant == held.quant == t.quant:
        raise b.unsupported(op, "inputs and output of different scales or zero points", "one scale")
    widest = (-128, 127) if held.dtype == "int8" else (-LARGEST, LARGEST)
    low, high = (np.where(mask, end, held.value).astype(held.dtype) for end in widest)
    ends = (("low", low), ("high", high))
    limits = [constant(f"{node_name(op)}/{name}", value, Role.WEIGHTS, t.quant) for name, value in ends]
    b.tensors.update({limit.name: limit for limit in limits})
    shape = np.broadcast_shapes(b.file_shape(x), low.shape)
    b.add(op, "minimum", (_raised(b, op, x, limits[0].name, shape), limits[1].name), {}, shape)


def _masked_reals(b: Builder, op: FileOperator, x: str, held: Tensor, mask: Array) -> None:
    """A product with 0 and 1, and a sum."""
    factor, added = mask.astype(np.float32), np.where(mask, np.float32(0), held.value)
    names = [f"{node_name(op)}/{what}" for what in ("kept", "added")]
    constants = (constant(name, v, Role.WEIGHTS) for name, v in zip(names, (factor, added), strict=True))
    b.tensors.update({t.name: t for t in constants})
    shape = np.broadcast_shapes(b.file_shape(x), factor.shape, added.shape)
    kept = b.inner(op, "kept", "mul", (x, names[0]), {"activation": "none"}, (1, *shape) if x in b.rows else shape)
    b.add(op, "add", (kept, names[1]), {"activation": "none"}, shape)


def _raised(b: Builder, op: FileOperator, x: str, low: str, shape: tuple[int, ...]) -> str:
    inside = (1, *shape) if x in b.rows else shape
    return b.inner(op, "raised", "maximum", (x, low), {}, inside)


HANDLERS: dict[str, Handler] = {
    **{name.upper(): _comparison(name) for name in RELATIONS},
    "LOGICAL_AND": _of_truths("minimum"),
    "LOGICAL_OR": _of_truths("maximum"),
    "LOGICAL_NOT": _not,
    "REDUCE_ANY": _over_axes("reduce_max"),
    "REDUCE_ALL": _over_axes("reduce_min"),
    "SELECT": _select,
    "SELECT_V2": _select,
}
