"""Every operator that requantises, at scales from 1e-9 to 1e3, against LiteRT: the same bytes, or a refusal."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import oracle
import pytest
from lowered import lowered_reference

from edgekc.errors import EdgekcError
from edgekc.fuzzing.values import ACTIVATIONS, Rng, f32, fill, quant, tensor, view_of
from edgekc.graph.ir import AttrValue, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
WINDOW: dict[str, AttrValue] = {
    **dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1),
    **dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0),
}
LINEAR = ("conv2d", "grouped_conv2d", "depthwise", "fully_connected")
OTHERS = ("add", "mul", "mean", "relu", "quantize", "logistic", "softmax", "average_pool", "max_pool", "concat", "pad")
CHANNELS = 8


def scale(rng: Rng) -> float:
    return f32(np.exp(rng.uniform(np.log(1e-9), np.log(1e3))))


def random_tensor(rng: Rng, name: str, shape: tuple[int, ...]) -> Tensor:
    return tensor(name, shape, quant(scale(rng), int(rng.integers(-128, 128))))


def linear(rng: Rng, op: str) -> View:
    """A layer whose real multipliers, and sums, are of any size."""
    x = random_tensor(rng, "x", (1, CHANNELS) if op == "fully_connected" else (1, 1, 1, CHANNELS))
    shape, axis = {
        "conv2d": ((12, 1, 1, CHANNELS), 0),
        "grouped_conv2d": ((12, 1, 1, CHANNELS // 2), 0),
        "depthwise": ((1, 1, 1, CHANNELS), 3),
        "fully_connected": ((12, CHANNELS), 0),
    }[op]
    count = shape[axis]
    scales = tuple(scale(rng) for _ in range(count if rng.integers(3) else 1))
    zeros = (0,) * len(scales)
    data = (rng.integers(-127, 128, shape) * (rng.random(shape) < 0.3)).astype(np.int8)
    size = 2 ** int(rng.integers(1, 31))
    biases = Quant(tuple(f32(max(x.q.scale * s, 1e-37)) for s in scales), zeros)
    inputs = [
        x,
        constant("w", data, Role.WEIGHTS, Quant(scales, zeros, axis)),
        constant("b", rng.integers(-size, size, count).astype(np.int32), Role.BIAS, biases),
    ]
    out = random_tensor(rng, "y", (*x.shape[:-1], count))
    attrs = dict(WINDOW) if op != "fully_connected" else {"rounding": oracle.fully_connected_rounding()}
    return view_of(op, {**attrs, "activation": str(rng.choice(ACTIVATIONS))}, inputs, out)


def other(rng: Rng, op: str) -> View:
    shape = (1, 3, 4, 5)
    x, out = random_tensor(rng, "x", shape), random_tensor(rng, "y", shape)
    activation: dict[str, AttrValue] = {"activation": str(rng.choice(ACTIVATIONS))}
    if op in ("add", "mul"):
        return view_of(op, activation, [x, random_tensor(rng, "b", shape)], out)
    if op == "mean":
        return view_of(op, {"axes": "1,2", "keep_dims": 1}, [x], replace(out, shape=(1, 1, 1, 5)))
    if op == "relu":
        return view_of(op, {"activation": str(rng.choice(ACTIVATIONS[1:]))}, [x], out)
    if op in ("logistic", "softmax"):
        return view_of(
            op, {"beta": 1.0} if op == "softmax" else {}, [x], replace(out, quant=Quant((1 / 256,), (-128,)))
        )
    if op in ("average_pool", "max_pool"):
        attrs = {**WINDOW, **activation, "filter_h": 2, "filter_w": 3}
        return view_of(op, attrs, [x], replace(x, name="y", shape=(1, 2, 2, 5)))
    if op == "concat":
        return view_of(op, {"axis": 3, "activation": "none"}, [x, replace(x, name="b")], replace(x, name="y", shape=(1, 3, 4, 10)))  # fmt: skip  # noqa: E501
    if op == "pad":
        return view_of(op, {"pads": "0,0,1,1,0,2,0,0"}, [x], replace(x, name="y", shape=(1, 5, 6, 5)))
    return view_of(op, {}, [x], out)


def sweep(op: str, seed: int, count: int) -> Counter[str]:
    rng, done = np.random.default_rng([seed, len(op)]), Counter[str]()
    for i in range(count):
        view = linear(rng, op) if op in LINEAR else other(rng, op)
        free = list(dict.fromkeys(t.name for t in view.inputs if t.data is None))
        values = {t.name: fill(rng, t.shape, i) for t in view.inputs if t.data is None}
        try:
            lowered = LOWER[op](view)
            activations = [t for t in view.inputs if t.name in lowered.activations]
            OPS[lowered.op].validate(view_of(lowered.op, lowered.attrs, [*activations, *lowered.constants], view.out))
        except EdgekcError:
            done["refused"] += 1
            continue
        try:
            (expected,) = oracle.run(view, [values[name] for name in free])
        except RuntimeError:  # LiteRT has limits of its own
            done["LiteRT refuses"] += 1
            continue
        got = lowered_reference(view, values)
        assert np.array_equal(got, expected), (view.node, [t.quant for t in (*view.inputs, view.out)], lowered.attrs)
        done["same"] += 1
    return done


@pytest.mark.parametrize("op", [*LINEAR, *OTHERS])
def test_extreme_scales(op: str) -> None:
    done = sweep(op, 0, 80)
    assert done["same"] >= 30, done


@pytest.mark.slow
@pytest.mark.parametrize("op", [*LINEAR, *OTHERS])
def test_more_extreme_scales(op: str) -> None:
    assert sweep(op, 1, 2000)["same"] >= 900
