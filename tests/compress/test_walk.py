"""The compression walk: a FLOAT net and a recipe to a packed model whose C computes what its reference says."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc import recipe as rc
from edgekc.boards.board import load_board
from edgekc.compression import substitute
from edgekc.compression.run import Result, compress
from edgekc.compression.sizes import layer_sizes
from edgekc.data import Dataset
from edgekc.emulate import host
from edgekc.emulate.compare import compare
from edgekc.errors import UsageError
from edgekc.evaluate import host_outputs, input_levels
from edgekc.files.output import read_manifest, write_folder
from edgekc.format.pack import Packed, pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph, Role, constant
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference

CLUSTER = '[[compress]]\nmethod = "cluster"\nbits = 5\n'
SECOND = CLUSTER + 'row_scale = "rms"\nassignment = "second-order"\n'
CODEBOOK = '[[compress]]\nmethod = "codebook"\nlayers = ["conv2d_0", "conv2d_1"]\ntemplates = 8\n'
DEPTHWISE = '[[compress]]\nmethod = "codebook"\nlayers = ["depth*"]\ndepthwise = true\ntemplates = 6\n'
RECIPES = {
    "cluster": CLUSTER,
    "second-order": SECOND,
    "codebook": CODEBOOK,
    "pairs": CODEBOOK + '[[compress]]\nmethod = "pairs"\nbits = 6\n',
    "second-order-pairs": CODEBOOK + '[[compress]]\nmethod = "pairs"\nbits = 4\nassignment = "second-order"\n',
    "network-codebook": CODEBOOK + 'scope = "network"\n',
    "chain": CODEBOOK + SECOND,
    "svd": '[[compress]]\nmethod = "svd"\nlayers = ["fully_connected_*"]\nenergy = 0.9\n' + CLUSTER,
    "depthwise-cluster": SECOND.replace("bits = 5", "bits = 4") + "depthwise = true\n",
    "depthwise-codebook": CODEBOOK.replace('"conv2d_1"', '"conv2d_1", "depthwise_2"'),
    "depthwise-pairs": DEPTHWISE + '[[compress]]\nmethod = "pairs"\nbits = 3\n' + CLUSTER,
    "dominant": '[[compress]]\nmethod = "dominant"\nlayers = ["conv2d_1"]\nrank = 2\n' + CLUSTER,
}


@pytest.fixture(name="net", scope="module")
def _net() -> tuple[Graph, Dataset]:
    return made_net()


@functools.cache
def made_net() -> tuple[Graph, Dataset]:
    rng = np.random.default_rng(1)
    made = FloatNet(rng, (1, 9, 8, 4), "relu")
    x = made.conv("input", 16)
    x = made.conv(x, 16)
    x = made.depthwise(x, stride=2)
    x = made.conv(x, 24, k=1)
    x = made.fully_connected(made.mean(x), 32, "relu")
    x = made.fully_connected(x, 10)
    data = rng.normal(0, 1, (96, 9, 8, 4)).astype(np.float32)
    return made.graph(x), Dataset(data, None, (), "test")


def packed_by(net: tuple[Graph, Dataset], recipe: str) -> tuple[Result, bytes]:
    result = compress(net[0], rc.parse(recipe), net[1])
    return result, pack(to_integer(result.graph, {}))


@functools.cache
def kept(recipe: str) -> tuple[Result, bytes]:
    """The same for the net of most tests, made once for all of those that want this recipe."""
    return packed_by(made_net(), recipe)


def written(data: bytes, target: Path, features: frozenset[str]) -> Path:
    packed = read(data, "net.ekc")
    write_folder(generate(plan(packed.graph, features), packed, data, "net", "none"), target)
    return target


@pytest.mark.parametrize("name", RECIPES)
def test_reference_and_host_agree(name: str, tmp_path: Path) -> None:
    folder = written(kept(RECIPES[name])[1], tmp_path / "net", frozenset())
    assert compare(folder, None, host.samples(read_manifest(folder), 12)).samples == 12


@pytest.mark.parametrize("board", ["m0plus-an385", "mps2-an386", "mps3-an547"])
def test_the_core_runs_it_from_its_packed_form(board: str, tmp_path: Path) -> None:
    folder = written(kept(RECIPES["chain"])[1], tmp_path / "net", load_board(board).features)
    forms = {layer["name"]: layer["kernel"].split("_")[1] for layer in read_manifest(folder)["layers"]}
    assert forms["conv2d_0"] == forms["conv2d_1"] == "template"
    assert {form for name, form in forms.items() if name.startswith("fully_connected")} == {"clustered"}
    result = compare(folder, load_board(board), host.samples(read_manifest(folder), 4))
    assert result.board == board


@pytest.mark.parametrize("pairs", ["", '[[compress]]\nmethod = "pairs"\nbits = 6\n'], ids=["own pairs", "coded pairs"])
def test_layers_of_one_scope_share_a_codebook(net: tuple[Graph, Dataset], pairs: str, tmp_path: Path) -> None:
    board = load_board("mps2-an386")
    codebooks = {}
    for scope in ("layer", "network"):
        data = packed_by(net, CODEBOOK + f'scope = "{scope}"\n' + pairs)[1]
        codebooks[scope] = [layer.parts.get("codebook", 0) for layer in layer_sizes(read(data, "net.ekc"))][:2]
        folder = written(data, tmp_path / scope, board.features)
        assert compare(folder, board, host.samples(read_manifest(folder), 2)).samples == 2
    assert codebooks == {"layer": [72, 72], "network": [72, 0]}


@pytest.mark.parametrize("name", ["cluster", "codebook", "pairs"])
def test_the_smallest_core_runs_packed_depthwise_layers(name: str, tmp_path: Path) -> None:
    board = load_board("m0plus-an385")
    folder = written(kept(RECIPES[f"depthwise-{name}"])[1], tmp_path / "net", board.features)
    kernels = {layer["name"]: layer["kernel"] for layer in read_manifest(folder)["layers"]}
    expected = "ek_clustered_depthwise_s8" if name == "cluster" else "ek_template_depthwise_s8"
    assert kernels["depthwise_2"] == expected
    assert compare(folder, board, host.samples(read_manifest(folder), 4)).samples == 4


@pytest.mark.parametrize("name", ["cluster", "codebook", "pairs"])
def test_packed_depthwise_layers_fit_the_dsp_extension(name: str, tmp_path: Path) -> None:
    """Their weights are chosen to fit the 16 bits that its kernels expand them to."""
    board = load_board("mps2-an386")
    folder = written(kept(RECIPES[f"depthwise-{name}"])[1], tmp_path / "net", board.features)
    kernels = {layer["name"]: layer["kernel"] for layer in read_manifest(folder)["layers"]}
    assert kernels["depthwise_2"] == f"ek_{'clustered' if name == 'cluster' else 'template'}_depthwise3x3_s8_dsp"
    assert compare(folder, board, host.samples(read_manifest(folder), 4)).samples == 4


@pytest.mark.parametrize("name", RECIPES)
def test_outputs_are_those_of_the_compressed_weights(net: tuple[Graph, Dataset], name: str) -> None:
    """What int8 activations lose is all that may come on top of what the method loses."""
    result, data = kept(RECIPES[name])
    graph = read(data, "net.ekc").graph
    exact = float_reference.outputs(net[0], [net[1].x])[0]
    scale, zero = graph.tensors[graph.outputs[0]].q.scale, graph.tensors[graph.outputs[0]].q.zero_point
    actual = (host_outputs(data, input_levels(net[1], graph))[0].astype(np.float64) - zero) * scale
    error = float(np.linalg.norm(actual - exact) / np.linalg.norm(exact))
    limit = {"cluster": 0.10, "second-order": 0.06, "depthwise-cluster": 0.06}.get(name, 0.75)
    assert error < limit, error
    assert result.layers


@pytest.mark.parametrize(
    "few", [CLUSTER.replace("bits = 5", "bits = 2"), CODEBOOK + '[[compress]]\nmethod = "pairs"\nbits = 2\n']
)
def test_second_order_beats_nearest(net: tuple[Graph, Dataset], few: str) -> None:
    exact = float_reference.outputs(net[0], [net[1].x])[0]
    errors = []
    for recipe in (few, few + 'assignment = "second-order"\n'):
        data = packed_by(net, recipe)[1]
        q = read(data, "net.ekc").graph
        out = q.tensors[q.outputs[0]].q
        actual = (host_outputs(data, input_levels(net[1], q))[0].astype(np.float64) - out.zero_point) * out.scale
        errors.append(float(np.linalg.norm(actual - exact)))
    assert errors[1] < 0.8 * errors[0]


def test_no_dense_weights_are_left() -> None:
    packed: Packed = read(kept(RECIPES["chain"])[1], "net.ekc")
    dense = {t.name for t in packed.graph.tensors.values() if t.role is Role.WEIGHTS}
    assert dense == {"depthwise_2/weights"}
    sizes = {layer.name: layer for layer in layer_sizes(packed)}
    indices = packed.graph.tensors["conv2d_1/indices"].shape  # without channels that are constant
    kernels = indices[0] * indices[1]
    assert 12 * 16 <= kernels <= 16 * 16
    assert sizes["conv2d_1"].weights == kernels * 9
    assert set(sizes["conv2d_1"].parts) == {"codebook", "indices", "pairs", "bias", "requant"}
    assert sizes["conv2d_1"].parts["indices"] == (kernels * 3 + 7) // 8
    assert sizes["conv2d_1"].parts["pairs"] == kernels * 4
    assert sizes["conv2d_3"].parts["indices"] == 24 * indices[0] * 5 // 8


def test_depthwise_layers_are_packed_by_name_or_where_the_step_says_so(net: tuple[Graph, Dataset]) -> None:
    lines: list[str] = []
    assert "depthwise_2" not in compress(net[0], rc.parse(CLUSTER), net[1], lines.append).layers
    assert (
        "depthwise_2: left as it is by compress[0], which takes depthwise layers by name or with depthwise = true"
        in (lines)
    )
    for more in ("depthwise = true\n", 'layers = ["conv*", "depthwise_2"]\n'):
        assert "depthwise_2" in compress(net[0], rc.parse(CLUSTER.replace("= 5", "= 4") + more), net[1]).layers


def test_bytes_of_a_packed_depthwise_layer() -> None:
    """Sixteen channels of nine weights: 4 bits each; or 3 bits a kernel and a pair of 4 bytes, or 3 bits."""
    found = {}
    for name in ("cluster", "codebook", "pairs"):
        graph = read(kept(RECIPES[f"depthwise-{name}"])[1], "net.ekc")
        found[name] = next(layer for layer in layer_sizes(graph) if layer.name == "depthwise_2")
        channels = found[name].weights // 9
        assert 12 <= channels <= 16 and found[name].weights == 9 * channels
        expected = {"cluster": (36 * channels + 7) // 8, "codebook": (3 * channels + 7) // 8}
        assert found[name].parts["indices"] == expected.get(name, (3 * channels + 7) // 8)
        assert found[name].parts.get("pairs", 0) == {"codebook": 4 * channels, "pairs": 4 * 8}.get(name, 0)
    assert found["pairs"].parts["pair indices"] == found["pairs"].parts["indices"]


TEMPLATES = '[[compress]]\nmethod = "codebook"\nlayers = ["grouped*"]\ntemplates = 16\n'
CODED = '[[compress]]\nmethod = "pairs"\nbits = 4\n'
GROUPED = {
    "dense": ('[quantize]\nequalise = "on"\n', "grouped_conv2d"),
    "cluster": (CLUSTER, "clustered_grouped_conv2d"),
    "second-order": (SECOND.replace("bits = 5", "bits = 3"), "clustered_grouped_conv2d"),
    "codebook": (TEMPLATES, "template_grouped_conv2d"),
    "pairs": (TEMPLATES + CODED + CLUSTER, "template_pairs_grouped_conv2d"),
}
UPSAMPLED = TEMPLATES.replace("grouped", "transpose")
TRANSPOSED = {
    "second-order": (SECOND.replace("bits = 5", "bits = 4"), "clustered_transpose_conv"),
    "codebook": (UPSAMPLED, "template_transpose_conv"),
    "pairs": (UPSAMPLED + CODED + CLUSTER, "template_pairs_transpose_conv"),
}


@pytest.mark.parametrize("name", GROUPED)
def test_convolutions_in_groups(name: str, tmp_path: Path) -> None:
    """Between layers that are equalised, pruned of constant channels and packed: dense, and in each packed form."""
    made = FloatNet(np.random.default_rng(5), (1, 8, 7, 4), "relu")
    layer = made.grouped(made.conv("input", 12), 18, groups=6, stride=2)
    x = made.fully_connected(made.mean(made.conv(made.grouped(layer, 8, groups=2, k=1), 12)), 10)
    core = "m0plus-an385" if name in ("cluster", "pairs") else ""
    _packed_and_run(made.graph(x), layer, *GROUPED[name], 18 * 9 * 2, core, tmp_path)


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name: str, tmp_path: Path) -> None:
    made = FloatNet(np.random.default_rng(5), (1, 8, 7, 4), "relu")
    layer = made.transposed(made.conv("input", 12, stride=2), 18)
    x = made.fully_connected(made.mean(made.conv(layer, 12, stride=2)), 10)
    core = "m0plus-an385" if name == "pairs" else ""
    _packed_and_run(made.graph(x), layer, *TRANSPOSED[name], 18 * 9 * 12, core, tmp_path)


def _packed_and_run(graph: Graph, layer: str, recipe: str, op: str, weights: int, core: str, folder: Path) -> None:
    """The layer has the packed form that the recipe asks for, and the network is near the float one, there and in C."""
    samples = Dataset(np.random.default_rng(6).normal(0, 1, (64, 8, 7, 4)).astype(np.float32), None, (), "test")
    exact = float_reference.outputs(graph, [samples.x])[0]
    data = pack(to_integer(compress(graph, rc.parse(recipe), samples).graph, {}))
    packed = read(data, "net.ekc").graph
    assert {node.op for node in packed.nodes if node.name == layer} == {op}
    assert next(layer for layer in layer_sizes(read(data, "net.ekc")) if layer.op == op).weights == weights
    out = packed.tensors[packed.outputs[0]].q
    levels = host_outputs(data, input_levels(samples, packed))[0].astype(np.float64)
    actual = (levels - out.zero_point) * out.scale
    assert np.linalg.norm(actual - exact) < 0.1 * np.linalg.norm(exact)
    board = load_board(core) if core else None
    built = written(data, folder / "net", frozenset())
    assert compare(built, board, host.samples(read_manifest(built), 6)).samples == 6


def test_same_recipe_same_bytes(net: tuple[Graph, Dataset]) -> None:
    assert packed_by(net, RECIPES["chain"])[1] == packed_by(net, RECIPES["chain"])[1]


def test_a_layer_that_is_too_small_stays_dense(net: tuple[Graph, Dataset]) -> None:
    lines: list[str] = []
    result = compress(net[0], rc.parse(CLUSTER.replace("bits = 5", "bits = 8")), net[1], lines.append)
    assert not result.layers  # an index of 8 bits is a byte, as a dense weight is
    said = "note: fully_connected_6: stays dense, 8-bit indices and centers take 832 bytes, dense weights 320"
    assert said in lines
    templates = CODEBOOK.replace("templates = 8", "templates = 200")
    result = compress(net[0], rc.parse(templates), net[1], lines.append)
    assert any("conv2d_0: stays dense, 64 kernels are too few" in line for line in lines)
    assert "conv2d_0" not in result.layers


def test_templates_that_would_take_more_bytes_leave_a_layer_dense(net: tuple[Graph, Dataset]) -> None:
    """64 kernels of 9 weights with a pair each: 32 templates take 32 * 9 + 64 * 5 / 8 + 64 * 4 bytes, 8 fewer."""
    lines: list[str] = []
    many = CODEBOOK.replace("templates = 8", "templates = 32").replace('"conv2d_0", "conv2d_1"', '"conv2d_0"')
    assert not compress(net[0], rc.parse(many), net[1], lines.append).layers
    assert "note: conv2d_0: stays dense, 32 templates take 584 bytes, dense weights 576" in lines
    with_pairs = many + '[[compress]]\nmethod = "pairs"\nbits = 4\n'
    assert compress(net[0], rc.parse(with_pairs), net[1]).layers["conv2d_0"].method == "codebook 32, pairs 4 bits"
    useless = CODEBOOK + '[[compress]]\nmethod = "pairs"\nlayers = ["conv2d_0"]\nbits = 6\n'
    assert compress(net[0], rc.parse(useless), net[1], lines.append).layers["conv2d_0"].method == "codebook 8"
    assert "note: conv2d_0: its 64 pairs stay, 6-bit indices would not reduce them" in lines


def test_bad_recipes(net: tuple[Graph, Dataset]) -> None:
    with pytest.raises(UsageError, match=r"no layer is called 'conv2d_x'; did you mean 'conv2d_"):
        compress(net[0], rc.parse(CLUSTER + 'layers = ["conv2d_x"]\n'), net[1])
    with pytest.raises(UsageError, match=r"compress\[0\]: no layer that it names is made of templates; put a codebook"):
        compress(net[0], rc.parse('[[compress]]\nmethod = "pairs"\n'), net[1])
    with pytest.raises(UsageError, match="test: has no labels"):
        compress(net[0], rc.parse('[[compress]]\nmethod = "prune"\nkeep = 0.5\n'), net[1])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.sampled_from([(3, 3), (5, 5), (1, 7)]), st.floats(-6, 6), st.integers(0, 2**32 - 1))
def test_integer_templates_fit(count: int, size: tuple[int, int], power: float, seed: int) -> None:
    templates = (np.random.default_rng(seed).standard_normal((count, *size)) * 10.0**power).astype(np.float32)
    whole, step = substitute.integer_templates(templates)
    assert 128 * np.abs(whole.astype(np.int64)).sum((1, 2)).max() <= 2**15 - 1
    assert np.abs(whole * step - templates).max() <= 0.51 * step


def test_large_weights_give_up_bits_not_correctness() -> None:
    """Weights and biases at the edge of what 32-bit sums hold: fewer bits, proved to fit by `ops/legal.py`."""
    made = FloatNet(np.random.default_rng(3), (1, 5, 5, 64))
    name = made.conv("input", 8)
    bias = made.tensors[f"{name}/bias"]
    grown = (bias.value * 1e4).astype(np.float32)
    made.tensors[f"{name}/bias"] = constant(bias.name, grown, bias.role)
    data = Dataset(np.random.default_rng(4).normal(0, 1, (16, 5, 5, 64)).astype(np.float32), None, (), "test")
    for recipe in (CLUSTER, CODEBOOK.replace(', "conv2d_1"', "")):
        pack(to_integer(compress(made.graph(name), rc.parse(recipe), data).graph, {}))


def test_bias_correction_makes_up_for_the_compression(net: tuple[Graph, Dataset]) -> None:
    """It aims at the outputs of the weights as they were before they were compressed."""
    few = CLUSTER.replace("bits = 5", "bits = 2")
    exact = float_reference.outputs(net[0], [net[1].x])[0]
    errors = []
    for correct in ("false", "true"):
        data = packed_by(net, f"[quantize]\nbias_correction = {correct}\n{few}")[1]
        q = read(data, "net.ekc").graph
        out = q.tensors[q.outputs[0]].q
        actual = (host_outputs(data, input_levels(net[1], q))[0].astype(np.float64) - out.zero_point) * out.scale
        errors.append(float(np.abs((actual - exact).mean(0)).max()))
    assert errors[1] < 0.5 * errors[0]
