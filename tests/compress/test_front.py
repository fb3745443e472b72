"""The walk in front of layers: activations are those of a whole run, whatever changed behind them meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression import front
from edgekc.compression.methods import lowrank
from edgekc.compression.model import Model
from edgekc.data import Dataset
from edgekc.graph.ir import Graph
from edgekc.quantize import float_reference


def net() -> Graph:
    """A residual block, two readers of one activation, and two fully connected layers."""
    made = FloatNet(np.random.default_rng(0), (1, 8, 8, 3), "relu")
    x = made.conv("input", 8)
    y = made.binary("add", x, made.conv(made.conv(x, 8), 8), "relu")
    y = made.binary("add", made.conv(y, 6, k=1), made.conv(y, 6), "relu")
    return made.graph(made.fully_connected(made.fully_connected(made.mean(y), 20), 5))


def samples(count: int) -> Dataset:
    return Dataset(np.random.default_rng(1).normal(0, 1, (count, 8, 8, 3)).astype(np.float32), None, (), "test")


def test_activations_are_those_of_the_graph_as_it_is_by_then() -> None:
    """Every layer's weights change as soon as it was seen, one layer becomes two, and little is held."""
    graph, data = net(), samples(70)  # more than one chunk
    ahead, seen = front.start(graph, data), 0
    for layer in [node.name for node in graph.nodes if len(node.inputs) == 3]:
        node = Model(graph).node(layer)
        ahead = front.advance(ahead, graph, node.inputs[0])
        expected = float_reference.run(graph, [data.x])[node.inputs[0]]
        np.testing.assert_allclose(ahead.values[node.inputs[0]], expected, rtol=1e-5, atol=1e-6)
        assert len(ahead.values) <= 3
        value = graph.tensors[node.inputs[1]].value
        graph = Model(graph).with_value(node.inputs[1], value + np.float32(0.1)).graph
        if node.op == "fully_connected":
            graph = lowrank.rewrite(graph, layer, lowrank.truncate(value, 3))
        seen += 1
    assert seen == 7


def test_an_operand_that_is_read_twice() -> None:
    made = FloatNet(np.random.default_rng(0), (1, 8, 8, 3))
    y = made.binary("mul", "input", "input")
    graph, data = made.graph(made.conv(y, 2)), samples(3)
    ahead = front.advance(front.start(graph, data), graph, y)
    np.testing.assert_array_equal(ahead.values[y], data.x * data.x)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 512),
        ("[quantize]\nsamples = 64\n", 64),
        ('[[compress]]\nmethod = "cluster"\nbits = 4\n', 512),
        ('[[compress]]\nmethod = "cluster"\nbits = 4\nassignment = "second-order"\n', 2048),
        ('[[compress]]\nmethod = "svd"\nrank = 2\nof = "outputs"\n', 2048),
        ('[[compress]]\nmethod = "dominant"\nfit = "responses"\nsamples = 600\n', 600),
        ('[[compress]]\nmethod = "cluster"\nbits = 4\n[[compress]]\nmethod = "retrain"\nepochs = 1\n', None),
    ],
)
def test_samples_that_a_recipe_makes_use_of(text: str, count: int | None) -> None:
    assert rc.parse(text).samples_wanted == count
