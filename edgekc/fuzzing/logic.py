"""Layers of random networks that compare, choose by the answers, and look up rows by places and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from ..graph.op import View
from ..ops.compare import RELATIONS, TRUTH
from .layers import Builder, Layer
from .moves import broadcasts_to, is_single, small_shape
from .pairs import constant_operand, other_operand
from .values import f32, tensor


def as_bytes(t: Tensor) -> Tensor:
    """A tensor of type bool as the graph has it."""
    if t.dtype != "bool":
        return t
    return replace(t, dtype="int8", quant=TRUTH, data=None if t.data is None else t.data.astype(np.int8))


def _truth(b: Builder, op: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(b.name(op), shape, "bool")


def compare(b: Builder, x: Tensor) -> Tensor | None:
    """With a constant or an activation; LiteRT takes scales below 1."""
    if not is_single(x) or (y := other_operand(b, "compare", x)) is None or max(x.q.scale, y.q.scale) >= 1:
        return None
    inputs = [y, x] if b.chance(0.4) else [x, y]
    attrs = {"relation": str(b.rng.choice(list(RELATIONS)))}
    return b.emit("compare", dict(attrs), inputs, _truth(b, "compare", tuple(x.shape)), live=False)


def _condition(b: Builder, x: Tensor) -> Tensor | None:
    """A comparison, or what is computed of one or two."""
    if (found := compare(b, x)) is None:
        return None
    kinds = ["one", "not", "and", "or", "any", "all"]
    kind = str(b.rng.choice(kinds, p=[0.14, 0.12, 0.25, 0.25, 0.12, 0.12]))
    if kind == "not":
        return b.emit("logical_not", {}, [found], _truth(b, "not", found.shape), live=False)
    if kind in ("and", "or") and (other := compare(b, x)) is not None:
        return b.emit(f"logical_{kind}", {}, [found, other], _truth(b, kind, found.shape), live=False)
    if kind in ("any", "all"):
        axis = b.between(1, len(x.shape) - 1)
        shape = tuple(1 if i == axis else d for i, d in enumerate(found.shape))
        attrs: dict[str, AttrValue] = {"axes": str(axis), "keep_dims": 1}
        return b.emit(f"reduce_{kind}", attrs, [found], _truth(b, kind, shape), live=False)
    return found


def select(b: Builder, x: Tensor) -> Tensor | None:
    """Of an activation and one of its scale, or a constant; of two constants; now and then by a constant."""
    if not is_single(x):
        return None
    if b.chance(0.2):
        return _masked(b, x)
    other = b.partner(lambda t: is_single(t) and broadcasts_to(t, x) and t.q == x.q)
    if other is None or b.chance(0.5):
        other = constant_operand(b, "select", small_shape(b, x), x.q)
    condition = _condition(b, x)
    if condition is None:
        return None
    if other.data is not None:  # named when the condition was not there
        other = constant(f"{b.name('select')}/k", other.value, Role.WEIGHTS, x.q)
    ends: list[Tensor] = [x, other]
    if other.data is not None and b.chance(0.2) and condition.shape == x.shape:
        ends = [constant(f"{b.name('select')}/{i}", _one(b), Role.WEIGHTS, x.q) for i in "ab"]
    ends = ends[::-1] if b.chance(0.5) else ends
    whole = all(t.shape == x.shape for t in (condition, *ends))
    op = "select_whole" if whole and b.chance(0.5) else "select"
    return b.emit(op, {}, [condition, *ends], b.new("select", x.shape, x.q))


def _one(b: Builder) -> Array:
    return b.rng.integers(-128, 128, ()).astype(np.int8)


def _masked(b: Builder, x: Tensor) -> Tensor | None:
    """By a constant, as causal attention has it."""
    shape = small_shape(b, x)
    mask = Tensor(f"{b.name('mask')}/m", shape, "bool", data=b.rng.integers(0, 2, shape).astype(bool))
    ends = [x, constant_operand(b, "mask", () if b.chance(0.5) else small_shape(b, x), x.q)]
    return b.emit("select", {}, [mask, *(ends[::-1] if b.chance(0.5) else ends)], b.new("mask", x.shape, x.q))


def counted(b: Builder, x: Tensor) -> Tensor | None:
    """The answers as numbers: a CAST to float, and QUANTIZE."""
    if (condition := _condition(b, x)) is None:
        return None
    value = Tensor(b.name("cast"), condition.shape, "float32")
    b.emit("cast", {}, [condition], value, live=False)
    return b.emit("quantize", {}, [value], b.new("quantize", condition.shape, b.quant()))


def one_hot(b: Builder, x: Tensor) -> Tensor | None:
    """Of the place of the largest value: true places and others are two bytes of any scale."""
    if not is_single(x) or x.shape[-1] > 12:
        return None
    shape = tuple(x.shape[:-1])
    if len(shape) < 2:
        return None
    place = b.emit("arg_max", {"axis": len(shape)}, [x], Tensor(b.name("arg_max"), shape, "int32"), live=False)
    name, depth, q = b.name("one_hot"), b.between(1, x.shape[-1] + 2), b.quant()
    ends = [constant(f"{name}/{end}", _one(b), Role.WEIGHTS, q) for end in ("on", "off")]
    size = Tensor(f"{name}/depth", (), "int32", data=np.array(depth, np.int32))
    return b.emit("one_hot", {}, [place, size, *ends], b.new("one_hot", (*shape, depth), q))


def embed(b: Builder, x: Tensor) -> Tensor | None:
    """As Keras writes an embedding: the input in float, whole numbers of it, and rows by those."""
    if len(x.shape) != 2 or x.shape[0] != 1 or x.shape[1] > 30:
        return None
    rows = b.between(1, 60)
    q = Quant((f32(max(rows - 1, 0.5) / 255),), (-128,))
    given, whole = b.emit("quantize", {}, [x], b.new("quantize", x.shape, q), live=False), b.chance(0.5)
    if not whole:  # EMBEDDING_LOOKUP takes a vector
        given = b.emit("reshape", {}, [given], b.new("reshape", x.shape[1:], q), live=False)
    real = b.emit("dequantize", {}, [given], Tensor(b.name("dequantize"), given.shape, "float32"), live=False)
    number = b.emit("cast", {}, [real], Tensor(b.name("cast"), given.shape, "int32"), live=False)
    q, name = b.quant(), b.name("embed")
    values = b.rng.integers(-128, 128, (rows, b.between(1, 6))).astype(np.int8)
    table = constant(f"{name}/rows", values, Role.WEIGHTS, q)
    op = "lookup" if whole else "embedding_lookup"
    return b.emit(op, {}, [number, table], b.new("embed", (*given.shape, values.shape[1]), q))


def top_k(b: Builder, x: Tensor) -> Tensor | None:
    """The largest values; now and then their places, which end a branch."""
    if not is_single(x):
        return None
    count, name = b.between(1, min(x.shape[-1], 5)), b.name("top_k")
    shape = (*x.shape[:-1], count)
    outs = (tensor(f"{name}_0", shape, x.q), Tensor(f"{name}_1", shape, "int32"))
    b.views.append(View(Node("top_k", name, (x.name,), tuple(t.name for t in outs), {"count": count}), (x,), outs))
    b.read.add(x.name)
    b.roots[outs[0].name] = outs[0].name
    b.live.append(outs[0])
    return outs[0]


LAYERS: dict[Layer, float] = {select: 1, counted: 0.6, one_hot: 0.5, embed: 1, top_k: 0.4}
