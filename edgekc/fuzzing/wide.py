"""Random 16x8 networks as .tflite files: those of int8, with int16 activations and int64 biases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Quant, Role, Tensor, constant
from ..graph.op import View
from ..ops import LOWER, OPS
from ..ops.shared import int16
from . import layers, moves, pairs, spatial, strides, tables
from .layers import Builder, Layer
from .nets import RandomNet
from .values import Rng, tensor

UNIT = Quant((2.0**-15,), (0,))  # what functions between -1 and 1 demand of their outputs
FIXED = ("logistic", "tanh", "softmax")
PRODUCTS = ("mul", "batch_matmul")  # grow as both operands do
LAYERS: dict[Layer, float] = {
    layers.conv2d: 3,
    layers.body: 3,
    layers.grouped_conv2d: 1,
    layers.depthwise: 3,
    layers.fully_connected: 1,
    layers.pool: 1.5,
    layers.global_pool: 0.4,
    moves.binary: 2,
    pairs.sub: 0.6,
    moves.relu: 1,
    moves.mean: 0.6,
    spatial.mean_of_any: 0.3,
    tables.leaky_relu: 0.4,
    moves.requantise: 0.6,
    moves.logistic: 0.4,
    moves.tanh: 0.4,
    moves.gate: 0.4,
    moves.softmax: 0.5,
    spatial.transpose_conv: 0.5,
    spatial.batch_matmul: 0.4,
    layers.dilated_in_phases: 0.4,
    moves.pad: 1,
    moves.concat: 1,
    moves.reshape: 0.5,
    spatial.resize_nearest: 0.4,
    **dict.fromkeys(
        (
            *(strides.transpose, strides.strided_slice, strides.masked_slice, strides.plain_slice, strides.reverse),
            *(strides.split, strides.unpack, strides.pack, strides.tile, strides.broadcast_to, strides.take),
            *(strides.mirror_pad, strides.shuffle),
        ),
        0.25,
    ),
}


def _wide(t: Tensor, rng: Rng) -> Tensor | None:
    if t.role is Role.BIAS:
        return constant(t.name, t.value.astype(np.int64) << int(rng.integers(0, 9)) >> 1, Role.BIAS, t.quant)
    if t.quant is None or t.dtype != "int8":
        return None
    if t.data is not None and t.name.endswith("/w"):
        return t
    quant = Quant(t.quant.scales, (0,) * len(t.quant.scales), t.quant.axis)
    if t.data is not None:
        return constant(t.name, int16.widened(t.value, rng), t.role, quant)
    return replace(t, dtype="int16", quant=quant)


def wide_view(view: View, rng: Rng) -> View | None:
    """The node on int16; None where it has no such twin."""
    tensors = [_wide(t, rng) for t in (*view.inputs, *view.outputs)]
    found = [t for t in tensors if t is not None]
    if len(found) < len(tensors):
        return None
    inputs, outputs = found[: len(view.inputs)], found[len(view.inputs) :]
    if view.node.op in FIXED:
        outputs = [replace(t, quant=UNIT) for t in outputs]
    if view.node.op in PRODUCTS:
        outputs = [replace(t, quant=Quant((t.q.scale * 256,), (0,))) for t in outputs]
    return replace(view, inputs=tuple(inputs), outputs=tuple(outputs))


def is_taken(view: View) -> bool:
    """Whether the lowering takes it, and its bounds hold: what leaves 32 bits is not defined in LiteRT either."""
    if view.node.op not in LOWER:  # of files, a move
        return True
    try:
        lowered = LOWER[view.node.op](view)
        by_name = {t.name: t for t in view.inputs}
        inputs = (*(by_name[n] for n in lowered.activations), *lowered.constants)
        node = replace(view.node, op=lowered.op, inputs=tuple(t.name for t in inputs), attrs=lowered.attrs)
        OPS[lowered.op].validate(replace(view, node=node, inputs=inputs))
    except (UnsupportedError, ModelError):
        return False
    except Exception:  # our own fault, which shows where the network is compiled
        return True
    return True


def wide_net(seed: int) -> RandomNet:
    """A network of one input and 2 to 10 layers, each of which reads one of the last three activations."""
    rng = np.random.default_rng([seed, 168])
    b = Builder(rng, extreme=False)
    shape = (1, *(int(v) for v in rng.integers(3, 12, 2)), int(rng.choice([1, 3, 4, 8, 13])))
    x = tensor("input", shape, Quant((b.scale(),), (0,)))
    b.live.append(x)
    given = replace(x, dtype="int16")
    wide = [given]
    views: list[View] = []
    names, weights = list(LAYERS), np.array(list(LAYERS.values()))
    wanted = int(rng.integers(2, 11))
    while len(views) < wanted:
        live, made = len(b.live), len(b.views)
        x = b.live[-int(rng.integers(1, min(3, live) + 1))]
        names[rng.choice(len(names), p=weights / weights.sum())](b, x)
        new: list[View] = []
        known = {t.name: t for t in wide}
        for view in b.views[made:]:
            twin = wide_view(view, rng)
            if twin is None:
                break
            new.append(replace(twin, inputs=tuple(known.get(t.name, t) for t in twin.inputs)))
            known |= {t.name: t for t in twin.outputs}
        if len(new) < len(b.views) - made or not all(map(is_taken, new)):
            del b.live[live:], b.views[made:]
            continue
        views += new
        wide = list(known.values())
        for i, t in enumerate(b.live):  # later layers see the scales that these have
            b.live[i] = replace(t, quant=known[t.name].quant)
    read = {t.name for view in views for t in view.inputs}
    outputs = tuple(t for view in views for t in view.outputs if t.name not in read)
    return RandomNet(seed, tuple(views), (given,), outputs, "int16")


def samples(shape: tuple[int, ...], seed: int) -> Array:
    """All lowest, all highest, and random ones."""
    rng = np.random.default_rng([seed, 169])
    ends = [np.full(shape, level) for level in (-(2**15), 2**15 - 1)]
    return np.concatenate([*ends, rng.integers(-(2**15), 2**15, (2, *shape[1:]))]).astype(np.int16)
