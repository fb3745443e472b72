"""Random int8 networks as .tflite files: every operator that the importer takes, odd shapes, extreme scales.

`random_model(seed)` is the file, `random_net(seed)` says what is in it, `random_samples(net, count)` are inputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..graph.ir import Array, Tensor
from ..graph.op import View
from .layers import (
    Builder,
    Layer,
    body,
    conv2d,
    depthwise,
    dilated_in_phases,
    fully_connected,
    global_pool,
    grouped_conv2d,
    pool,
)
from .logic import LAYERS as LOGIC
from .moves import LAYERS as MOVES
from .moves import input_cast, output_cast, relu
from .pairs import LAYERS as PAIRS
from .patterns import LAYERS as PATTERNS
from .spatial import LAYERS as SPATIAL
from .spatial import place
from .streaming_file import Variable, streaming_network
from .strides import LAYERS as STRIDES
from .tables import LAYERS as TABLES
from .tflite_file import network
from .values import Rng, fill, tensor

LAYERS: dict[Layer, float] = {
    conv2d: 4, body: 4, grouped_conv2d: 2.5, depthwise: 3, dilated_in_phases: 0.8, pool: 2.5, global_pool: 0.8,
    fully_connected: 2.5, **MOVES, **TABLES, **PAIRS, **STRIDES, **SPATIAL, **LOGIC, **PATTERNS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RandomNet:
    """Nodes of a .tflite file in execution order, and the tensors by which it is used."""

    seed: int
    views: tuple[View, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    kind: str = "int8"  # of its activations; streaming: int8 with variables
    variables: tuple[Variable, ...] = ()

    def model(self) -> bytes:
        if self.variables:
            return streaming_network(self.views, self.inputs, [t.name for t in self.outputs], self.variables)
        return network(self.views, [t.name for t in self.inputs], [t.name for t in self.outputs])


def random_model(seed: int) -> bytes:
    """A .tflite file."""
    return random_net(seed).model()


def random_net(seed: int) -> RandomNet:
    """A network of one to three inputs and 2 to 14 layers; half of them with scales from 1e-9 to 1e3."""
    rng = np.random.default_rng([seed, 20])
    b = Builder(rng, extreme=bool(rng.random() < 0.5))
    inputs = _inputs(b)
    names, weights = list(LAYERS), np.array(list(LAYERS.values()))
    layers, wanted = len(b.views), b.between(2, 14)
    if math.prod(b.live[0].shape[:-1]) >= 100 and b.chance(0.7):
        for _ in range(b.between(1, 3)):  # as trained networks begin
            body(b, b.live[-1])
    for _ in range(8 * wanted):
        if len(b.views) - layers >= wanted:
            break
        recent = b.live[-3:] if b.chance(0.7) else b.live
        x = recent[b.between(0, len(recent) - 1)]
        names[rng.choice(len(names), p=weights / weights.sum())](b, x)
    outputs = outputs_of(b)
    return RandomNet(seed, tuple(b.views), tuple(t for t in inputs if t.name in b.read), outputs)


def _inputs(b: Builder) -> tuple[Tensor, ...]:
    inputs = []
    for i in range(b.rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])):
        rank = b.rng.choice([4, 3, 2], p=[0.8, 0.1, 0.1])
        channels = b.between(1, 8) if b.chance(0.6) else b.between(9, 33)
        shape = (1, *(b.between(1, 11) for _ in range(rank - 2)), channels)
        if rank == 4 and b.chance(0.25):  # of the sizes that kernels for many pixels are chosen for
            shape = (1, b.between(10, 14), b.between(10, 14), int(b.rng.choice([4, 8, 8, 16, 16])))
        if i and b.chance(0.5) and len(b.live[0].shape) == 4:
            shape = tuple(b.live[0].shape)  # for branches that meet again
        if b.chance(0.15):
            inputs.append(input_cast(b, f"input_{i}", shape))
        else:
            inputs.append(tensor(f"input_{i}", shape, b.quant()))
            b.live.append(inputs[-1])
    return tuple(inputs)


def outputs_of(b: Builder) -> tuple[Tensor, ...]:
    """What nobody reads, now and then less one (a branch without effect), and some that are read."""
    written = {v.out.name: v for v in b.views}
    given = {t.name for t in b.live if t.name not in written or written[t.name].x.dtype == "float32"}
    if len(given) == len(b.live):
        relu(b, b.live[0])  # no layer fitted
    found = [t for t in b.live if t.name not in b.read and t.name not in given]
    if len(found) > 1 and b.chance(0.1):
        found.pop(b.between(0, len(found) - 1))
    found += [t for t in b.live if t.name in b.read and t.name not in given and b.chance(0.05)]
    apart = {b.roots.get(t.name, t.name): t for t in found}  # an output that shows another's bytes is refused
    outputs = list(apart.values()) or [b.live[-1]]
    outputs = [output_cast(b, t) if b.chance(0.1) else place(b, t) if b.chance(0.1) else t for t in outputs]
    return tuple(outputs[i] for i in b.rng.permutation(len(outputs)))


def random_samples(net: RandomNet, count: int) -> list[list[Array]]:
    """Inputs of `count` inferences: random, all lowest, all highest, alternating, constant."""
    rng = np.random.default_rng([net.seed, 21])
    kinds = (0, 3, 5, 6)
    samples = []
    for k in range(count):
        row = []
        for t in net.inputs:
            levels = fill(rng, t.shape, kinds[k] if k < len(kinds) else int(rng.integers(7)))
            row.append(_given(net, t, levels, rng))
        samples.append(row)
    return samples


def _given(net: RandomNet, t: Tensor, levels: Array, rng: Rng) -> Array:
    """int8 levels as the input's type has them."""
    if t.dtype == "int16":
        low = np.where(levels == -128, 0, np.where(levels == 127, 255, rng.integers(0, 256, t.shape)))
        return (levels.astype(np.int64) * 256 + low).astype(np.int16)
    if t.dtype == "uint8":
        return (levels.astype(np.int64) + 128).astype(np.uint8)
    if t.dtype == "float32":
        out = next(v.out for v in net.views if v.node.inputs[:1] == (t.name,))
        q = out.q if out.dtype == "int8" else replace(out.q, zero_points=(out.q.zero_point - 128,))
        return (np.float32(q.scale) * (levels.astype(np.float32) - np.float32(q.zero_point))).astype(np.float32)
    return levels
