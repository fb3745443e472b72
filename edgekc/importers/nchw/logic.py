"""Comparisons, choices by their answers, what is largest, and rows by whole numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...graph.ir import Array, Role
from ...ops.shared.floats import LOWEST
from .. import order as od
from ..builder import Builder
from ..order import Shape
from ..value import Value, constant_value, elements, real
from .elements import binary, broadcast, number, pair, unary
from .moves import axis_of, reshape, transpose

_TURNED = {"less": "greater", "less_equal": "greater_equal", "greater": "less", "greater_equal": "less_equal"}
_PAIRS = (("less", "greater_equal"), ("greater", "less_equal"), ("equal", "not_equal"))
_OPPOSITE = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}


def compare(b: Builder, relation: str, x: Value, y: Value) -> Value:
    """1 where the relation holds, else 0."""
    if x.data is not None:
        x, y, relation = y, x, _TURNED.get(relation, relation)
    return pair(b, "compare", x, y, {"relation": relation})


def where(b: Builder, condition: Value, x: Value, y: Value) -> Value:
    """`x` where the condition is not 0, else `y`."""
    shape = broadcast(b, broadcast(b, condition.shape, x.shape), y.shape)
    if condition.data is not None:
        return _masked(b, np.broadcast_to(condition.data != 0, shape), x, y)
    x, y = (_finite(v) for v in (x, y))
    rank = len(shape)
    parts = [
        replace(v, shape=(1,) * (rank - len(v.shape)) + v.shape) if v.data is None else v for v in (condition, x, y)
    ]
    computed = [v for v in parts if v.data is None]
    if rank == 4 and any(v.order == od.nhwc(v.shape) and not v.order.plain for v in computed):
        stored, order = (shape[0], *shape[2:], shape[1]), od.nhwc(shape)
        names = [b.nhwc(v) if v.data is None else None for v in parts]
        turn: tuple[int, ...] = (0, 2, 3, 1)
    elif rank == 3 and shape[0] == 1 and any(v.order == od.nwc(v.shape) and not v.order.plain for v in computed):
        stored, order = (1, 1, shape[2], shape[1]), od.nwc(shape)
        names = [_row(b, v) if v.data is None else None for v in parts]
        turn = (0, 2, 1)
    else:
        stored, order = shape if shape[:1] == (1,) else (1, *shape), od.plain(shape)
        names = [b.stored(b.plain(v), (1,) * (len(stored) - rank) + v.shape) if v.data is None else None for v in parts]
        turn = tuple(range(rank))
    name = b.node_name("select", "")
    inputs = []
    for what, found, value in zip(("condition", "a", "b"), names, parts, strict=True):
        if found is None:
            assert value.data is not None
            data = real(value).reshape((1,) * (rank - value.data.ndim) + value.data.shape).transpose(turn)
            found = b.const(f"{name}/{what}", data.reshape((1,) * (len(stored) - rank) + data.shape), Role.WEIGHTS)
        inputs.append(found)
    return b.emit("select", tuple(inputs), {}, stored, shape, order, name)


def _row(b: Builder, x: Value) -> str:
    """An image of one row."""
    return b.stored(b.ordered(x, od.nwc(x.shape)), (1, 1, x.shape[2], x.shape[1]))


def _finite(x: Value) -> Value:
    if x.data is None or x.data.dtype.kind != "f" or np.isfinite(x.data).all():
        return x
    return constant_value(np.where(np.isneginf(x.data), LOWEST, x.data), x.source)


def _masked(b: Builder, mask: Array, x: Value, y: Value) -> Value:
    """By a constant condition: a product with 0 and 1, and a sum; what is far below all scores is only added."""

    def kept(value: Value, where_: Array) -> Value:
        return binary(b, "mul", value, constant_value(where_.astype(np.float32), ""))

    if x.data is not None:
        x, y, mask = y, x, ~mask
    if y.data is None or x.data is not None:
        return binary(b, "add", kept(x, mask), kept(y, ~mask))
    added = np.where(mask, 0.0, real(_finite(y)))
    x = x if (added[~mask] <= LOWEST).all() else kept(x, mask)
    return binary(b, "add", x, constant_value(added, y.source))


def logical_and(b: Builder, x: Value, y: Value) -> Value:
    """Of true and false: the second where the first is true."""
    if x.data is not None:
        x, y = y, x
    return where(b, x, _truth(y), number(0.0))


def logical_or(b: Builder, x: Value, y: Value) -> Value:
    if x.data is not None:
        x, y = y, x
    return where(b, x, number(1.0), _truth(y))


def _truth(x: Value) -> Value:
    return x if x.data is None else constant_value((x.data != 0).astype(np.float32), x.source)


def logical_not(b: Builder, x: Value) -> Value:
    """The comparison that made it, the other way round; of any other, whether it is 0."""
    node = next((node for node in b.nodes if node.outputs == (x.name,)), None)
    if node is None or node.op != "compare":
        return compare(b, "equal", x, number(0.0))
    relation = _OPPOSITE[str(node.attrs["relation"])]
    stored = b.tensors[x.name].shape
    return b.emit("compare", node.inputs, {"relation": relation}, stored, x.shape, x.order)


def truth_of(b: Builder, x: Value) -> Value:
    """Real numbers as true and false: whether they are not 0."""
    node = next((node for node in b.nodes if node.outputs == (x.name,)), None)
    if node is not None and (node.op == "compare" or node.op == "select"):
        return x
    return compare(b, "not_equal", x, number(0.0))


def sign(b: Builder, x: Value) -> Value:
    """1 above 0, -1 below it, and 0."""
    zero = number(0.0)
    return binary(b, "sub", compare(b, "greater", x, zero), compare(b, "less", x, zero))


def top_k(b: Builder, x: Value, count: int, axis: int, largest: bool, read: tuple[bool, bool]) -> list[Value | None]:
    """The largest or smallest values along an axis in order, and their places, as far as they are read."""
    rank = len(x.shape)
    axis = axis_of(b, rank, axis)
    if not 1 <= count <= x.shape[axis]:
        raise b.wrong(f"the {count} largest of {x.shape[axis]} values")
    last = [*(i for i in range(rank) if i != axis), axis]
    x = b.plain(transpose(b, x if largest else unary(b, "neg", x), last))
    lead = x.shape[:-1]
    stored = x.shape if lead[:1] == (1,) else (1, *x.shape)
    name, shape = b.stored(x, stored), (*lead, count)
    found: list[Value | None] = []
    for op, wanted in zip(("top_k", "top_k_places"), read, strict=True):
        if not wanted:
            found.append(None)
            continue
        out = b.emit(op, (name,), {"count": count}, (*stored[:-1], count), shape, od.plain(shape))
        out = out if largest or op == "top_k_places" else unary(b, "neg", out)
        out = transpose(b, out, np.argsort(last).tolist())
        found.append(replace(out, whole=True) if op == "top_k_places" else out)
    return found


def embedding(b: Builder, rows: Value, numbers: Value) -> Value:
    """Rows (count, ...) of a constant by whole numbers: of shape (*numbers, ...)."""
    if rows.data is None:
        raise b.unsupported("rows that are computed at run time", "constants")
    count, *inner = rows.shape
    if elements(tuple(inner)) < 1 or count < 1:
        raise b.wrong(f"rows of shape {list(rows.shape)}")
    numbers = b.plain(numbers)
    stored: Shape = numbers.shape if numbers.shape[:1] == (1,) else (1, *numbers.shape)
    name = b.node_name("embedding", rows.source)
    table = b.const(f"{name}/rows", real(rows).reshape(count, -1), Role.WEIGHTS, source=rows.source)
    width = elements(tuple(inner))
    shape = (*numbers.shape, width)
    inputs = (b.stored(numbers, stored), table)
    out = b.emit("embedding", inputs, {}, (*stored, width), shape, od.plain(shape), name)
    return reshape(b, out, (*numbers.shape, *inner))
