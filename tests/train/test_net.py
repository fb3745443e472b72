"""The trainable twin of a FLOAT graph: it computes what the float reference computes, and gives back what it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.compression.methods import cluster, codebook, pairs
from edgekc.compression.model import Model, Templates
from edgekc.graph.ir import Graph
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.net import Net  # noqa: E402 - needs PyTorch
from edgekc.train.parameters import Dense  # noqa: E402


def every_operator() -> Graph:
    net = FloatNet(np.random.default_rng(3), (1, 9, 7, 3), activation="relu")
    first = net.conv("input", 8, 3, stride=2)
    deep = net.depthwise(net.grouped(first, 8, 2), 3, times=2, activation="relu6")
    pooled = net.pool("max_pool", net.pad(deep, 1), 3, 2)
    averaged = net.pool("average_pool", net.pad(deep, 1), 3, 2)
    both = net.concat(pooled, averaged)
    scaled = net.binary("mul", both, net.constant(np.linspace(0.5, 1.5, 32).reshape(1, 1, 1, 32)))
    added = net.binary("add", scaled, both, activation="relu_n1_to_1")
    larger = net.transposed(added, 12, stride=3, activation="relu")
    resized = net.resize("resize_bilinear", net.resize("resize_nearest", larger, (5, 8)), (7, 3))
    less = net.op("compare", resized, net.constant(np.full((1, 1, 1, 1), 0.1)), relation="less_equal")
    resized = net.op("select", less, net.unary("neg", resized), resized)
    flat = net.mean(net.unary("tanh", net.unary("logistic", resized)))
    flat = net.op("top_k", flat, shape=(1, 7), count=7)
    places = net.op("top_k_places", flat, shape=(1, 3), count=3)
    rows = net.op("embedding", places, net.constant(np.arange(14).reshape(7, 2) / 9), shape=(1, 3, 2))
    flat = net.concat(flat, net.reshape(rows, (1, 6)))
    out = net.unary("softmax", net.fully_connected(flat, 5), beta=1.0)
    return net.graph(out)


def samples(graph: Graph, count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *graph.tensors[graph.inputs[0]].shape[1:])).astype(np.float32)


def compressed() -> tuple[Model, str, str]:
    """A net with a template layer of clustered pairs, and a clustered transposed convolution."""
    net = FloatNet(np.random.default_rng(5), (1, 8, 8, 6), activation="relu")
    first = net.conv("input", 12, stride=2)
    second = net.transposed(first, 10)
    model = Model(prepare(net.graph(net.fully_connected(net.mean(second), 4))))
    w = model.graph.tensors[model.weights(first)].value
    book = codebook.find([w], 6, codebook.Options())
    layer = book.layers[0]
    grouped = pairs.cluster(layer, 9, 16, seed=0)
    a, b = grouped.expanded()
    record = Templates(codebook.LayerKernels(layer.index, a, b, layer.residual, layer.relative_error), "book", grouped)
    model = model.with_templates(first, record, book.templates)
    w = model.graph.tensors[model.weights(second)].value
    return model.with_cluster(second, cluster.cluster(w, 8, cluster.Options(row_scale="rms"))), first, second


def compressed_depthwise() -> tuple[Model, str, str]:
    """A net with a depthwise layer on templates with clustered pairs, and a clustered one, of multiplier 2."""
    net = FloatNet(np.random.default_rng(6), (1, 8, 8, 6), activation="relu")
    first = net.depthwise(net.conv("input", 12, k=1), times=2)
    second = net.depthwise(net.conv(first, 10, k=1), stride=2)
    model = Model(prepare(net.graph(net.fully_connected(net.mean(second), 4))))
    w = codebook.from_depthwise(model.graph.tensors[model.weights(first)].value)
    book = codebook.find([w], 5, codebook.Options())
    grouped = pairs.cluster(book.layers[0], 9, 8, seed=0)
    a, b = grouped.expanded()
    free = np.stack([book.layers[0].a, book.layers[0].b], -1)
    record = Templates(replace(book.layers[0], a=a, b=b), "book", grouped, free)
    model = model.with_templates(first, record, book.templates)
    w = model.graph.tensors[model.weights(second)].value
    options = cluster.Options(row_scale="rms", channel_axis=3)
    return model.with_cluster(second, cluster.cluster(w, 8, options)), first, second


def compressed_grouped() -> tuple[Model, str, str]:
    """A net with a layer in groups on templates with clustered pairs, and a clustered one."""
    net = FloatNet(np.random.default_rng(7), (1, 8, 8, 6), activation="relu")
    first = net.grouped(net.conv("input", 12, k=1), 9, groups=3)
    second = net.grouped(net.conv(first, 10, k=1), 8, groups=2, stride=2)
    model = Model(prepare(net.graph(net.fully_connected(net.mean(second), 4))))
    book = codebook.find([model.graph.tensors[model.weights(first)].value], 5, codebook.Options())
    grouped = pairs.cluster(book.layers[0], 9, 8, seed=0)
    a, b = grouped.expanded()
    free = np.stack([book.layers[0].a, book.layers[0].b], -1)
    record = Templates(replace(book.layers[0], a=a, b=b), "book", grouped, free)
    model = model.with_templates(first, record, book.templates)
    w = model.graph.tensors[model.weights(second)].value
    return model.with_cluster(second, cluster.cluster(w, 8, cluster.Options(row_scale="rms"))), first, second


MODELS = [compressed, compressed_depthwise, compressed_grouped]


def test_every_operator_as_the_float_reference() -> None:
    graph = every_operator()
    net, x = Net(graph), samples(graph)
    values = float_reference.run(graph, [x])
    found = net.activations(torch.from_numpy(x), values.keys() - {"input"})
    for name in values.keys() - {"input"}:
        np.testing.assert_allclose(found[name].detach().numpy(), values[name], rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), values[net.scores], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("made", MODELS)
def test_compressed_layers_compute_their_reconstruction_and_come_back(
    made: Callable[[], tuple[Model, str, str]],
) -> None:
    model, first, second = made()
    net, x = Net(model), samples(model.graph)
    expected = float_reference.outputs(model.graph, [x])[0]
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    back = net.model()
    for name, t in model.graph.tensors.items():
        if t.data is not None:
            np.testing.assert_allclose(back.graph.tensors[name].value, t.value, rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(back.clusters[second].centers, model.clusters[second].centers)
    np.testing.assert_array_equal(back.clusters[second].index, model.clusters[second].index)
    np.testing.assert_array_equal(back.templates[first].kernels.index, model.templates[first].kernels.index)


def test_a_paper_net_trains_a_b_and_bias_but_not_templates_or_indices() -> None:
    model, first, _ = compressed()
    net = Net(model)
    before = {name: p.detach().clone() for name, p in net.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(torch.from_numpy(samples(model.graph))).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if "book" in name or "index" in name]
    key = net._keys[first]
    assert {f"layers.{key}.values", f"layers.{key}.scales", f"biases.{key}"} <= changed


@pytest.mark.parametrize("made", MODELS)
@pytest.mark.parametrize("layer", [0, 1])
def test_reassignment_takes_the_nearest_for_each_latent_value(
    layer: int, made: Callable[[], tuple[Model, str, str]]
) -> None:
    model, first, second = made()
    net = Net(model, latent=True)
    module = net.layers[net._keys[(first, second)[layer]]]
    with torch.no_grad():
        module.latent.add_(0.05 * torch.randn(module.latent.shape, generator=torch.Generator().manual_seed(1)))

    def distance() -> float:
        """How far the compressed values are from the latent ones."""
        latent, module.latent = module.latent, None
        mine = module() if layer else torch.stack(module.pairs(), -1)
        module.latent = latent
        size = torch.tensor([1.0, 3.0 * pairs.WINDOW]) if layer == 0 else 1.0  # an error of b adds up over nine taps
        return float(((mine - latent) * size).square().sum().detach())

    before = distance()
    assert module.reassign() > 0.01
    assert distance() < before
    assert module.reassign() == 0.0


@pytest.mark.parametrize("made", MODELS)
@pytest.mark.parametrize("layer", [0, 1])
def test_latent_values_and_what_is_packed_are_trained_together(
    layer: int, made: Callable[[], tuple[Model, str, str]]
) -> None:
    model, first, second = made()
    net = Net(model, latent=True)
    module = net.layers[net._keys[(first, second)[layer]]]
    net(torch.from_numpy(samples(model.graph))).square().sum().backward()
    packed = [module.centers, module.scales] if layer else [module.values, module.scales]
    assert all(float(p.grad.abs().sum()) > 0 for p in (module.latent, *packed))
    net.freeze_indices()
    assert module.latent is None


@pytest.mark.parametrize("made", MODELS)
def test_dense_latent_weights_choose_templates_anew(made: Callable[[], tuple[Model, str, str]]) -> None:
    model, first, _ = made()
    record = replace(model.templates[first], pairs=None)
    net = Net(replace(model, templates={first: record}), latent=True)
    module = net.layers[net._keys[first]]

    def distance() -> float:
        latent = module.latent.permute(3, 1, 2, 0) if module.depthwise else module.latent
        return float((module() - latent).square().sum())

    with torch.no_grad():
        module.latent.copy_(module.latent.flip(0))  # kernels of other filters
        before = distance()
        assert module.reassign() > 0.1
        assert distance() < before
        assert module.reassign() == 0.0


@pytest.mark.parametrize("size", [1e-4, 0.003, 0.1, 2.0, 0.0])
def test_weights_have_a_unit_in_which_a_step_is_small(size: float) -> None:
    weights = (size * np.random.default_rng(0).standard_normal((4, 3, 3, 2))).astype(np.float32)
    layer = Dense(weights)
    np.testing.assert_array_equal(layer().detach().numpy(), weights)  # the unit is a power of two
    trained = layer.relative.detach().numpy()
    assert size == 0 or np.sqrt(np.square(trained).mean()) > 0.02


def repeated(bits: int) -> Model:
    """One layer three times behind each other, the last time with another bias, dense or clustered; zeros twice."""
    net = FloatNet(np.random.default_rng(8), (1, 1, 1, 6))
    x, layers = "input", []
    for _ in range(3):
        x = net.fully_connected(x, 6)
        layers.append(x)
    x = net.fully_connected(net.fully_connected(x, 6), 6)
    graph = net.graph(x)
    tensors = dict(graph.tensors)
    for name in layers[1:]:
        for what in ("weights", "bias"):
            value = tensors[f"{layers[0]}/{what}"].value + (name == layers[2] and what == "bias")
            tensors[f"{name}/{what}"] = replace(tensors[f"{name}/{what}"], data=value)
    for name in (graph.nodes[3].name, graph.nodes[4].name):
        tensors[f"{name}/weights"] = replace(tensors[f"{name}/weights"], data=np.zeros((6, 6), np.float32))
    model = Model(prepare(replace(graph, tensors=tensors)))
    for name in layers if bits else []:
        w = model.graph.tensors[model.weights(name)].value
        model = model.with_cluster(name, cluster.cluster(w, 2**bits, cluster.Options(row_scale="rms")))
    return model


@pytest.mark.parametrize("bits", [0, 2])
def test_a_layer_that_is_used_again_stays_one(bits: int) -> None:
    """As the steps of an unrolled recurrence are; layers that are alike in nothing but zeros stay apart."""
    model = repeated(bits)
    net = Net(model)
    assert (len(net.layers), len(net.biases)) == (3, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    last = model.graph.nodes[2].outputs[0]
    net.activations(torch.from_numpy(samples(model.graph)), [last])[last].square().sum().backward()
    optimizer.step()
    after = net.model()
    first, second, third = (after.graph.tensors[after.weights(node.name)].value for node in after.graph.nodes[:3])
    assert not np.array_equal(first, model.graph.tensors[model.weights(model.graph.nodes[0].name)].value)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert len(after.clusters) == len(model.clusters)
