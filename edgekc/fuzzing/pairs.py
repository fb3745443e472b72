"""Layers of random networks on two tensors, element by element, beside those of `random_moves.binary`."""

from __future__ import annotations

import numpy as np

from ..graph.ir import AttrValue, Quant, Role, Tensor, constant
from .layers import Builder, Layer
from .moves import binary_quant, broadcasts_to, is_single, rescaled, small_shape
from .values import f32, quant


def constant_operand(b: Builder, op: str, shape: tuple[int, ...], q: Quant, zero: bool = True) -> Tensor:
    """int8 values. `zero`: real zeros too."""
    data = b.rng.integers(-128, 128, shape)
    if not zero:
        data = np.where(data == q.zero_point, 100 if q.zero_point < 0 else -100, data)
    return constant(f"{b.name(op)}/k", data.astype(np.int8), Role.WEIGHTS, q)


def other_operand(b: Builder, op: str, x: Tensor) -> Tensor | None:
    """A constant or an activation that broadcasts to `x`."""
    if b.chance(0.5):
        return constant_operand(b, op, small_shape(b, x), b.quant())
    return b.partner(lambda t: is_single(t) and broadcasts_to(t, x))


def sub(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x) or (y := other_operand(b, "sub", x)) is None or (q := binary_quant(b, "add", x.q, y.q)) is None:
        return None
    inputs = [y, x] if b.chance(0.4) else [x, y]
    return b.emit("sub", {"activation": b.activation(q)}, inputs, b.new("sub", x.shape, q))


def squared_difference(b: Builder, x: Tensor) -> Tensor | None:
    if not is_single(x) or (y := other_operand(b, "squared_difference", x)) is None:
        return None
    whole = max(x.q.scale, y.q.scale) ** 2
    factor = 2.0 ** b.rng.uniform(-4, 20) if b.extreme else b.rng.uniform(20, 400)
    q = Quant((f32(min(max(whole * factor, 1e-9), 1e3)),), (b.zero(),))
    if whole / q.scale > 2.0**9:
        return None
    inputs = [y, x] if b.chance(0.4) else [x, y]
    return b.emit("squared_difference", {}, inputs, b.new("squared_difference", x.shape, q))


def _extremum(op: str) -> Layer:
    def layer(b: Builder, x: Tensor) -> Tensor | None:
        """With a constant of its scale, or an activation that is brought to it."""
        if not is_single(x):
            return None
        if b.chance(0.5):
            y: Tensor | None = constant_operand(b, op, small_shape(b, x), x.q)
        else:
            y = b.partner(lambda t: is_single(t) and broadcasts_to(t, x) and t.q.scale / x.q.scale < 2.0**21)
        if y is None:
            return None
        if y.quant != x.quant:
            y = b.emit("quantize", {}, [y], b.new("quantize", y.shape, x.q))
        return b.emit(op, {}, [y, x] if b.chance(0.4) else [x, y], b.new(op, x.shape, x.q))

    return layer


maximum, minimum = _extremum("maximum"), _extremum("minimum")


def quotient_quant(b: Builder, above: Quant, below: Quant) -> Quant | None:
    """Of the output: coarser ones make LiteRT shift by more than 31 bits, which C leaves undefined."""
    scale = f32(above.scale / below.scale / 2.0 ** b.rng.uniform(6.1, 18 if b.extreme else 9))
    return Quant((scale,), (b.zero(),)) if 1e-9 <= scale <= 1e3 else None


def div(b: Builder, x: Tensor) -> Tensor | None:
    """By a constant without zeros: LiteRT ends a run where it divides by one."""
    if not is_single(x):
        return None
    y = constant_operand(b, "div", small_shape(b, x), b.quant(), zero=False)
    q = quotient_quant(b, x.q, y.q)
    return q if q is None else b.emit("div", {"activation": b.activation(q)}, [x, y], b.new("div", x.shape, q))


def prelu(b: Builder, x: Tensor) -> Tensor | None:
    """A slope for each channel, each element, or one for all."""
    if not is_single(x):
        return None
    shapes = [(x.shape[-1],), (*(1,) * (len(x.shape) - 1), x.shape[-1]), tuple(x.shape[1:]), (1,)]
    alpha = constant_operand(b, "prelu", shapes[b.between(0, 3)], quant(float(np.exp(b.rng.uniform(-8, -3))), b.zero()))
    q = rescaled(b, x.q)
    return b.emit("prelu", {}, [x, alpha], b.new("prelu", x.shape, q))


def alternating(b: Builder, x: Tensor) -> Tensor | None:
    """A sum, difference or product of six axes, of which the constant has every other one, between two reshapes."""
    if not is_single(x) or (sizes := _five(b, int(np.prod(x.shape)))) is None:
        return None
    shape = (1, *sizes)
    op = str(b.rng.choice(["add", "sub", "mul"]))
    y = constant_operand(b, op, tuple(d if i % 2 else 1 for i, d in enumerate(shape)), b.quant())
    if (q := binary_quant(b, "mul" if op == "mul" else "add", x.q, y.q)) is None:
        return None
    attrs: dict[str, AttrValue] = {"activation": b.activation(q)}
    wide = b.emit("reshape", {}, [x], b.new("reshape", shape, x.q), live=False)
    result = b.emit(op, attrs, [y, wide] if b.chance(0.4) else [wide, y], b.new(op, shape, q), live=False)
    return b.emit("reshape", {}, [result], b.new("reshape", x.shape, q))


def _five(b: Builder, count: int) -> list[int] | None:
    """`count` as a product of five sizes above 1; None where it is none."""
    primes = []
    for p in (2, 3, 5, 7, 11, 13):
        while count % p == 0:
            primes.append(p)
            count //= p
    if len(primes) < 5:
        return None
    dealt = [int(i) for i in b.rng.permutation(len(primes))]
    sizes = [count, 1, 1, 1, 1]
    for place, i in enumerate(dealt):
        sizes[place % 5] *= primes[i]
    return sizes


PAIRS: dict[str, Layer] = {
    "sub": sub, "squared_difference": squared_difference, "maximum": maximum, "minimum": minimum, "prelu": prelu,
}  # fmt: skip
LAYERS: dict[Layer, float] = {
    sub: 0.6, squared_difference: 1.0, maximum: 0.4, minimum: 0.4, div: 0.4, prelu: 0.5, alternating: 0.6,
}  # fmt: skip
