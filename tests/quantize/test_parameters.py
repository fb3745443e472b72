"""Scales, zero points, weights and biases: what holds for all ranges and all numbers."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.errors import ModelError, UsageError
from edgekc.graph.ir import Role, constant
from edgekc.quantize import float_reference
from edgekc.quantize.calibrate import BINS, Observed, by_percentile, choose, least_error, min_max, observe
from edgekc.quantize.equalise import equalise, pairs
from edgekc.quantize.to_int8 import (
    parameters,
    quantize,
    quantized_bias,
    quantized_weights,
    to_int8,
    to_real,
    weight_scales,
)

REAL = st.floats(-(2.0**99), 2.0**99, width=32)


@settings(deadline=None, max_examples=300)
@given(REAL, REAL)
def test_parameters_of_any_range(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    quant = parameters(low, high)
    assert quant.scale == float(np.float32(quant.scale))
    assert quant.scale > 0
    assert -128 <= quant.zero_point <= 127
    # Zero is a level, and both ends are representable but for half a step and float32's rounding.
    assert float(to_real(to_int8(np.zeros(1), quant), quant)[0]) == 0.0
    ends = np.array([min(low, 0.0), max(high, 0.0)])
    error = np.abs(to_real(to_int8(ends, quant), quant) - ends)
    assert np.all(error <= quant.scale * 0.51 + 1e-6 * np.abs(ends))


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.floats(-12, 3), st.floats(-12, 12))
def test_weights_and_biases(seed: int, weight_size: float, bias_size: float) -> None:
    rng = np.random.default_rng(seed)
    w = constant("w", (rng.normal(size=(5, 3, 3, 2)) * 10.0**weight_size).astype(np.float32), Role.WEIGHTS)
    b = constant("b", (rng.normal(size=5) * 10.0**bias_size).astype(np.float32), Role.BIAS)
    scales = weight_scales(w, b.value, 0.05, 0)
    assert all(s == float(np.float32(s)) and s > 0 for s in scales)
    levels = quantized_weights(w, scales, 0)
    assert np.abs(levels.value).max() <= 127
    steps = np.array(scales).reshape(-1, 1, 1, 1)
    assert np.all(np.abs(levels.value * steps - w.value) <= steps * 0.5001)
    bias = quantized_bias(b, 0.05, scales)
    unit = 0.05 * np.array(scales)
    assert np.all(np.abs(bias.value.astype(np.int64)) <= 2**30 + 2**8)
    assert np.all(np.abs(bias.value * unit - b.value) <= unit * 0.5001)


def test_weights_that_are_not_numbers() -> None:
    w = constant("layer/weights", np.array([[1.0, np.inf]], np.float32), Role.WEIGHTS)
    with pytest.raises(ModelError, match="layer/weights: holds NaN or infinity"):
        weight_scales(w, np.zeros(1), 1.0, 0)


def observed(values: np.ndarray) -> Observed:
    low, high = float(values.min()), float(values.max())
    return Observed(low, high, np.histogram(values, BINS, (low, high))[0])


def test_ranges_by_method() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.normal(size=200_000), 40.0)
    o = observed(values)
    assert min_max(o) == (o.low, 40.0)
    low, high = by_percentile(o, 99.9)
    expected = np.percentile(values, [0.05, 99.95])
    np.testing.assert_allclose([low, high], expected, atol=2 * (o.high - o.low) / BINS)
    low, high = least_error(o)
    assert 12.0 < high <= 40.0  # one in 200,000 at 40 is worth a coarser step
    many = o.counts * np.where(np.arange(BINS) < BINS - 1, 1000, 1)
    low, high = least_error(Observed(o.low, o.high, many))
    assert 3.0 < high < 8.0  # one in 200 millions is not
    assert o.low <= low < -3.0


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "laplace", "uniform"]), st.booleans())
def test_least_error_beats_min_max(seed: int, kind: str, relu: bool) -> None:
    rng = np.random.default_rng(seed)
    values = getattr(rng, kind)(size=20_000) ** 3
    values = np.maximum(values, 0) if relu else values

    def error(ends: tuple[float, float]) -> float:
        quant = parameters(*ends)
        return float(np.square(to_real(to_int8(values, quant), quant) - values).mean())

    o = observed(values)
    best = least_error(o)
    assert best[0] <= 0.0 <= best[1]
    assert error(best) <= error(min_max(o)) * 1.05 + 1e-12


def test_ranges_do_not_depend_on_batches() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 6, 6, 2))
    graph = net.graph(net.conv("input", 4, activation="relu"))
    x = np.random.default_rng(1).normal(size=(24, 6, 6, 2)).astype(np.float32)
    whole = observe(graph, lambda: [x])
    parts = observe(graph, lambda: [x[:7], x[7:8], x[8:]])
    for name, one in whole.items():
        assert one.low == pytest.approx(parts[name].low, rel=1e-5)
        assert one.high == pytest.approx(parts[name].high, rel=1e-5)
        assert one.counts.sum() == parts[name].counts.sum() > 0
    with pytest.raises(UsageError, match="no calibration samples"):
        observe(graph, list)
    with pytest.raises(UsageError, match="unknown calibration method 'max'"):
        choose(whole, "max")


@pytest.mark.parametrize("seed", range(4))
def test_equalise_keeps_the_function_and_evens_the_ranges(seed: int) -> None:
    """Through ReLU, depthwise with a multiplier, pooling, and a flatten in front of a fully connected layer."""
    net = FloatNet(np.random.default_rng(seed), (1, 8, 8, 3))
    x = net.conv("input", 6, activation="relu", spread=2.0)
    x = net.depthwise(x, times=2, activation="relu")
    x = net.pool("max_pool", net.conv(x, 8, spread=2.0), k=2)
    x = net.pool("average_pool", net.unary("relu", x, activation="relu"), k=2)
    n = int(np.prod(net.shape_of(x)))
    x = net.fully_connected(net.reshape(x, (1, n)), 7, activation="relu6")  # no partner: ReLU6 saturates
    graph = net.graph(net.fully_connected(x, 4))
    assert [(p.first.op, p.second.op) for p in pairs(graph)] == [
        ("conv2d", "depthwise"),
        ("depthwise", "conv2d"),
        ("conv2d", "fully_connected"),
    ]
    after, notes = equalise(graph)
    assert len(notes) == 3
    images = np.random.default_rng(9).normal(size=(4, 8, 8, 3))
    expected, actual = (float_reference.outputs(g, [images])[0] for g in (graph, after))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)

    def spread(g: object) -> float:
        w = g.tensors["conv2d_0/weights"].value  # type: ignore[attr-defined]
        peaks = np.abs(w).max((1, 2, 3))
        return float(peaks.max() / peaks.min())

    assert spread(after) < 0.5 * spread(graph)


def test_a_layer_with_two_readers_is_not_equalised() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 8, 8, 3))
    a = net.conv("input", 4, activation="relu")
    b = net.conv(a, 4)
    assert pairs(net.graph(net.binary("add", a, b))) == []
    assert pairs(net.graph(a, b)) == []


@pytest.mark.parametrize(("values", "masks"), [((0.0, -1e9), True), ((-32768.0, -32768.0), False)])
def test_what_a_mask_leaves_out_is_not_in_the_range(values: tuple[float, float], masks: bool) -> None:
    """An offset of all values is none, however low."""
    net = FloatNet(np.random.default_rng(0), (1, 4, 6))
    held = np.where(np.arange(6) % 2 == 0, *values).reshape(1, 1, 6)
    total = net.binary("add", "input", net.constant(held))
    graph = net.graph(net.unary("softmax", net.reshape(total, (1, 2, 12)), beta=1.0))
    x = np.random.default_rng(1).normal(size=(20, 4, 6)).astype(np.float32)
    ranges = choose(observe(graph, lambda: [x]), "mse")
    for name in (total, graph.nodes[1].outputs[0]):
        assert (ranges[name][0] > -12) == masks
    quantized = quantize(graph, ranges)
    constant_ = next(t for t in quantized.tensors.values() if t.data is not None)
    assert (constant_.q.scale < 1) == masks
