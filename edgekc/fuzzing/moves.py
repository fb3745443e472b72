"""Layers of random networks without weights: element by element, over axes, tables, moves, and arithmetic on shapes."""

from __future__ import annotations

import math

import numpy as np

from ..graph.ir import Quant, Role, Tensor, constant
from .layers import MOST, PROBABILITY, SIGNED_UNIT, Builder, Layer
from .values import f32, quant, tensor

BROADCASTS = ("all", "channel", "vector", "value", "map", "row", "column")


def is_single(x: Tensor) -> bool:
    """Whether the first axis is a batch of one, as most operators demand."""
    return x.shape[0] == 1 and len(x.shape) > 1


def small_shape(b: Builder, x: Tensor) -> tuple[int, ...]:
    """A shape that broadcasts to that of `x`."""
    kind = b.rng.choice(BROADCASTS) if len(x.shape) == 4 else b.rng.choice(["all", "channel", "vector", "value"])
    c = x.shape[-1]
    ones = (1,) * (len(x.shape) - 1)
    return {
        "all": tuple(x.shape), "channel": (*ones, c), "vector": (c,), "value": () if b.chance(0.5) else (1,),
        "map": (*x.shape[:-1], 1), "row": (*x.shape[:1], 1, *x.shape[2:]), "column": (*x.shape[:2], 1, *x.shape[3:]),
    }[str(kind)]  # fmt: skip


def binary_quant(b: Builder, op: str, p: Quant, q: Quant) -> Quant | None:
    """The output's quantisation: usual, or as far from the inputs' as LiteRT's shifts allow."""
    whole = p.scale + q.scale if op == "add" else float(np.float32(p.scale) * np.float32(q.scale)) * 128
    factor = 2.0 ** b.rng.uniform(-8, 20) if b.extreme and b.chance(0.3) else b.rng.uniform(0.2, 2.0)
    scale = f32(min(max(whole * factor, 1e-9), 1e3))
    most = max(p.scale, q.scale) / scale if op == "add" else whole / 128 / scale
    return Quant((scale,), (b.zero(),)) if most < (2.0**17 if op == "add" else 2.0**13) else None


def binary(b: Builder, x: Tensor) -> Tensor | None:
    """ADD or MUL: with an activation of the same or a broadcast shape, itself, or a constant on either side."""
    if not is_single(x):
        return None
    op = "add" if b.chance(0.6) else "mul"
    if b.chance(0.4):
        shape = small_shape(b, x)
        data = b.rng.integers(-128, 128, shape).astype(np.int8)
        y: Tensor | None = constant(f"{b.name(op)}/k", data, Role.WEIGHTS, b.quant())
    else:
        y = b.partner(lambda t: is_single(t) and broadcasts_to(t, x))
    if y is None or (q := binary_quant(b, op, x.q, y.q)) is None:
        return None
    inputs = [y, x] if b.chance(0.3) else [x, y]
    return b.emit(op, {"activation": b.activation(q)}, inputs, b.new(op, x.shape, q))


def broadcasts_to(small: Tensor, x: Tensor) -> bool:
    return len(small.shape) == len(x.shape) and all(a in (1, d) for a, d in zip(small.shape, x.shape, strict=True))


def gate(b: Builder, x: Tensor) -> Tensor | None:
    """A squeeze-and-excitation block: a mean, a logistic, and a product that broadcasts."""
    if len(x.shape) != 4 or (mean := _mean(b, x, "1,2", 1)) is None or (gate := logistic(b, mean)) is None:
        return None
    q = binary_quant(b, "mul", x.q, gate.q)
    inputs = [x, gate] if b.chance(0.5) else [gate, x]
    return None if q is None else b.emit("mul", {"activation": "none"}, inputs, b.new("mul", x.shape, q))


def _mean(b: Builder, x: Tensor, axes: str, keep: int) -> Tensor | None:
    reduced = {int(a) for a in axes.split(",")}
    shape = tuple(1 if i in reduced else d for i, d in enumerate(x.shape) if keep or i not in reduced)
    q = x.q
    if b.chance(0.6):
        factor = 2.0 ** b.rng.uniform(-6, 12) if b.extreme else b.rng.uniform(0.3, 2.0)
        q = Quant((f32(min(max(x.q.scale / factor, 1e-9), 1e3)),), (b.zero(),))
    return b.emit("mean", {"axes": axes, "keep_dims": keep}, [x], b.new("mean", shape, q))


def mean(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x) or len(x.shape) not in (3, 4):
        return None
    axes = str(b.rng.choice(["1,2", "2,1", "1", "2"])) if len(x.shape) == 4 else "1"
    return _mean(b, x, axes, b.between(0, 1))


def reduce_max(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x) or len(x.shape) not in (3, 4):
        return None
    axes = str(b.rng.choice(["1,2", "1", "2"])) if len(x.shape) == 4 else "1"
    keep, reduced = b.between(0, 1), {int(a) for a in axes.split(",")}
    shape = tuple(1 if i in reduced else d for i, d in enumerate(x.shape) if keep or i not in reduced)
    return b.emit("reduce_max", {"axes": axes, "keep_dims": keep}, [x], b.new("reduce_max", shape, x.q))


# ---- tables ---------------------------------------------------------------------------------------------


def rescaled(b: Builder, q: Quant) -> Quant:
    """Another quantisation, of a ratio to that one which LiteRT's shifts hold."""
    factor = 2.0 ** b.rng.uniform(-20, 20) if b.extreme and b.chance(0.5) else b.rng.uniform(0.3, 3.0)
    scale = f32(min(max(q.scale * factor, 1e-9), 1e3))
    return Quant((scale,), (b.zero(),)) if q.scale / scale < 2.0**21 else q


def relu(b: Builder, x: Tensor) -> Tensor | None:
    """Alone, with the scale of its input (so that it can be folded) or another."""
    q = x.q if b.chance(0.4) else rescaled(b, x.q)
    kinds = ["relu", "relu6", "relu_n1_to_1"] if 6 / q.scale < 2.0**30 else ["relu"]
    return b.emit("relu", {"activation": str(b.rng.choice(kinds))}, [x], b.new("relu", x.shape, q))


def requantise(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("quantize", {}, [x], b.new("quantize", x.shape, rescaled(b, x.q)))


def logistic(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("logistic", {}, [x], b.new("logistic", x.shape, PROBABILITY))


def tanh(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("tanh", {}, [x], b.new("tanh", x.shape, SIGNED_UNIT))


def softmax(b: Builder, x: Tensor) -> Tensor | None:
    beta = f32(float(b.rng.choice([1.0, 0.5, 2.5])))
    if x.shape[-1] > 400 or beta * x.q.scale * 2.0**26 <= 1:
        return None
    return b.emit("softmax", {"beta": beta}, [x], b.new("softmax", x.shape, PROBABILITY))


# ---- moves ----------------------------------------------------------------------------------------------


def pad(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x):
        return None
    kinds = [1, 1, 0] if len(x.shape) == 4 and b.chance(0.7) else [1] * (len(x.shape) - 1)  # channels at times
    pads = [(0, 0)] + [(b.between(0, 2), b.between(0, 2)) if k else (0, 0) for k in kinds]
    shape = [d + before + after for d, (before, after) in zip(x.shape, pads, strict=True)]
    if math.prod(shape) > MOST:
        return None
    op = "pad" if b.chance(0.6) else "padv2"
    attrs = {"pads": ",".join(str(v) for pair in pads for v in pair)}
    return b.emit(op, dict(attrs), [x], b.new(op, shape, x.q))


def concat(b: Builder, x: Tensor) -> Tensor | None:
    """With activations of its rank; a requantisation brings each to the scale of `x`."""
    if not is_single(x):
        return None
    axis, parts = b.between(1, len(x.shape) - 1), [x]
    for _ in range(b.between(1, 3) if b.chance(0.8) else b.between(4, 8)):
        t = b.partner(lambda t: is_single(t) and _alike(t, x, axis))
        if t is None or sum(math.prod(p.shape) for p in (*parts, t)) > MOST:
            break
        if t.quant != x.quant:
            if t.q.scale / x.q.scale >= 2.0**21:
                continue
            t = b.emit("quantize", {}, [t], b.new("quantize", t.shape, x.q))
        parts.append(t)
    order = [parts[i] for i in b.rng.permutation(len(parts))]
    shape = [sum(p.shape[i] for p in parts) if i == axis else d for i, d in enumerate(x.shape)]
    stated = axis if b.chance(0.5) else axis - len(shape)
    return b.emit("concat", {"axis": stated, "activation": "none"}, order, b.new("concat", shape, x.q))


def _alike(t: Tensor, x: Tensor, axis: int) -> bool:
    if len(t.shape) != len(x.shape):
        return False
    return all(i == axis or a == d for i, (a, d) in enumerate(zip(t.shape, x.shape, strict=True)))


def factors_of(b: Builder, count: int, rank: int) -> list[int]:
    """`count` as a product of `rank` sizes."""
    sizes = []
    for _ in range(rank - 1):
        sizes.append(int(b.rng.choice([d for d in range(1, count + 1) if count % d == 0])))
        count //= sizes[-1]
    return [*sizes, count]


def reshape(b: Builder, x: Tensor) -> Tensor | None:
    """To any rank; or to rows, which only some operators take."""
    count = math.prod(x.shape)
    shape = (1, *factors_of(b, count, b.between(1, 3)))
    if b.chance(0.2) and len(x.shape) > 2:
        shape = (count // x.shape[-1], x.shape[-1])
    return b.emit("reshape", {}, [x], b.new("reshape", shape, x.q))


def expand_dims(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x) or len(x.shape) > 3:
        return None
    axis = b.between(1, len(x.shape))
    shape = (*x.shape[:axis], 1, *x.shape[axis:])
    stated = axis if b.chance(0.5) else axis - len(x.shape) - 1
    return b.emit("expand_dims", {"axis": stated}, [x], b.new("expand_dims", shape, x.q))


def squeeze(b: Builder, x: Tensor) -> Tensor | None:
    ones = [i for i, d in enumerate(x.shape) if i and d == 1]
    if not is_single(x) or not ones or len(x.shape) < 3:
        return None
    axes = ones[: b.between(1, min(len(ones), len(x.shape) - 2))]
    shape = [d for i, d in enumerate(x.shape) if i not in axes]
    return b.emit("squeeze", {"axes": ",".join(map(str, axes))}, [x], b.new("squeeze", shape, x.q))


def computed_reshape(b: Builder, x: Tensor) -> Tensor | None:
    """What a free batch size makes of a flattening: the target is packed from SHAPE and numbers."""
    if not is_single(x):
        return None

    def numbers(name: str, values: list[int] | int) -> Tensor:
        data = np.asarray(values, np.int32)
        return Tensor(f"{b.name(name)}/{len(b.read)}", data.shape, "int32", data=data)

    size = b.emit("shape", {}, [x], Tensor(b.name("shape"), (len(x.shape),), "int32"), live=False)
    bounds = [Tensor(f"{b.name('slice')}/{i}", (1,), "int32", data=np.array([v], np.int32)) for i, v in enumerate((0, 1, 1))]  # fmt: skip  # noqa: E501
    batch = b.emit("strided_slice", {}, [size, *bounds], Tensor(b.name("slice"), (), "int32"), live=False)
    rest = numbers("rest", math.prod(x.shape))
    target = b.emit("pack", {}, [batch, rest], Tensor(b.name("pack"), (2,), "int32"), live=False)
    return b.emit("reshape", {}, [x, target], b.new("reshape", (1, math.prod(x.shape)), x.q))


# ---- the edges of the network ---------------------------------------------------------------------------


def input_cast(b: Builder, name: str, shape: tuple[int, ...]) -> Tensor:
    """An input that an application gives as float32, or as uint8, and the QUANTIZE behind it; returns the input."""
    q = b.quant()
    if b.chance(0.5):
        source = Tensor(name, shape, "float32")
    else:
        source = tensor(name, shape, quant(q.scale, q.zero_point + 128), "uint8")
    b.emit("quantize", {}, [source], b.new("quantize", shape, q))
    return source


def output_cast(b: Builder, x: Tensor) -> Tensor:
    """An output given as float32 or as uint8."""
    if b.chance(0.5):
        return b.emit("dequantize", {}, [x], Tensor(b.name("dequantize"), x.shape, "float32"), live=False)
    q = quant(rescaled(b, x.q).scale, b.zero("uint8"))
    return b.emit("quantize", {}, [x], b.new("quantize", x.shape, q, "uint8"), live=False)


LAYERS: dict[Layer, float] = {
    binary: 3, gate: 0.7, mean: 1, reduce_max: 0.6, relu: 1.2, requantise: 0.7, logistic: 0.6, tanh: 0.5, softmax: 0.7,
    pad: 1.2, concat: 1.6, reshape: 0.8, expand_dims: 0.5, squeeze: 0.7, computed_reshape: 0.4,
}  # fmt: skip
