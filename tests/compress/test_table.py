"""The table at the end: what each layer was, what steps made of it, and that the sums are those of the model."""

from __future__ import annotations

import io

import numpy as np
import pytest
from float_nets import FloatNet
from rich.console import Console

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.compression.sizes import before, dense_weights, layer_sizes
from edgekc.compression.walk import Report, render
from edgekc.data import Dataset
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Graph
from edgekc.pipeline import to_integer

SVD = '[[compress]]\nmethod = "svd"\nlayers = ["fully_connected_*"]\nrank = 3\n'
CLUSTER = '[[compress]]\nmethod = "cluster"\nbits = 3\n'
CODEBOOK = '[[compress]]\nmethod = "codebook"\nlayers = ["conv2d_1"]\ntemplates = 4\n'
PAIRS = '[[compress]]\nmethod = "pairs"\nbits = 3\n'
DOMINANT = '[[compress]]\nmethod = "dominant"\nlayers = ["conv2d_1"]\nrank = 1\n'


def net() -> Graph:
    made = FloatNet(np.random.default_rng(1), (1, 6, 6, 4), "relu")
    x = made.conv(made.conv("input", 8), 8)
    shape = made.shape_of(x)
    flat = made.node("reshape", (x,), (1, int(np.prod(shape[1:]))), {})
    return made.graph(made.fully_connected(made.fully_connected(flat, 24, "relu"), 10))


def report(recipe: str) -> Report:
    graph = net()
    data = Dataset(np.random.default_rng(2).normal(0, 1, (40, 6, 6, 4)).astype(np.float32), None, (), "test")
    result = compress(graph, rc.parse(recipe), data)
    ekc = pack(to_integer(result.graph, {}))
    sizes = layer_sizes(read(ekc, "net"))
    return Report(sizes, result.layers, before(graph, sizes), dense_weights(graph), len(ekc), None, None, None)


@pytest.mark.parametrize(
    ("recipe", "methods"),
    [
        ("", {}),
        (CLUSTER, dict.fromkeys(("conv2d_0", "conv2d_1", "fully_connected_3", "fully_connected_4"), "cluster 3 bits")),
        (CODEBOOK + PAIRS, {"conv2d_1": "codebook 4, pairs 3 bits"}),
        (SVD, dict.fromkeys(("fully_connected_3_0", "fully_connected_3", "fully_connected_4_0"), "svd rank 3")),
        (
            SVD + CLUSTER.replace("bits", 'layers = ["fully_connected_3_0"]\nbits'),
            {"fully_connected_3_0": "svd rank 3, cluster 3 bits", "fully_connected_3": "svd rank 3"},
        ),
        (DOMINANT, {"conv2d_1_dk": "dominant rank 1", "conv2d_1": "dominant rank 1"}),
        ('[[compress]]\nmethod = "gap"\n' + CLUSTER, {"fully_connected_3": "gap, cluster 3 bits"}),
    ],
    ids=["dense", "cluster", "pairs", "svd", "svd and cluster", "dominant", "gap"],
)
def test_methods_and_bytes(recipe: str, methods: dict[str, str]) -> None:
    made = report(recipe)
    for name, method in methods.items():
        assert made.changed[name].method == method
    found = made.as_json()
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert sum(layer["int8_bytes"] for layer in layers.values()) == found["weights_int8_bytes"] == made.weights
    assert sum(layer["float32_bytes"] for layer in layers.values()) == found["weights_float32_bytes"]
    assert sum(layer["packed"] for layer in layers.values()) == found["weights_packed_bytes"]
    for name, layer in layers.items():
        assert (layer["step"] is None) == (name not in made.changed)
        assert layer["parts"]["bias"] > 0
    assert layers["conv2d_0"]["int8_bytes"] == 8 * 9 * 4
    first = next(layer for name, layer in layers.items() if name.startswith("fully_connected_3"))
    assert first["int8_bytes"] == 24 * 6 * 6 * 8


def test_the_table_says_it_too() -> None:
    out = io.StringIO()
    render(report(SVD + CODEBOOK + CLUSTER), Console(file=out, width=200))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "layer step float32 int8 packed made of error" in lines
    row = next(line for line in lines if line.startswith("conv2d_1 codebook 4"))
    assert row.startswith("conv2d_1 codebook 4 2,304 576 308 codebook 36, indices 16, pairs 256, bias 32 0.")
    assert any(line.startswith("fully_connected_3_0 svd rank 3, cluster 3 bits 27,648 6,912") for line in lines)
    assert any(line.startswith("weights: ") and "times smaller" in line for line in lines)
