"""The float network's mean and size for the channels of a compressed one: what is fitted, kept, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.methods import cluster, codebook, pairs
from edgekc.compression.methods.steps import cluster_steps
from edgekc.compression.model import Model, Templates
from edgekc.compression.run import compress
from edgekc.compression.statistics import reestimate, scaled
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.format.pack import pack
from edgekc.graph.ir import Array, Graph, constant
from edgekc.graph.op import view_of
from edgekc.ops import layer_filters
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare

SHAPE = (8, 8, 3)


def samples(count: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(0.3, 1, (count, *SHAPE)).astype(np.float32)


def network(seed: int = 5) -> Graph:
    made = FloatNet(np.random.default_rng(seed), (1, *SHAPE), "relu")
    x = made.conv(made.depthwise(made.conv("input", 8)), 12, stride=2)
    return prepare(made.graph(made.fully_connected(made.mean(made.conv(x, 12)), 5)))


def layers(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes if len(node.inputs) == 3]


def coarse(graph: Graph) -> Model:
    model = Model(graph)
    for name in layers(graph):
        weights = graph.tensors[model.weights(name)].value
        model = model.with_cluster(name, cluster_steps(weights, 2, layer_filters(model.node(name)).axis))
    return model


def error(model: Model, x: Array) -> float:
    name = model.graph.outputs[0]
    aim, found = (float_reference.run(graph, [x])[name] for graph in (model.exact(), model.graph))
    return float(np.square(found - aim).sum() / np.square(aim).sum())


@pytest.mark.fast
def test_the_output_error_falls_on_other_samples_and_more_than_by_the_mean_alone() -> None:
    model, x, held = coarse(network()), samples(96, 1), samples(32, 2)
    found, told = reestimate(model, layers(model.graph), x, held)
    assert [each.layer for each in told] == layers(model.graph) and any(each.better for each in told)
    new = samples(64, 3)
    alone = model  # with each layer's mean error in its bias, layer by layer
    for name in layers(model.graph):
        node, out = model.node(name), model.node(name).outputs[0]
        linear = [
            replace(g, nodes=tuple(replace(n, attrs={**n.attrs, "activation": "none"}) if n.name == name else n
                                   for n in g.nodes))
            for g in (model.exact(), alone.graph)
        ]  # fmt: skip
        aim, seen = (float_reference.run(g, [x])[out] for g in linear)
        bias = view_of(alone.graph, node).bias
        alone = alone.with_value(bias.name, bias.value + (aim - seen).reshape(-1, len(bias.value)).mean(0))
    assert error(found, new) < error(alone, new) < error(model, new)


@pytest.mark.fast
def test_a_gain_and_an_offset_that_went_wrong_are_found_again() -> None:
    """The oracle is the float network itself: each channel is off by a gain and an offset, and nothing else."""
    graph, rng = network(), np.random.default_rng(4)
    model = Model(graph)
    for name in layers(graph):
        bias = view_of(model.graph, model.node(name)).bias.value
        gain = rng.uniform(0.5, 2, len(bias))
        model = scaled(model, model.node(name), gain, bias * gain + rng.normal(0, 0.5, len(bias)))
    before = error(model, samples(64, 3))
    found, told = reestimate(model, layers(graph), samples(96, 1), samples(32, 2))
    assert before > 0.01 and all(each.better for each in told)
    assert error(found, samples(64, 3)) < 1e-8
    for name in layers(graph):
        np.testing.assert_allclose(
            found.graph.tensors[found.weights(name)].value,
            graph.tensors[found.weights(name)].value,
            rtol=1e-3,
            atol=1e-5,
        )


def test_what_is_not_named_or_not_better_stays_to_the_bit() -> None:
    model = coarse(network())
    first, *rest = layers(model.graph)
    found, told = reestimate(model, [first], samples(96, 1), samples(32, 2))
    assert [each.layer for each in told] == [first]
    assert all(found.clusters[name] is model.clusters[name] for name in rest)
    exact = Model(model.exact())
    same, told = reestimate(exact, layers(model.graph), samples(96, 1), samples(32, 2))
    assert same is exact and not any(each.better for each in told)
    # Fitted to two samples of their own kind, gains are worse on all others.
    found, told = reestimate(model, layers(model.graph), 40 * samples(1, 1) - 100, samples(64, 2))
    assert any(not each.better for each in told)
    for each in told:
        assert each.better or found.clusters[each.layer] is model.clusters[each.layer]


def test_weights_that_layers_share_stay_shared() -> None:
    made = FloatNet(np.random.default_rng(1), (1, 8, 8, 6), "relu")
    twice = prepare(made.graph(made.conv(made.conv("input", 6), 6)))
    one, other = (view_of(twice, node).weights for node in twice.nodes)
    louder = constant(one.name, 2 * one.value, one.role)  # the float layer: there is something to win
    x = np.random.default_rng(2).normal(size=(32, 8, 8, 6)).astype(np.float32)
    for value in (one.value, other.value):
        model = replace(Model(twice).with_value(other.name, value), originals={one.name: louder})
        found, told = reestimate(model, [n.name for n in twice.nodes], x[:24], x[24:])
        assert (found is model) == (value is one.value) == (not told)


@pytest.mark.parametrize("form", ["clusters", "templates", "pairs", "depthwise templates", "dense"])
def test_every_form_takes_a_gain(form: str) -> None:
    """What a record stands for, and the weights of the graph, are multiplied channel by channel."""
    graph = network()
    name = layers(graph)[1 if form.startswith("depthwise") else 2]
    model, axis = Model(graph), layer_filters(Model(graph).node(name)).axis
    weights = graph.tensors[model.weights(name)].value
    if form == "clusters":
        model = model.with_cluster(name, cluster.cluster(weights, 4, cluster.Options(row_scale="rms")))
    elif form != "dense":
        each = codebook.from_depthwise(weights) if form.startswith("depthwise") else weights
        book = codebook.find([each], 4, codebook.Options())
        kernels = book.layers[0]
        coded = pairs.cluster(kernels, 9, 8, 0) if form == "pairs" else None
        record = Templates(kernels, "book", coded)
        model = model.with_templates(name, record, book.templates)
    before = model.graph.tensors[model.weights(name)].value
    gain = np.random.default_rng(0).uniform(0.5, 2, weights.shape[axis])
    after = scaled(model, model.node(name), gain, np.arange(len(gain)))
    shape = [1] * weights.ndim
    shape[axis] = -1
    np.testing.assert_allclose(
        after.graph.tensors[model.weights(name)].value, before * gain.reshape(shape), rtol=1e-5, atol=1e-7
    )
    assert view_of(after.graph, after.node(name)).bias.value.tolist() == list(range(len(gain)))
    assert after.exact().tensors[model.weights(name)].value is weights or form == "dense"


def test_in_a_recipe_it_costs_no_byte_and_repeats() -> None:
    graph, said = network(), []
    data = Dataset(samples(256, 1), None, (), "noise")
    steps = (
        '[quantize]\nsamples = 64\n[[compress]]\nmethod = "cluster"\nbits = 3\ncenters = "steps"\ndepthwise = true\n'
    )
    more = steps + '[[compress]]\nmethod = "statistics"\nsamples = 128\n'
    result = compress(graph, rc.parse(more), data, said.append)
    assert any(line.startswith("compress[1]: statistics: output errors on held samples: conv2d_0 ") for line in said)
    assert any("cluster 3 bits, statistics" in layer.method for layer in result.layers.values())
    packed, plain = (pack(to_integer(compress(graph, rc.parse(text), data).graph, {})) for text in (more, steps))
    assert len(packed) == len(plain) and packed != plain
    assert packed == pack(to_integer(result.graph, {}))


@pytest.mark.fast
def test_the_first_and_the_last_layer_have_bits_of_their_own() -> None:
    graph, said = network(), []
    text = '[quantize]\nequalise = "off"\nsamples = 8\n[[compress]]\nmethod = "cluster"\nbits = 2\n{}last_bits = 3\n'
    result = compress(graph, rc.parse(text.format("first_bits = 5\n")), Dataset(samples(8, 1), None, (), "noise"))
    first, *middle, last = (result.model.clusters[name] for name in layers(graph) if name in result.model.clusters)
    assert (len(first.centers), len(last.centers)) == (32, 8) and {len(each.centers) for each in middle} == {4}
    dense = compress(graph, rc.parse(text.format("first_bits = 8\n")), None, said.append)
    assert layers(graph)[0] not in dense.model.clusters and any("8-bit indices" in line for line in said)
    with pytest.raises(UsageError, match="takes 2 to 8 bits"):
        rc.parse(text.format('centers = "steps"\nfirst_bits = 1\n'))
