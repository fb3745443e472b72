"""Random FLOAT nets, quantised, lowered, packed and run in C: outputs stay within a few steps of float."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.data import Dataset
from edgekc.emulate import reference
from edgekc.errors import ModelError, UnsupportedError
from edgekc.evaluate import host_outputs, input_levels
from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Graph, Quant, Stage, constant
from edgekc.ops import LOWER, OPS, SOURCES, legal
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import prepare, to_real


def residual(net: FloatNet) -> str:
    a = net.conv("input", 8, activation="relu")
    b = net.conv(net.conv(a, 8, activation="relu"), 8)
    c = net.binary("add", a, b, activation="relu")
    return net.fully_connected(net.mean(c), 5)


def mobile(net: FloatNet) -> str:
    x = net.conv("input", 6, stride=2, activation="relu6")
    x = net.depthwise(x, times=2, activation="relu6")
    x = net.conv(x, 8, k=1, activation="relu6")
    return net.unary("softmax", net.fully_connected(net.mean(x), 4), beta=1.0)


def pools(net: FloatNet) -> str:
    x = net.pool("max_pool", net.conv("input", 6), k=3)
    x = net.pool("average_pool", net.unary("relu", x, activation="relu"), k=3, stride=1)
    n = int(np.prod(net.shape_of(x)))
    return net.fully_connected(net.reshape(x, (1, n)), 5)


def branches(net: FloatNet) -> str:
    a, b = net.conv("input", 3), net.conv("input", 4, k=1)
    x = net.concat(a, b, "input", activation="relu")
    return net.conv(net.pad(x, 1), 4)


def gate(net: FloatNet) -> str:
    x = net.conv("input", 4)
    scaled = net.binary("mul", x, net.constant(net.rng.normal(size=(1, 1, 1, 4))))
    shifted = net.binary("add", scaled, net.constant(net.rng.normal(size=(1, 1, 1, 4))))
    return net.binary("mul", shifted, net.unary("logistic", x))


def probabilities(net: FloatNet) -> str:
    """A softmax in a concatenation: its fixed steps must not be forced on the others."""
    x = net.fully_connected(net.mean(net.conv("input", 6)), 4)
    return net.fully_connected(net.concat(net.unary("softmax", x, beta=1.0), x), 5)


def upsampled(net: FloatNet) -> str:
    """Down and up again, as networks for segmentation do."""
    small = net.conv(net.conv("input", 6, stride=2, activation="relu"), 8, stride=2, activation="relu")
    large = net.resize("resize_nearest", net.transposed(small, 6, activation="relu"), (9, 8))
    both = net.concat(large, net.resize("resize_bilinear", small, (9, 8)))
    return net.conv(both, 4, k=1)


def chosen(net: FloatNet) -> str:
    """Of two tensors, or of a tensor and a number, that which a third says: a level beside it makes no jump."""
    a, b = net.conv("input", 6), net.conv("input", 6, k=1)
    larger = net.op("compare", a, b, relation="greater")
    most = net.constant(np.full((1, 1, 1, 1), 0.25))
    below = net.op("select", net.op("compare", b, most, relation="less"), b, most)
    return net.conv(net.binary("add", net.op("select", larger, a, b), below), 4)


def ranked(net: FloatNet) -> str:
    x = net.fully_connected(net.mean(net.conv("input", 6, activation="relu")), 9)
    best = net.op("top_k", x, shape=(1, 4), count=4)
    return net.fully_connected(net.concat(best, x), 5)


NETS: dict[str, Callable[[FloatNet], str]] = {
    f.__name__: f for f in (residual, mobile, pools, branches, gate, probabilities, upsampled, chosen, ranked)
}


def made(name: str, seed: int = 0) -> tuple[Graph, Dataset]:
    net = FloatNet(np.random.default_rng(seed), (1, 9, 8, 3))
    graph = net.graph(NETS[name](net))
    x = np.random.default_rng(seed + 100).normal(0, 1, (96, 9, 8, 3)).astype(np.float32)
    return graph, Dataset(x, None, (), "test")


def error_in_steps(graph: Graph, quantized: Graph, data: Dataset) -> float:
    """Root mean square of (dequantised output - float output), in steps of the int8 output."""
    expected = float_reference.outputs(graph, [data.x])[0]
    ekc = pack(to_integer(quantized, {}))
    levels = input_levels(data, quantized)
    actual = host_outputs(ekc, levels)[0]
    # The generated C computes the definition.
    np.testing.assert_array_equal(actual[:8], reference.outputs(unpack(ekc, "test"), [levels[:8]])[0])
    quant = quantized.tensors[quantized.outputs[0]].q
    return float(np.sqrt(np.square(to_real(actual, quant) - expected).mean())) / quant.scale


# A net whose every tensor rounds once and whose weights have 8 bits comes out between 0.4 and 0.8 steps; a wrong
# zero point, scale, clamp or operand order is off by tens.
@pytest.mark.parametrize("method", ["min-max", "percentile", "mse"])
@pytest.mark.parametrize("name", NETS)
def test_outputs_stay_close_to_float(name: str, method: str) -> None:
    graph, data = made(name)
    settings = Quantize.model_validate({"method": method, "equalise": "off"})
    quantized = post_training(graph, data, settings)
    assert quantized.stage is Stage.QUANTIZED
    assert error_in_steps(graph, quantized, data) < 1.2


def test_the_bound_can_fail() -> None:
    graph, data = made("residual")
    quantized = post_training(graph, data, Quantize())
    bias = quantized.tensors["conv2d_0/bias"]
    step = quantized.tensors["input"].q.scale * quantized.tensors["conv2d_0/weights"].q.scale
    moved = constant(bias.name, bias.value + int(0.3 / step), bias.role)
    bad = replace(quantized, tensors={**quantized.tensors, bias.name: moved})
    assert error_in_steps(graph, bad, data) > 1.2


def test_every_operator_that_lowers_can_be_quantised() -> None:
    """All but compressed layers, which come later, the table that a pass makes, and what only int8 files have."""
    later = {op.name for op in OPS.values() if op.packs}
    later |= {"table", "mean_of_table", "sequence_lstm", "dequantize", "lookup"}
    assert LOWER.keys() - later == {name for name, source in SOURCES.items() if source.floats is not None}


def test_shared_and_fixed_parameters() -> None:
    net = FloatNet(np.random.default_rng(1), (1, 8, 8, 3))
    a, b = net.conv("input", 3, activation="relu"), net.conv("input", 4)
    joined = net.concat(a, net.pool("max_pool", net.pad(b, 0), k=1, stride=1))
    out = net.unary("logistic", net.fully_connected(net.mean(joined), 3))
    data = Dataset(np.random.default_rng(2).normal(size=(32, 8, 8, 3)).astype(np.float32), None, (), "test")
    q = post_training(net.graph(out), data, Quantize())
    assert len({q.tensors[n].quant for n in (a, b, joined)}) == 1
    assert q.tensors[out].quant == Quant((1 / 256,), (-128,))
    assert q.tensors[a].quant != q.tensors[net.nodes[-2].outputs[0]].quant


def test_range_is_what_is_left_after_the_activation() -> None:
    net = FloatNet(np.random.default_rng(1), (1, 8, 8, 3))
    x = net.unary("relu", net.conv("input", 8), activation="relu")
    data = Dataset(np.random.default_rng(2).normal(size=(32, 8, 8, 3)).astype(np.float32), None, (), "test")
    q = post_training(net.graph(x), data, Quantize())
    assert [n.op for n in q.nodes] == ["conv2d"]
    assert q.tensors[q.outputs[0]].q.zero_point == -128


def test_concat_activation_moves_to_the_inputs() -> None:
    net = FloatNet(np.random.default_rng(1), (1, 4, 4, 3))
    a = net.conv("input", 3)
    graph = net.graph(net.concat(a, net.conv(a, 2), activation="relu"))
    ready = prepare(graph)
    assert [n.attrs["activation"] for n in ready.nodes if n.op == "concat"] == ["none"]
    x = np.random.default_rng(0).normal(size=(3, 4, 4, 3))
    before, after = (float_reference.outputs(g, [x])[0] for g in (graph, ready))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("what", ["dead filters", "dead layer", "large bias", "tiny weights", "constant input"])
def test_degenerate_nets_stay_legal(what: str) -> None:
    net = FloatNet(np.random.default_rng(3), (1, 6, 6, 3))
    a = net.conv("input", 8, activation="relu")
    out = net.fully_connected(net.mean(net.binary("add", a, net.conv(a, 8))), 4)
    w, b = net.tensors["conv2d_0/weights"], net.tensors["conv2d_0/bias"]
    weights, bias = w.value.copy(), b.value.copy()
    if what == "dead filters":
        weights[:4] = 0
        bias[:2] = 0
    if what == "dead layer":
        weights[:], bias[:] = 0, -1
    if what == "large bias":
        bias[0] = 1e6
    if what == "tiny weights":
        weights[0] *= 1e-30
    net.tensors[w.name], net.tensors[b.name] = constant(w.name, weights, w.role), constant(b.name, bias, b.role)
    x = np.random.default_rng(4).normal(size=(16, 6, 6, 3)).astype(np.float32) * (what != "constant input")
    data = Dataset(x, None, (), "test")
    graph = net.graph(out)
    quantized = post_training(graph, data, Quantize(equalise="on"))
    legal.check(quantized)
    assert error_in_steps(graph, quantized, data) < 1.5


def test_bias_correction_removes_the_mean_error() -> None:
    """Weights of very coarse steps give an error in the mean, which the correction takes out of the outputs."""
    net = FloatNet(np.random.default_rng(5), (1, 8, 8, 3))
    x = net.conv("input", 8, activation="relu")
    graph = net.graph(net.mean(net.conv(x, 8)))
    for name in ("conv2d_0/weights", "conv2d_1/weights"):  # one outlier a filter leaves 8 levels for the rest
        w = graph.tensors[name].value.copy()
        w[:, 0, 0, 0] = 30 * np.abs(w).max()
        net.tensors[name] = constant(name, w, net.tensors[name].role)
    data = Dataset(np.random.default_rng(6).uniform(0, 1, (64, 8, 8, 3)).astype(np.float32), None, (), "test")
    errors = []
    for correct in (False, True):
        q = post_training(graph, data, Quantize(equalise="off", bias_correction=correct, method="min-max"))
        expected = float_reference.outputs(graph, [data.x])[0]
        actual = to_real(host_outputs(pack(to_integer(q, {})), input_levels(data, q))[0], q.tensors[q.outputs[0]].q)
        errors.append(float(np.abs((actual - expected).mean(0)).max()))
    assert errors[1] < 0.5 * errors[0]


def test_pixels_keep_their_steps() -> None:
    graph, _ = made("residual")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 9, 8, 3)).astype(np.uint8)
    q = post_training(graph, Dataset(pixels, None, (), "test"), Quantize())
    assert q.tensors["input"].quant == Quant((1.0,), (-128,))
    data = Dataset(pixels, None, (), "test")
    np.testing.assert_array_equal(input_levels(data, q), (pixels.astype(int) - 128).astype(np.int8))
    given = Dataset(pixels.view(np.int8), None, (), "test", Quant((0.5,), (3,)))
    q = post_training(graph, given, Quantize())
    assert q.tensors["input"].quant == Quant((0.5,), (3,))
    np.testing.assert_array_equal(input_levels(given, q), pixels.view(np.int8))


def test_without_data_it_warns() -> None:
    graph, _ = made("residual")
    lines: list[str] = []
    post_training(graph, None, Quantize(samples=8), log=lines.append)
    assert lines[0].startswith("warning: no data: ranges come from 8 samples of standard normal noise")
    lines.clear()
    q = post_training(graph, None, Quantize(samples=8, input_range=(0.0, 255.0)), log=lines.append)
    assert "synthetic patterns from 0 to 255" in lines[0]
    assert q.tensors["input"].quant == Quant((1.0,), (-128,))


def test_repeatable() -> None:
    graph, data = made("mobile")
    first, second = (pack(to_integer(post_training(graph, data, Quantize(samples=32)), {})) for _ in range(2))
    assert first == second
    assert first != pack(to_integer(post_training(graph, data, Quantize(samples=32, seed=1)), {}))


def test_nan_weight_is_named() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 4, 4, 2))
    out = net.conv("input", 2)
    w = net.tensors["conv2d_0/weights"].value.copy()
    w[1, 0, 0, 0] = np.nan
    net.tensors["conv2d_0/weights"] = constant("conv2d_0/weights", w, net.tensors["conv2d_0/weights"].role)
    data = Dataset(np.ones((4, 4, 4, 2), np.float32), None, (), "test")
    with pytest.raises(ModelError, match="conv2d_0: the activation is NaN"):
        post_training(net.graph(out), data, Quantize())


def test_unknown_operator_is_named() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 4, 4, 2))
    with pytest.raises(UnsupportedError, match="celu_0: celu has no float definition"):
        post_training(net.graph(net.unary("celu", "input")), None, Quantize(samples=4))


def test_padding_stays_in_front_of_a_transposed_convolution() -> None:
    """Whose own padding is counted in pixels of the output."""
    net = FloatNet(np.random.default_rng(4), (1, 5, 4, 3))
    graph = net.graph(net.transposed(net.pad("input", 1), 4))
    assert [node.op for node in prepare(graph).nodes] == ["pad", "transpose_conv"]
