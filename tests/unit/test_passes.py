"""Every pass leaves every output byte as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nets import Net

from edgekc.emulate import reference
from edgekc.graph.ir import Graph, Quant
from edgekc.passes import QUANTIZED_PASSES, fold_activations, fold_channels, fold_pads
from edgekc.passes.lower import lower


def outputs(graph: Graph, seed: int = 0, count: int = 6) -> list[np.ndarray]:
    shape = graph.tensors["input"].shape
    x = np.random.default_rng(seed).integers(-128, 128, (count, *shape[1:])).astype(np.int8)
    x[0], x[1] = -128, 127
    return reference.outputs(graph, [x])


def assert_same(before: Graph, after: Graph) -> None:
    for a, b in zip(outputs(before), outputs(after), strict=True):
        np.testing.assert_array_equal(a, b)


def sparse(rng: np.random.Generator, shape: tuple[int, ...], axis: int, dead: float) -> np.ndarray:
    """Weights with whole filters of zeros, and some zero inputs."""
    w = rng.integers(-127, 128, shape)
    mask = rng.random(shape[axis]) >= dead
    return w * mask.reshape([-1 if i == axis else 1 for i in range(len(shape))])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.sampled_from([0.0, 0.4, 0.8, 1.0]))
def test_fold_channels_is_exact(seed: int, relu: bool, padded: bool, dead: float) -> None:
    """Random nets with dead filters: MobileNet blocks, a residual, constant channels on and off the zero point."""
    rng = np.random.default_rng(seed)
    act, zero = ("relu", -128) if relu else ("none", int(rng.integers(-128, 128)))
    net = Net(rng, (1, 7, 6, 3))
    a = net.conv("input", 8, weights=sparse(rng, (8, 3, 3, 3), 0, dead), activation=act, zero=zero)
    b = net.depthwise(a, weights=sparse(rng, (1, 3, 3, 8), 3, dead), pad=padded, activation=act, zero=zero)
    c = net.conv(b, 10, k=1, weights=sparse(rng, (10, 1, 1, 8), 0, dead), activation=act, zero=zero)
    d = net.conv(c, 10, k=3, pad=padded, weights=sparse(rng, (10, 3, 3, 10), 3, dead), activation=act, zero=zero)
    e = net.conv(d, 4, k=1)
    before = lower(net.graph(e))
    after, _ = fold_channels.run(before)
    assert_same(before, after)


def test_fold_channels_removes_what_is_dead() -> None:
    rng = np.random.default_rng(3)
    net = Net(rng, (1, 6, 6, 4))
    w1 = rng.integers(-127, 128, (8, 1, 1, 4))
    w1[[1, 5]] = 0  # constant: bias only
    w2 = rng.integers(-127, 128, (6, 1, 1, 8))
    w2[:, :, :, 3] = 0  # read by nobody
    x = net.conv("input", 8, k=1, weights=w1)
    x = net.conv(x, 6, k=1, weights=w2)
    before = lower(net.graph(x))
    after, notes = fold_channels.run(before)
    assert after.tensors["conv2d_0"].shape == (1, 6, 6, 5)
    assert after.tensors["conv2d_1/weights"].shape == (6, 1, 1, 5)
    assert "8 -> 5 channels (2 constant for every input, moved into the readers' bias, 1 read by nobody)" in notes[0]
    assert_same(before, after)


def test_constant_off_the_zero_point_stays_under_padding() -> None:
    """Outside the image the padded layer reads the zero point, so the contribution is not the same everywhere."""
    rng = np.random.default_rng(4)
    net = Net(rng, (1, 6, 6, 4))
    w = rng.integers(-127, 128, (8, 1, 1, 4))
    w[2] = 0
    bias = np.zeros(8)
    bias[2] = 30000
    x = net.conv("input", 8, k=1, weights=w, bias=bias)
    y = net.conv(x, 4, k=3, pad=True)
    before = lower(net.graph(y))
    known = fold_channels.intervals(before)[x]
    assert known is not None
    assert known.constant[2]
    assert known.low[2] != 5  # the zero point
    after, _ = fold_channels.run(before)
    assert after.tensors[x].shape[3] == 8
    assert_same(before, after)


def test_all_dead_keeps_one_channel() -> None:
    net = Net(np.random.default_rng(5), (1, 4, 4, 2))
    x = net.conv("input", 8, k=1, weights=np.zeros((8, 1, 1, 2)))
    x = net.conv(x, 3, k=1)
    before = lower(net.graph(x))
    after, _ = fold_channels.run(before)
    assert after.tensors["conv2d_0"].shape[3] == 1
    assert_same(before, after)


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_fold_activations(activation: str) -> None:
    net = Net(np.random.default_rng(6), (1, 5, 5, 3))
    x = net.conv("input", 4)
    y = net.unary("relu", x, activation=activation)
    graph = net.graph(net.conv(y, 2))
    after, notes = fold_activations.run(graph)
    assert [n.op for n in after.nodes] == ["conv2d", "conv2d"]
    assert len(notes) == 1
    assert_same(lower(graph), lower(after))


def test_relu_with_two_readers_before_it_stays() -> None:
    net = Net(np.random.default_rng(7), (1, 5, 5, 3))
    x = net.conv("input", 4)
    y = net.unary("relu", x, activation="relu")
    graph = net.graph(net.conv(y, 2), x)
    after, notes = fold_activations.run(graph)
    assert len(after.nodes) == 3
    assert notes == []


def test_fold_pads() -> None:
    net = Net(np.random.default_rng(8), (1, 5, 5, 3))
    x = net.unary("pad", "input", shape=(1, 8, 7, 3), pads="0,0,1,2,1,1,0,0")
    graph = net.graph(net.conv(x, 4, pad=False))
    after, notes = fold_pads.run(graph)
    assert [n.op for n in after.nodes] == ["conv2d"]
    assert len(notes) == 1
    assert_same(lower(graph), lower(after))


def test_identity_reshapes_go() -> None:
    net = Net(np.random.default_rng(9), (1, 1, 1, 6))
    x = net.unary("reshape", "input", shape=(1, 1, 1, 6))
    x = net.unary("reshape", x, shape=(1, 2, 3))
    x = net.unary("reshape", x, shape=(1, 6))
    graph = net.graph(net.fully_connected(x, 4))
    after = graph
    for _, run in QUANTIZED_PASSES:
        after, _ = run(after)
    assert [n.op for n in after.nodes] == ["reshape", "fully_connected"]
    assert_same(lower(graph), lower(after))


def test_a_table_as_long_as_the_channels_is_left_alone() -> None:
    """A look-up table has 256 entries; so may a tensor have 256 channels. They are not the same thing."""
    rng = np.random.default_rng(10)
    net = Net(rng, (1, 2, 2, 3))
    w = rng.integers(-127, 128, (256, 1, 1, 3))
    w[10:200] = 0
    x = net.conv("input", 256, k=1, weights=w)
    x = net.unary("logistic", x)
    net.tensors[x] = replace(net.tensors[x], quant=Quant((1 / 256,), (-128,)))
    before = lower(net.graph(net.conv(x, 4, k=1)))
    after, notes = fold_channels.run(before)
    assert after.tensors[x].shape == (1, 2, 2, 66)
    assert notes
    assert_same(before, after)
