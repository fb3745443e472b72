"""Layers of random networks that become tables: functions of one value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import AttrValue, Quant, Tensor
from .layers import Builder, Layer
from .moves import rescaled
from .values import f32


def _near(b: Builder, scale: float) -> Quant:
    """A scale about as large as this one, and any zero point."""
    return Quant((f32(min(max(scale * b.rng.uniform(0.5, 3.0), 1e-9), 1e3)),), (b.zero(),))


def _of_values(b: Builder, x: Tensor, op: str, attrs: dict[str, AttrValue], most: float = 2.0**21) -> Tensor:
    """An operator whose output is about as large as its input. `most`: of input scale by output scale."""
    q = rescaled(b, x.q)
    q = x.q if x.q.scale / q.scale > most or b.chance(0.1) else q
    return b.emit(op, attrs, [x], b.new(op, x.shape, q))


def relu_0_to_1(b: Builder, x: Tensor) -> Tensor | None:
    q = rescaled(b, x.q)
    q = q if 1 / q.scale < 2.0**20 else Quant((f32(1 / 255),), (-128,))
    return None if x.q.scale / q.scale > 2.0**21 else b.emit("relu_0_to_1", {}, [x], b.new("relu_0_to_1", x.shape, q))


def elu(b: Builder, x: Tensor) -> Tensor | None:
    return _of_values(b, x, "elu", {})


def leaky_relu(b: Builder, x: Tensor) -> Tensor | None:
    alpha = f32(float(b.rng.choice([0.0, 0.01, 0.1, 0.3, 1.0, 1.5, -0.25, -1.1])))
    return _of_values(b, x, "leaky_relu", {"alpha": alpha})


def hard_swish(b: Builder, x: Tensor) -> Tensor | None:
    return _of_values(b, x, "hard_swish", {}, 127.0)


def gelu(b: Builder, x: Tensor) -> Tensor | None:
    return _of_values(b, x, "gelu", {"approximate": b.between(0, 1)})


def absolute(b: Builder, x: Tensor) -> Tensor | None:
    return _of_values(b, x, "abs", {})


def neg(b: Builder, x: Tensor) -> Tensor | None:
    return _of_values(b, x, "neg", {"of_bytes": 1})


def exp(b: Builder, x: Tensor) -> Tensor | None:
    highest = x.q.scale * (127 - x.q.zero_point)
    return b.emit("exp", {}, [x], b.new("exp", x.shape, _near(b, float(np.exp(min(highest, 9.0))) / 255)))


def log(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("log", {}, [x], b.new("log", x.shape, _near(b, 0.02)))


def sin(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("sin", {}, [x], b.new("sin", x.shape, _near(b, 1 / 128)))


def cos(b: Builder, x: Tensor) -> Tensor | None:
    return b.emit("cos", {}, [x], b.new("cos", x.shape, _near(b, 1 / 128)))


def _to_whole(op: str) -> Layer:
    return lambda b, x: b.emit(op, {}, [x], b.new(op, x.shape, _near(b, x.q.scale)))


def square(b: Builder, x: Tensor) -> Tensor | None:
    whole = x.q.scale * max(127 - x.q.zero_point, x.q.zero_point + 128)
    return b.emit("square", {}, [x], b.new("square", x.shape, _near(b, max(whole * whole / 255, 1e-30))))


def _above_zero(b: Builder, x: Tensor) -> Tensor:
    """LiteRT ends a run where a root is taken of less than 0."""
    if x.q.zero_point == -128:
        return x
    q = replace(rescaled(b, x.q), zero_points=(-128,))
    return b.emit("quantize", {}, [x], b.new("quantize", x.shape, q))


def sqrt(b: Builder, x: Tensor) -> Tensor | None:
    x = _above_zero(b, x)
    return b.emit("sqrt", {}, [x], b.new("sqrt", x.shape, _near(b, float(np.sqrt(x.q.scale)) / 8)))


def rsqrt(b: Builder, x: Tensor) -> Tensor | None:
    x = _above_zero(b, x)
    q = _near(b, float(1 / np.sqrt(x.q.scale)) / 100)
    return b.emit("rsqrt", {}, [x], b.new("rsqrt", x.shape, q))


def in_float(b: Builder, x: Tensor) -> Tensor | None:
    """DEQUANTIZE, one or two functions, QUANTIZE."""
    value = b.emit("dequantize", {}, [x], Tensor(b.name("dequantize"), x.shape, "float32"), live=False)
    names = [str(name) for name in b.rng.choice(["abs", "neg", "cos", "floor"], b.between(1, 2))]
    for name in names:
        value = b.emit(name, {}, [value], Tensor(b.name(name), x.shape, "float32"), live=False)
    q = _near(b, 1 / 128 if "cos" in names else x.q.scale)
    return b.emit("quantize", {}, [value], b.new("quantize", x.shape, q))


CURVES: dict[str, Layer] = {
    "elu": elu, "leaky_relu": leaky_relu, "hard_swish": hard_swish, "gelu": gelu, "exp": exp, "log": log,
    "abs": absolute, "neg": neg, "sin": sin, "cos": cos, "square": square, "relu_0_to_1": relu_0_to_1,
    **{op: _to_whole(op) for op in ("floor", "ceil", "round")},
}  # fmt: skip
ROOTS: dict[str, Layer] = {"sqrt": sqrt, "rsqrt": rsqrt}
LAYERS: dict[Layer, float] = {
    leaky_relu: 0.5, hard_swish: 0.5, gelu: 0.3, exp: 0.3, log: 0.3, absolute: 0.3, neg: 0.3, sqrt: 0.3, rsqrt: 0.3,
    in_float: 0.5, relu_0_to_1: 0.3,
}  # fmt: skip
