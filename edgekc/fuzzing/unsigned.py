"""Nodes and random networks as uint8 models have them: every level plus 128, weights with a zero point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Quant, Role, Tensor, constant
from ..graph.op import View
from ..ops import filters_of
from .nets import RandomNet, random_net

FLIP = np.uint8(0x80)


def unsigned(t: Tensor) -> Tensor:
    """An int8 tensor of the same real values in uint8; any other as it is."""
    if t.dtype != "int8":
        return t
    quant = None if t.quant is None else replace(t.quant, zero_points=tuple(z + 128 for z in t.quant.zero_points))
    return replace(t, dtype="uint8", quant=quant, data=None if t.data is None else t.data.view(np.uint8) ^ FLIP)


def as_unsigned(view: View) -> View:
    """A QUANTIZED node in uint8."""
    return replace(view, inputs=tuple(map(unsigned, view.inputs)), outputs=tuple(map(unsigned, view.outputs)))


def to_unsigned(x: Array) -> Array:
    return x.view(np.uint8) ^ FLIP


def to_signed(x: Array) -> Array:
    return np.asarray((x ^ FLIP).view(np.int8))


def asymmetric(view: View, zero_point: int) -> View:
    """An int8 node that says it was uint8; a layer's weights have one scale, and this zero point."""
    node = replace(view.node, attrs={**view.node.attrs, "unsigned": 1})
    if filters_of(view.node) is None:
        return replace(view, node=node)
    x, weights, *bias = view.inputs
    scale = weights.q.scale
    product = float(np.float32(x.q.scale) * np.float32(scale))
    weights = replace(weights, quant=Quant((scale,), (zero_point,)))
    # Filters may weigh twice as much as before; the 32 bits of a sum stay enough.
    bias = [constant(t.name, t.value // 4, Role.BIAS, Quant((product,), (0,))) for t in bias]
    return replace(view, node=node, inputs=(x, weights, *bias))


def unsigned_net(seed: int) -> RandomNet:
    """`random_net` in uint8; inputs and outputs too."""
    net = random_net(seed)
    rng = np.random.default_rng([seed, 22])
    views = []
    for view in net.views:
        has_weights = any(t.role is Role.WEIGHTS for t in view.inputs)
        zero_point = int(rng.choice([0, -128, 127, int(rng.integers(-128, 128))])) if has_weights else 0
        views.append(as_unsigned(asymmetric(view, zero_point)))
    return RandomNet(seed, tuple(views), tuple(map(unsigned, net.inputs)), tuple(map(unsigned, net.outputs)), "uint8")
