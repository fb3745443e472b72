"""Pruning through adds, concats, flattens and depthwise layers; the order of rounds; global average pooling."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from float_nets import FloatNet
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.compression.methods import gap, prune
from edgekc.compression.methods import tied as _tied
from edgekc.compression.methods.prune import Budget, Schedule
from edgekc.errors import UsageError
from edgekc.graph import ir
from edgekc.graph.ir import Graph, Tensor
from edgekc.ops import legal
from edgekc.quantize import float_reference


def zeroed(graph: ir.Graph, layer: str, filters: np.ndarray) -> ir.Graph:
    """The same graph with the filters and biases of all tied channels set to 0."""
    tied = _tied.groups(graph)
    gone = tied.labels[_tied.node_of(graph, layer).outputs[0]][filters]
    keep = {name: ~np.isin(labels, gone) for name, labels in tied.labels.items()}
    tensors = dict(graph.tensors)
    for node in graph.nodes:
        for name, axis, mask in _tied.constant_masks(graph, node, keep):
            shape = [len(mask) if a == axis else 1 for a in range(len(tensors[name].shape))]
            value = tensors[name].value * mask.reshape(shape).astype(np.float32)
            tensors[name] = ir.constant(name, value, tensors[name].role)
    return ir.Graph(graph.name, graph.stage, tensors, graph.nodes, graph.inputs, graph.outputs, {})


def residual(seed: int = 0) -> tuple[ir.Graph, list[str]]:
    """conv - (conv - conv) + skip - depthwise - pool - flatten - dense - dense, with a constant add on the way."""
    net = FloatNet(np.random.default_rng(seed), (1, 8, 8, 3), "relu")
    a = net.conv("input", 8)
    b = net.conv(a, 10)
    c = net.conv(b, 8, activation="none")
    d = net.op("add", c, a, activation="relu")
    d = net.op("mul", d, net.constant(np.random.default_rng(seed).uniform(0.5, 1, (1, 1, 1, 8))), activation="none")
    e = net.depthwise(d, times=2)
    f = net.conv(e, 6, k=1, activation="relu6")
    g = net.pool("max_pool", f)
    h = net.fully_connected(net.op("reshape", g, shape=(1, 96)), 12, activation="relu")
    return net.graph(net.fully_connected(h, 5)), [a, b, c, e, f, h]


def upsampled(seed: int = 0) -> tuple[ir.Graph, list[str]]:
    """Down, and up again by a transposed convolution and by resizing, with a sum where they meet."""
    net = FloatNet(np.random.default_rng(seed), (1, 8, 8, 3), "relu")
    a = net.conv("input", 6)
    b = net.conv(a, 9, stride=2)
    c = net.transposed(b, 6)
    d = net.op("add", c, a, activation="relu")
    e = net.resize("resize_bilinear", net.conv(d, 7, stride=2), (8, 8))
    f = net.op("concat", d, net.resize("resize_nearest", e, (8, 8)), shape=(1, 8, 8, 13), axis=3, activation="none")
    return net.graph(net.transposed(f, 4, k=2)), [a, b, c]


def joined(seed: int = 0) -> tuple[ir.Graph, list[str]]:
    """Two branches of different width, concatenated, pooled, averaged, gated."""
    net = FloatNet(np.random.default_rng(seed), (1, 8, 8, 3), "relu")
    a, b = net.conv("input", 6), net.conv("input", 9, k=1)
    c = net.op("concat", a, b, shape=(1, 8, 8, 15), axis=3, activation="none")
    d = net.pool("average_pool", c)
    d = net.op("pad", d, shape=(1, 5, 6, 15), pads="0,0,1,0,1,1,0,0")
    e = net.conv(d, 7)
    pooled = net.op("mean", e, shape=(1, 1, 1, 7), axes="1,2", keep_dims=1)
    g = net.op("logistic", net.fully_connected(pooled, 7))
    h = net.op("mul", e, g, activation="none")
    last = net.conv(net.op("relu", h, activation="relu"), 4)
    out = net.op("mean", last, shape=(1, 4), axes="1,2", keep_dims=0)
    return net.graph(net.op("softmax", out, beta=1.0)), [a, b, e]


@given(st.integers(0, 1000), st.sampled_from([residual, joined, upsampled]), st.integers(0, 5), st.data())
@settings(max_examples=40, deadline=None)
def test_the_rest_computes_what_zeroed_filters_leave(seed, build, which, data) -> None:
    graph, layers = build(seed)
    layer = layers[which % len(layers)]
    oc = graph.tensors[layer].shape[-1]
    gone = np.array(sorted(data.draw(st.sets(st.integers(0, oc - 1), min_size=1, max_size=oc // 2 - 1))))
    pruned = prune.remove_filters(graph, layer, gone)
    legal.check(pruned)
    x = [np.random.default_rng(seed).standard_normal((2, 8, 8, 3)).astype(np.float32)]
    expected = float_reference.outputs(zeroed(graph, layer, gone), x)[0]
    assert float_reference.outputs(pruned, x)[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    per_group = 2 if layer == "depthwise_5" else 1  # a depthwise layer of multiplier 2 loses pairs
    left = len({i // per_group for i in range(oc)} - {int(i) // per_group for i in gone}) * per_group
    assert pruned.tensors[layer].shape[-1] == left
    assert prune.macs(pruned) < prune.macs(graph) and prune.weight_bytes(pruned) < prune.weight_bytes(graph)
    for t in pruned.tensors.values():
        assert t.data is None or t.data.shape == t.shape


def _gain(graph: Graph) -> Tensor:
    """The constant that the residual net multiplies with."""
    product = next(node for node in graph.nodes if node.op == "mul")
    return graph.tensors[product.inputs[1]]


def test_a_residual_add_ties_its_operands() -> None:
    graph, (a, b, c, e, f, h) = residual()
    pruned = prune.remove_filters(graph, c, np.array([1, 4]))
    shapes = {n: pruned.tensors[f"{n}/weights"].shape for n in (a, b, c, e, f, h)}
    assert shapes == {a: (6, 3, 3, 3), b: (10, 3, 3, 6), c: (6, 3, 3, 10), e: (1, 3, 3, 12), f: (6, 1, 1, 12), h: (12, 96)}  # fmt: skip  # noqa: E501
    assert _gain(pruned).shape == (1, 1, 1, 6)
    assert np.array_equal(_gain(pruned).value, np.delete(_gain(graph).value, [1, 4], axis=3))


def test_a_flatten_ties_all_positions_of_a_channel() -> None:
    graph, (*_, f, h) = residual()
    pruned = prune.remove_filters(graph, f, np.array([2]))
    assert pruned.tensors[f"{h}/weights"].shape == (12, 80)
    expected = graph.tensors[f"{h}/weights"].value.reshape(12, 16, 6)[:, :, [0, 1, 3, 4, 5]].reshape(12, 80)
    assert np.array_equal(pruned.tensors[f"{h}/weights"].value, expected)


def test_outputs_and_whole_layers_are_not_removed() -> None:
    graph, (a, *_) = residual()
    last = graph.nodes[-1].name
    with pytest.raises(UsageError, match="cannot be removed"):
        prune.remove_filters(graph, last, np.array([0]))
    with pytest.raises(UsageError, match="every channel"):
        prune.remove_filters(graph, a, np.arange(8))
    with pytest.raises(UsageError, match="no such layer"):
        prune.remove_filters(graph, "conv9", np.array([0]))
    with pytest.raises(UsageError, match="filters 8 to 8 of 8"):
        prune.remove_filters(graph, a, np.array([8]))


def test_criteria() -> None:
    graph, (a, _, _, e, _, h) = residual()
    w = graph.tensors[f"{a}/weights"].value
    assert prune.l1(graph)[a] == pytest.approx([np.abs(k).sum() for k in w])
    assert prune.l2(graph)[e] == pytest.approx([np.linalg.norm(k) for k in graph.tensors[f"{e}/weights"].value[0].transpose(2, 0, 1)])  # fmt: skip  # noqa: E501
    x = np.random.default_rng(1).standard_normal((4, 8, 8, 3)).astype(np.float32)
    values = float_reference.run(graph, [x])
    assert prune.apoz({h: values[h]})[h] == pytest.approx((values[h] > 0).mean(0))
    gradients = np.random.default_rng(2).standard_normal(values[a].shape)
    scores = prune.taylor({a: values[a]}, {a: gradients})[a]
    assert scores[3] == pytest.approx(np.mean([abs((values[a][n, :, :, 3] * gradients[n, :, :, 3]).sum()) for n in range(4)]))  # fmt: skip  # noqa: E501


def test_macs_and_bytes() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 8, 8, 3), "relu")
    graph = net.graph(
        net.fully_connected(net.op("reshape", net.depthwise(net.conv("input", 6, stride=2)), shape=(1, 96)), 10)
    )
    assert prune.macs(graph) == 16 * 6 * 27 + 16 * 6 * 9 + 960
    assert prune.weight_bytes(graph) == 4 * (6 * 27 + 6 + 54 + 6 + 960 + 10)


def distance(graph: ir.Graph):  # type: ignore[no-untyped-def]
    """A loss: how far the outputs are from those of this graph."""
    x = [np.random.default_rng(3).standard_normal((8, *graph.tensors["input"].shape[1:])).astype(np.float32)]
    base = float_reference.outputs(graph, x)[0]
    return lambda other: float(np.square(float_reference.outputs(other, x)[0] - base).mean() / np.square(base).mean())


@pytest.mark.parametrize("build", [residual, joined, upsampled])
def test_pruning_stops_at_the_budget_of_macs(build) -> None:  # type: ignore[no-untyped-def]
    graph, _ = build()
    budget = prune.macs(graph) // 2
    calls: list[int] = []

    def fine_tune(g: ir.Graph) -> ir.Graph:
        calls.append(prune.macs(g))
        return g

    out = prune.prune_to_budget(graph, distance(graph), fine_tune, Budget(macs=budget), Schedule(least=2), prune.l1)
    assert out.reached and prune.macs(out.graph) <= budget < [prune.macs(graph), *[r.macs for r in out.rounds]][-2]
    assert all(a.macs > b.macs for a, b in pairwise(out.rounds))
    assert len(calls) == sum(r.fine_tuned for r in out.rounds) + (not out.rounds[-1].fine_tuned)
    assert 1 <= len(calls) < len(out.rounds)  # fewer than one for each round
    again = prune.prune_to_budget(graph, distance(graph), lambda g: g, Budget(macs=budget), Schedule(least=2), prune.l1)
    assert again.rounds == out.rounds


def test_each_round_takes_the_layer_that_pays_best() -> None:
    net = FloatNet(np.random.default_rng(4), (1, 8, 8, 3), "relu")
    a = net.conv("input", 16)
    b = net.conv(a, 16)
    graph = net.graph(net.fully_connected(net.op("mean", b, shape=(1, 16), axes="1,2", keep_dims=0), 4))
    useless = dict(graph.tensors)
    value = useless[f"{b}/weights"].value.copy()
    value[:8] *= 1e-6  # b has filters that nobody would miss
    useless[f"{b}/weights"] = ir.constant(f"{b}/weights", value, ir.Role.WEIGHTS)
    bias = useless[f"{b}/bias"].value.copy()
    bias[:8] = -1
    useless[f"{b}/bias"] = ir.constant(f"{b}/bias", bias, ir.Role.BIAS)
    graph = ir.Graph("net", graph.stage, useless, graph.nodes, graph.inputs, graph.outputs, {})
    budget = Budget(weight_bytes=prune.weight_bytes(graph) - 8 * 4 * (9 * 16 + 1 + 4))
    out = prune.prune_to_budget(graph, distance(graph), lambda g: g, budget, Schedule(), prune.l1)
    assert {r.layers for r in out.rounds} == {(b,)} and out.graph.tensors[b].shape[-1] == 8
    assert out.rounds[-1].loss < 1e-9 and not any(r.fine_tuned for r in out.rounds)


def test_a_wide_layer_of_little_computation_does_not_take_hundreds_of_rounds() -> None:
    net = FloatNet(np.random.default_rng(6), (1, 16, 16, 3), "relu")
    x = net.mean(net.conv(net.conv("input", 24), 24))
    wide = net.fully_connected(x, 1000, "relu")
    graph = net.graph(net.fully_connected(wide, 4))
    budget = Budget(weight_bytes=prune.weight_bytes(graph) // 3)
    allowed = frozenset({wide})
    out = prune.prune_to_budget(graph, distance(graph), lambda g: g, budget, Schedule(), prune.l1, allowed)
    assert out.reached and {r.layers for r in out.rounds} == {(wide,)}
    assert out.rounds[0].removed == 25 and len(out.rounds) < 100


def test_floor_and_multiple_hold() -> None:
    graph, (a, b, c, e, f, h) = residual()
    schedule = Schedule(least=4, multiple=4, step=0.2)
    out = prune.prune_to_budget(graph, distance(graph), lambda g: g, Budget(macs=1), schedule, prune.l2)
    assert not out.reached
    assert {n: out.graph.tensors[n].shape[-1] for n in (a, b, c, e, f, h)} == {a: 4, b: 4, c: 4, e: 8, f: 4, h: 4}
    with pytest.raises(UsageError, match="needs a budget"):
        prune.prune_to_budget(graph, distance(graph), lambda g: g, Budget(), schedule, prune.l2)


def test_global_average_pooling_merges_rows() -> None:
    net = FloatNet(np.random.default_rng(5), (1, 8, 8, 3), "relu")
    y = net.pool("max_pool", net.conv("input", 6))
    first = net.fully_connected(net.op("reshape", y, shape=(1, 96)), 12, activation="relu")
    graph = net.graph(net.fully_connected(first, 4))
    pooled, notes = gap.run(graph)
    legal.check(pooled)
    assert notes == [f"{first}: 96 -> 6 inputs, 1080 weights less"]
    assert [n.op for n in pooled.nodes] == ["conv2d", "max_pool", "mean", "fully_connected", "fully_connected"]
    w = graph.tensors[f"{first}/weights"].value
    expected = w.reshape(12, 4, 4, 6).sum((1, 2))
    assert pooled.tensors[f"{first}/weights"].value == pytest.approx(expected, rel=1e-5)
    x = [np.random.default_rng(6).standard_normal((3, 8, 8, 3)).astype(np.float32)]
    flat = float_reference.run(graph, x)[y]
    mean = np.broadcast_to(flat.mean((1, 2), keepdims=True), flat.shape).reshape(3, 96)
    hidden = np.maximum(mean @ w.T + graph.tensors[f"{first}/bias"].value, 0)
    assert float_reference.run(pooled, x)[first] == pytest.approx(hidden, rel=1e-3, abs=1e-4)
    assert gap.run(pooled) == (pooled, [f"{first}: its input is not a flattened map; left as it is"])


def test_global_average_pooling_of_vgg16_leaves_two_million_weights() -> None:
    assert gap.merge(np.ones((4, 7 * 7 * 512), np.float32), 49).shape == (4, 512)
    assert pytest.approx(37.69e6, rel=1e-3) == 138_357_544 - 4096 * 48 * 512  # the paper's net and what is left of it


def test_nothing_to_average_is_said() -> None:
    net = FloatNet(np.random.default_rng(7), (1, 8, 8, 3), "relu")
    graph = net.graph(net.conv("input", 4))
    assert gap.run(graph)[0] is graph and "no fully connected" in gap.run(graph)[1][0]
