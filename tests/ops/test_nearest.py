"""Multipliers that round like a double: checked on every accumulator near a half."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgekc.graph.fixedpoint import SINGLE, quantize_multiplier, requantize
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS, mul_nearest
from edgekc.ops.shared import linear as lin
from edgekc.ops.shared.anchored import NEAREST, fine
from edgekc.ops.shared.nearest import nearest_multipliers
from edgekc.passes.lower import lower_node


def _double(acc: np.ndarray, scale: float) -> np.ndarray:
    real = acc * scale
    return np.sign(real) * np.floor(np.abs(real) + 0.5)


def _near_halves(scale: float, reach: int) -> np.ndarray:
    """Accumulators on both sides of every place where the output level changes."""
    at = np.floor((np.arange(255) + 0.5) / scale)
    acc = np.unique(np.concatenate([at + step for step in range(-2, 4)]))
    acc = acc[(acc >= 0) & (acc <= reach)]
    return np.concatenate([-acc, acc])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(1e-6, 30.0), st.integers(1, 2**20))
@example(0.5, 1000)
@example(2.0**-12, 2**20)
@example(1.0, 255)
@example(0.7, 45)  # no multiplier serves: see nearest_multipliers
def test_every_accumulator_rounds_as_in_double(scale: float, reach: int) -> None:
    (multiplier, shift), *_ = nearest_multipliers([scale], [(-reach, reach)])
    assert 2**30 <= multiplier < 2**31
    acc = _near_halves(scale, reach)
    exact = _double(acc, scale)
    seen = np.abs(exact) <= 255

    def serves(multiplier: int) -> bool:
        return np.array_equal(requantize(acc[seen], multiplier, shift, SINGLE), exact[seen])

    # Another multiplier next to it would serve if any did: all that do are neighbours.
    assert serves(multiplier) or not any(serves(multiplier + step) for step in range(-3, 4))


def test_the_plain_multiplier_is_not_enough() -> None:
    """The search has work to do, and nearly always succeeds: accumulators of 23 bits, where the last bit shows."""
    rng, wrong, repaired = np.random.default_rng(0), 0, 0
    for scale in np.exp(rng.uniform(-12, -6, 4000)):
        acc = _near_halves(float(scale), 2**23)
        exact = _double(acc, float(scale))
        if np.array_equal(requantize(acc, *quantize_multiplier(float(scale)), SINGLE), exact):
            continue
        wrong += 1
        found = nearest_multipliers([float(scale)], [(-(2**23), 2**23)])[0]
        repaired += np.array_equal(requantize(acc, *found, SINGLE), exact)
    assert wrong > 20
    assert repaired > 0.5 * wrong


def test_channels_with_one_scale_share_a_multiplier() -> None:
    assert len(nearest_multipliers([0.001] * 5, [(-1000, 1000)] * 5)) == 1
    assert len(nearest_multipliers([0.001, 0.002], [(-1000, 1000)] * 2)) == 2


def _layer(dense: bool, ratio: float, bias: float, zero: int) -> tuple[Graph, Node]:
    """Two channels that ask for the nearest levels: of weights 1 and 3, and of zeros."""
    w, scales = np.array([[1, 3], [0, 0]], np.int8), Quant((2 * ratio, 2 * ratio), (0, 0), 0)
    levels, quant = fine(np.array([bias, bias]) * ratio, np.array([ratio, ratio]))
    inner = () if dense else (1, 1)
    tensors = [
        Tensor("x", (1, *inner, 2), "int8", Quant((0.5,), (7,), 0)),
        constant("w", w.reshape(2, *inner, 2), Role.WEIGHTS, scales),
        constant("b", levels, Role.BIAS, quant),
        Tensor("y", (1, *inner, 2), "int8", Quant((1.0,), (zero,), 0)),
    ]
    window = {} if dense else {name: int(not name.startswith("pad")) for name in lin.WINDOW}
    attrs = {**window, "activation": "none", NEAREST: 1}
    node = Node("fully_connected" if dense else "conv2d", "layer", ("x", "w", "b"), ("y",), attrs)
    return Graph("g", Stage.QUANTIZED, {t.name: t for t in tensors}, (node,), ("x",), ("y",), {}), node


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(2.0**-16, 0.3), st.floats(-1e4, 1e4), st.integers(-128, 127), st.booleans())
def test_an_anchored_layer_gives_the_nearest_levels(ratio: float, bias: float, zero: int, dense: bool) -> None:
    """But beside a half: within half a unit of the accumulator at the anchor, and none at the real value 0."""
    lowered, (_, whole, multiplier, shift) = lower_node(*_layer(dense, ratio, bias, zero))
    attrs = {name: lowered.int_attr(name) for name in lin.OUTPUT}
    assert attrs["out_zero"] >= 127 if zero < 0 else attrs["out_zero"] <= -128
    if ratio > 2.0**-13 and abs(bias) < 1e3:
        assert abs(attrs["out_zero"]) > 4000
    first = np.round((np.arange(-129.5, 129) - zero) / ratio - bias).astype(np.int64)  # about where a level begins
    products = np.unique(np.concatenate([first + step for step in range(-3, 4)]))
    real = zero + (products + bias) * ratio
    nearest = np.clip(np.rint(real), -128, 127)
    acc = np.stack([products + 7 * 4, np.zeros_like(products)], -1) + whole.value
    found = lin.requant_output(attrs, acc, multiplier.value, shift.value)
    far = np.abs(real - zero) / abs(zero - attrs["out_zero"])
    beside = np.abs(real - np.floor(real) - 0.5) <= ratio * (0.5 * far + 0.02) + 1e-6
    assert np.array_equal(found[~beside, 0], nearest[~beside])
    assert np.abs(found[:, 0] - nearest).max() <= 1
    assert np.abs(found[:, 1] - np.clip(zero + bias * ratio, -128, 127)).max() <= 0.5 + 2.0**-7


def test_a_layer_without_room_for_an_anchor_keeps_its_zero_point() -> None:
    for ratio, bias in ((400.0, 3.3), (2.0**-18, 1e8)):
        lowered, _ = lower_node(*_layer(True, ratio, bias, 5))
        assert lowered.int_attr("out_zero") == 5


@pytest.mark.fast
@pytest.mark.parametrize("scales", [(0.03, 0.0071, 0.02), (2.0**-5, 2.0**-7, 2.0**-6), (3.7, 11.0, 0.31)])
def test_every_product_is_the_nearest_level(scales: tuple[float, float, float]) -> None:
    """Of all pairs of levels, ties to even; without being asked for it a product keeps TensorFlow Lite's rounding."""
    a, b, y = (float(np.float32(s)) for s in scales)
    quants = Quant((a,), (-7,)), Quant((b,), (12,)), Quant((y,), (5,))
    shapes = (1, 256, 1), (1, 1, 256), (1, 256, 256)
    tensors = [Tensor(n, shape, "int8", q) for n, shape, q in zip("aby", shapes, quants, strict=True)]
    every = np.arange(-128, 128)

    def levels(**attrs: int) -> tuple[str, np.ndarray]:
        node = Node("mul", "y", ("a", "b"), ("y",), {"activation": "none", **attrs})
        lowered = LOWER["mul"](View(node, tuple(tensors[:2]), (tensors[2],)))
        inputs = [every.astype(np.int8).reshape(t.shape) for t in tensors[:2]]
        return lowered.op, OPS[lowered.op].reference(lowered.attrs, inputs)[0][0]

    real = np.outer(every + 7, every - 12) * (a * b / y)
    nearest = np.clip(np.rint(real) + 5, -128, 127)
    op, got = levels(**{NEAREST: 1})
    assert op == "mul_nearest"
    np.testing.assert_array_equal(got, nearest)
    op, got = levels()
    assert op == "mul"
    assert np.abs(got - nearest).max() == (scales[0] != 3.7)


def test_a_product_whose_ratio_is_beyond_the_kernel() -> None:
    assert mul_nearest.fixed(2.0**13) is None
    assert mul_nearest.fixed(2.0**13 * (1 - 2.0**-40)) is None  # its multiplier would round to 2^31
    scaled = mul_nearest.fixed(2.0**13 * (1 - 2.0**-20))
    assert scaled is not None and scaled["left"] == mul_nearest.MOST_LEFT
    assert mul_nearest.fixed(2.0**-40) == dict(multiplier=0, left=0)


@pytest.mark.fast
def test_every_mean_of_two_is_the_nearest_level() -> None:
    """Half of all sums are ties, which go to the even level; TensorFlow Lite's mean has them away from zero."""
    every = np.arange(-128, 128)
    pairs = np.stack(np.meshgrid(every, every), -1).reshape(1, -1, 2)
    q = Quant((0.03,), (-9,))
    tensors = Tensor("x", pairs.shape, "int8", q), Tensor("y", pairs.shape[:2], "int8", q)

    def levels(**attrs: int) -> tuple[str, np.ndarray]:
        node = Node("mean", "y", ("x",), ("y",), {"axes": "2", "keep_dims": False, **attrs})
        lowered = LOWER["mean"](View(node, tensors[:1], tensors[1:]))
        return lowered.op, OPS[lowered.op].reference(lowered.attrs, [pairs.astype(np.int8)])[0]

    op, got = levels(**{NEAREST: 1})
    assert op == "mean_nearest"
    np.testing.assert_array_equal(got, np.rint((pairs + 9).sum(2) / 2) - 9)
    op, other = levels()
    assert op == "mean" and 0.2 < np.mean(got != other) < 0.3
