"""Random networks with LSTM and SVDF as .tflite files: what they keep from one sample to the next is their own."""

from __future__ import annotations

import math

import numpy as np

from ..graph.ir import Quant, Role, Tensor, constant
from .layers import Builder, Layer
from .moves import factors_of
from .nets import LAYERS as OTHERS
from .nets import RandomNet, outputs_of
from .recurrent_file import LSTM, SVDF
from .values import quant, tensor

GATES = ("input", "forget", "cell", "output")
_MOST_VALUES = 240  # of what such a layer reads


def lstm_constants(b: Builder, prefix: str, x: Quant, hidden: Quant, depth: int, units: int) -> list[Tensor]:
    """Weights over the inputs, weights over the hidden values and biases of the four gates."""
    rng, size = b.rng, 3.0 if b.extreme else 1.0
    found = []
    for kind, columns, q in (("input", depth, x), ("recurrent", units, hidden)):
        for gate in GATES:
            spread = float(np.exp(rng.uniform(-size, size))) / (128 * 64 * np.sqrt(columns))
            w = rng.integers(-127, 128, (units, columns)).astype(np.int8)
            found.append(constant(f"{prefix}{kind}_to_{gate}", w, Role.WEIGHTS, quant(spread / q.scale)))
    for gate in GATES:
        biases = rng.integers(-9999, 9999, units).astype(np.int32)
        found.append(constant(f"{prefix}{gate}_bias", biases, Role.BIAS))
    return found


def svdf_constants(
    b: Builder, prefix: str, x: Quant, out: Quant, state_scale: float, depth: int, units: int, rank: int, steps: int
) -> list[Tensor]:
    """Weights over the inputs, weights over the steps, and biases."""
    rng, filters, size = b.rng, units * rank, 3.0 if b.extreme else 1.0
    spread = float(np.exp(rng.uniform(-size, size))) * 200 / np.sqrt(depth)
    feature = rng.integers(-127, 128, (filters, depth)).astype(np.int8)
    most = int(32767 // (1 if b.extreme else 2 * steps))
    time = rng.integers(-most, most + 1, (filters, steps)).astype(np.int16)
    bias = rng.integers(-(2**20), 2**20, units).astype(np.int32)
    real = out.scale * float(np.exp(rng.uniform(-size, size))) / (2.0**18 * np.sqrt(steps * rank)) / state_scale
    return [
        constant(f"{prefix}feature", feature, Role.WEIGHTS, quant(spread * state_scale / x.scale)),
        constant(f"{prefix}time", time, Role.WEIGHTS, quant(real)),
        constant(f"{prefix}bias", bias, Role.BIAS),
    ]


def hidden_quant(b: Builder) -> Quant:
    """Of values between -1 and 1."""
    return quant(float(np.exp(b.rng.uniform(-5.5, -4.5))), b.zero())


def lstm(b: Builder, x: Tensor) -> Tensor | None:
    """Over the values of `x` as a sequence; its cells have 0 to 6 integer bits."""
    size = math.prod(x.shape)
    if x.shape[0] != 1 or size > _MOST_VALUES:
        return None
    steps, depth = factors_of(b, size, 2)
    units, bits, hidden = b.between(1, 9), b.between(0, 6), hidden_quant(b)
    given = b.emit("reshape", {}, [x], b.new("reshape", (1, steps, depth), x.q), live=False)
    name = b.name("lstm")
    constants = lstm_constants(b, f"{name}/", given.q, hidden, depth, units)
    kept = tensor(f"{name}/hidden", (1, units), hidden)
    cell = Tensor(f"{name}/cells", (1, units), "int16", Quant((2.0 ** (bits - 15),), (0,)))
    clip = float(b.rng.choice([0.0, 10.0, 0.5]))
    out = tensor(name, (1, steps, units), hidden)
    return b.emit(LSTM, {"cell_clip": clip}, [given, *constants, kept, cell], out)


def svdf(b: Builder, x: Tensor) -> Tensor | None:
    """Over all values of `x`, and what came of those of the last samples."""
    depth = math.prod(x.shape)
    if x.shape[0] != 1 or depth > _MOST_VALUES:
        return None
    units, rank, steps = b.between(1, 8), b.between(1, 3), b.between(1, 11)
    given = b.emit("reshape", {}, [x], b.new("reshape", (1, depth), x.q), live=False)
    name, q, scale = b.name("svdf"), b.quant(), quant(float(np.exp(b.rng.uniform(-12, -7)))).scale
    constants = svdf_constants(b, f"{name}/", given.q, q, scale, depth, units, rank, steps)
    kept = Tensor(f"{name}/memory", (1, units * rank * steps), "int16", Quant((scale,), (0,)))
    return b.emit(SVDF, {"rank": rank}, [given, *constants, kept], tensor(name, (1, units), q))


KEEPING: tuple[Layer, ...] = (lstm, svdf)


def recurrent_net(seed: int) -> RandomNet:
    """One input, one to three recurrent layers, and layers of random networks between them."""
    rng = np.random.default_rng([seed, 61])
    b = Builder(rng, extreme=bool(rng.random() < 0.3))
    shape = (1, b.between(1, 5), b.between(1, 5), b.between(1, 9))
    x = tensor("input", shape, b.quant())
    b.live.append(x)
    names, weights = list(OTHERS), np.array(list(OTHERS.values()))
    wanted, made = b.between(1, 3), 0
    for _ in range(60):
        if made == wanted and len(b.views) > 2 * wanted:
            break
        given = b.live[-b.between(1, min(3, len(b.live)))]
        if made < wanted and b.chance(0.5):
            made += KEEPING[b.between(0, 1)](b, given) is not None
        else:
            names[rng.choice(len(names), p=weights / weights.sum())](b, given)
    outputs = outputs_of(b)
    return RandomNet(seed, tuple(b.views), (x,) if x.name in b.read else (), outputs, "recurrent")
