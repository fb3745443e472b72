"""Multipliers that round like a double: checked on every accumulator near a half."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgekc.graph.fixedpoint import SINGLE, quantize_multiplier, requantize
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS, binary_nearest_s16, lut_mean, lut_s16, mul_nearest
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


@pytest.mark.fast
@pytest.mark.parametrize("zero", [-9, 4])
def test_every_average_of_two_is_the_nearest_level(zero: int) -> None:
    """Half of all sums are ties, which go to a level that is an even distance from the zero point."""
    every = np.arange(-128, 128)
    pairs = np.stack(np.meshgrid(every, every), -1).reshape(1, -1, 2, 1)
    q = Quant((0.03,), (zero,))
    tensors = Tensor("x", pairs.shape, "int8", q), Tensor("y", (*pairs.shape[:2], 1, 1), "int8", q)
    attrs = {n: int(not n.startswith("pad")) for n in lin.WINDOW}

    def levels(**more: int) -> tuple[str, np.ndarray]:
        every = {**attrs, "filter_h": 1, "filter_w": 2, "activation": "none", **more}
        node = Node("average_pool", "y", ("x",), ("y",), every)
        lowered = LOWER["average_pool"](View(node, tensors[:1], tensors[1:]))
        return lowered.op, OPS[lowered.op].reference(lowered.attrs, [pairs.astype(np.int8)])[0]

    op, got = levels(**{NEAREST: 1})
    assert op == "average_pool_nearest"
    np.testing.assert_array_equal(got, np.rint((pairs - zero).sum(2, keepdims=True) / 2) + zero)
    op, other = levels()
    assert op == "average_pool" and 0.2 < np.mean(got != other) < 0.3


@pytest.mark.fast
@pytest.mark.parametrize("op", ["add", "mul"])
def test_sums_and_products_of_int16_are_the_nearest_levels(op: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(-(2**15), 2**15, (2, 1, 40_000)).astype(np.int16)
    for scales in ((np.pi / 7500, np.e / 9000, 0.07), (2.0**-9, 2.0**-10, 2.0**-3), (1e-5, np.pi / 100, 0.2)):
        real = a * scales[0] + b * scales[1] if op == "add" else a.astype(np.int64) * b * (scales[0] * scales[1])
        out = Quant((scales[2] if op == "add" else float(np.abs(real).max()) / 100,), (-7,))
        quants = (*(Quant((s,), (0,)) for s in scales[:2]), out)
        kinds = ("int16", "int16", "int8")
        tensors = [Tensor(n, a.shape, k, q) for n, k, q in zip("aby", kinds, quants, strict=True)]
        node = Node(op, "y", ("a", "b"), ("y",), {"activation": "none"})
        lowered = LOWER[op](View(node, tuple(tensors[:2]), (tensors[2],)))
        assert lowered.op == "binary_nearest_s16"
        (got,) = OPS[lowered.op].reference(lowered.attrs, [a, b])
        np.testing.assert_array_equal(got, np.clip(np.rint(real / out.scale) - 7, -128, 127))


def test_ratios_beyond_the_sums_and_products_of_int16() -> None:
    fixed = binary_nearest_s16.fixed
    assert fixed("add", 2.0**14, 1.0, 1.0) is None
    assert fixed("mul", 1.0, 1.0, 1.0) is None
    for op, a in (("add", 2.0**14 - 1), ("mul", 0.99)):
        scaled = fixed(op, a, 1.0, 1.0)
        assert scaled is not None and scaled["right"] == binary_nearest_s16.LEAST_RIGHT[scaled["product"]]
    assert fixed("mul", 1e-30, 1e-30, 1.0) == dict(product=1, a_multiplier=0, b_multiplier=0, right=62)


@pytest.mark.fast
def test_a_table_of_int16_is_the_function_at_its_entries_and_near_it_between() -> None:
    scale, every = 8 / 2**15, np.arange(-(2**15), 2**15).astype(np.int16)
    for dtype, target, near in (("int8", Quant((0.02,), (-10,)), 0.012), ("int16", Quant((scale,), (0,)), 1.3)):
        at = np.arange(lut_s16.ENTRIES) * 128 - 2**15
        entries = lut_s16.entries_of(np.tanh(at * scale) * 2 / target.scale, target.zero_point, dtype)
        (got,) = OPS["lut_s16"].reference(dict(out_bytes=np.dtype(dtype).itemsize), [every, entries])
        off = np.abs(got - (np.tanh(every * scale) * 2 / target.scale + target.zero_point))
        assert off.max() <= 0.5 + near
        assert off[every % 128 == 0].max() <= 0.5 + (1 / 512 if dtype == "int8" else 1e-9)


@pytest.mark.fast
def test_means_of_a_function_are_the_nearest_levels() -> None:
    rng = np.random.default_rng(4)
    real = rng.normal(0, 3, 256)
    x = rng.integers(-128, 128, (1, 16, 16, 50)).astype(np.int8)
    table = lut_mean.entries("t", real, 256)
    out = Tensor("y", (1, 1, 1, 50), "int8", Quant((0.004,), (5,)))
    node = Node("mean_of_table", "y", ("x", "t"), ("y",), {"axes": "1,2", "keep_dims": True})
    x_tensor = Tensor("x", x.shape, "int8", Quant((0.1,), (3,)))
    lowered = LOWER["mean_of_table"](View(node, (x_tensor, table), (out,)))
    (got,) = OPS["lut_mean"].reference(lowered.attrs, [x, table.value])
    levels = real[x.view(np.uint8)].mean((1, 2), keepdims=True) / 0.004 + 5
    np.testing.assert_array_equal(got, np.clip(np.rint(levels), -128, 127))
