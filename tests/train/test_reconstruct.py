"""Block reconstruction: blocks of graphs, choices between centers, and what a recipe's step does to small nets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.methods import cluster
from edgekc.compression.methods.steps import cluster_steps
from edgekc.compression.run import Result, compress
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Array, Graph
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.blocks import blocks  # noqa: E402 - needs PyTorch
from edgekc.train.pytorch import trainer  # noqa: E402
from edgekc.train.rounding import Rounded  # noqa: E402

SHORT = '[[compress]]\nmethod = "reconstruct"\nsamples = 24\niterations = 30\nbatch = 8\n'
STARTS = {
    "nearest": 'bits = 3\nrow_scale = "rms"\n',
    "second-order": 'bits = 2\nassignment = "second-order"\n',
    "steps": 'bits = 2\ncenters = "steps"\n',
}


def clustering(start: str) -> str:
    return f'[quantize]\nequalise = "off"\n[[compress]]\nmethod = "cluster"\ndepthwise = true\n{STARTS[start]}'


def residual(seed: int = 1) -> FloatNet:
    """A stem, a residual block, a depthwise and a 1x1 convolution, and scores."""
    return FloatNet(np.random.default_rng(seed), (1, 6, 6, 2), "relu")


def net(seed: int = 1) -> Graph:
    made = residual(seed)
    stem = made.conv("input", 8)
    x = made.binary("add", stem, made.conv(made.conv(stem, 8), 8, activation="none"), activation="relu")
    x = made.conv(made.depthwise(x), 12, k=1)
    return prepare(made.graph(made.fully_connected(made.mean(x), 5)))


def data(n: int = 24) -> Dataset:
    return Dataset(np.random.default_rng(3).normal(size=(n, 6, 6, 2)).astype(np.float32), None, (), "samples")


def run(graph: Graph, text: str, **more: Any) -> tuple[Result, list[str]]:
    lines: list[str] = []
    return compress(graph, rc.parse(text), data(), lines.append, trainer=trainer, **more), lines


def test_a_block_ends_where_one_activation_gets_past() -> None:
    made = residual()
    stem = made.unary("relu", made.conv("input", 8, activation="none"))
    x = made.binary("add", stem, made.conv(made.conv(stem, 8), 8))
    graph = made.graph(made.unary("softmax", made.fully_connected(made.mean(x), 5), beta=1.0))
    found = blocks(graph, {node.name for node in graph.nodes if len(node.inputs) == 3})
    names = [[node.op for node in block.nodes] for block in found]
    wanted = [["conv2d", "relu"], ["conv2d", "conv2d", "add"], ["mean"], ["fully_connected"], ["softmax"]]
    assert names == wanted
    for before, block in pairwise(found):
        assert before.gives == (block.reads,)


def test_several_outputs_end_one_block() -> None:
    made = residual()
    stem = made.conv("input", 8)
    graph = made.graph(made.fully_connected(made.mean(stem), 5), made.conv(stem, 4))
    found = blocks(graph, {node.name for node in graph.nodes})
    assert [len(block.nodes) for block in found] == [1, 3]
    assert set(found[-1].gives) == set(graph.outputs)


def records(axis: int) -> list[tuple[Array, cluster.Clustered]]:
    shape = (5, 3, 3, 2) if axis == 0 else (1, 3, 3, 5)
    weights = np.random.default_rng(axis).normal(size=shape).astype(np.float32)
    weights[(1,) if axis == 0 else (..., 1)] = 0
    free = cluster.cluster(weights, 4, cluster.Options(row_scale="rms", channel_axis=axis))
    moved = replace(free, index=np.random.default_rng(9).integers(0, 4, shape).astype(np.uint8))
    return [(weights, free), (weights, moved), (weights, cluster_steps(weights, 2, axis))]


@pytest.mark.parametrize("axis", [0, 3], ids=["filters", "depthwise"])
def test_a_weight_keeps_its_center_or_takes_the_next_towards_its_original(axis: int) -> None:
    for weights, record in records(axis):
        layer = Rounded(record, weights)
        low, high = layer.low.numpy(), layer.high.numpy()
        assert ((record.index == low) | (record.index == high)).all() and (high - low == 1).all()
        np.testing.assert_array_equal(layer.record().index, record.index)  # nothing is learned yet
        np.testing.assert_allclose(cluster.reconstruct(layer.record()), cluster.reconstruct(record), atol=1e-6)
        shape = [1] * weights.ndim
        shape[axis] = -1
        scales = record.scales.reshape(shape)
        place = np.divide(weights, scales, out=np.zeros_like(weights), where=scales > 0)
        centers = record.real_centers
        inside = (place > centers[0]) & (place < centers[-1])
        nearer = np.minimum(abs(place - centers[low]), abs(place - centers[high]))
        assert (nearer <= abs(place - centers[record.index]) + 1e-6)[inside].all()


@pytest.mark.parametrize("axis", [0, 3], ids=["filters", "depthwise"])
def test_what_it_computes_is_what_is_packed(axis: int) -> None:
    for weights, record in records(axis):
        layer = Rounded(record, weights)
        layer.harden()
        with torch.no_grad():
            layer.choice += 3 * torch.randn(layer.choice.shape, generator=torch.Generator().manual_seed(1))
            layer.shares += torch.linspace(-0.3, 0.3, 5)
        packed = layer.record()
        np.testing.assert_allclose(layer().detach().numpy(), cluster.reconstruct(packed), atol=1e-4)
        assert packed.steps == record.steps and (packed.scales[1] == 0).all()
        off = np.square(weights - cluster.reconstruct(packed), dtype=np.float64).sum() / np.square(weights).sum()
        assert packed.relative_error == pytest.approx(off, rel=1e-5)
        layer().square().sum().backward()
        assert torch.isfinite(layer.choice.grad).all() and layer.choice.grad.abs().max() > 0
        assert layer.moved.requires_grad is not record.steps


def test_the_regulariser_drives_choices_to_an_end() -> None:
    weights, record = records(0)[0]
    layer = Rounded(record, weights)
    first = layer.undecided(2.0).item()
    optimizer = torch.optim.Adam([layer.choice], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        layer.undecided(2.0).backward()
        optimizer.step()
    assert layer.undecided(2.0).item() == 0 < first
    layer.harden()
    with torch.no_grad():
        np.testing.assert_allclose(layer().numpy(), cluster.reconstruct(layer.record()), atol=1e-6)


def test_one_center_is_no_choice() -> None:
    weights = np.full((2, 1, 1, 3), 0.5, np.float32)
    record = cluster.cluster(weights, 4, cluster.Options())
    assert len(record.centers) == 1
    np.testing.assert_array_equal(Rounded(record, weights).record().index, record.index)


def block_errors(exact: Graph, before: Graph, after: Graph, x: Array) -> list[tuple[float, float]]:
    """Of each block behind what was learned in front of it: as it started, and learned; by the numpy definition."""
    wanted = float_reference.run(exact, [x])
    tensors, found = dict(before.tensors), []
    for block in blocks(exact, {node.name for node in exact.nodes}):
        errors = []
        for part in (before, after):
            tensors |= {name: part.tensors[name] for node in block.nodes for name in node.inputs[1:]}
            values = float_reference.run(replace(before, tensors=dict(tensors)), [x])
            errors.append(float(sum(np.square(values[g] - wanted[g]).mean() for g in block.gives)))
        found.append((errors[0], errors[1]))
    return found


@pytest.mark.parametrize("start", STARTS)
def test_no_block_is_worse_than_it_was(start: str) -> None:
    graph = net(len(start))
    before, _ = run(graph, clustering(start))
    after, lines = run(graph, clustering(start) + SHORT + "prediction = 0.0\n")
    pairs = block_errors(graph, before.model.graph, after.model.graph, data().x)
    assert all(b <= a * (1 + 1e-4) + 1e-9 for a, b in pairs)
    assert any(b < 0.97 * a for a, b in pairs)
    learned = [n for n, layer in after.layers.items() if layer.method.endswith("reconstruct")]
    assert learned and len([line for line in lines if "of the loss" in line]) >= 1
    for name, record in after.model.clusters.items():
        assert record.index_bits <= before.model.clusters[name].index_bits
        assert record.steps == (start == "steps")


def test_the_packed_form_is_what_was_learned() -> None:
    """Of a classifier, whose answers count by how far their probabilities are off."""
    scores = net()
    more = FloatNet(np.random.default_rng(1), (1, 6, 6, 2), tensors=dict(scores.tensors), nodes=list(scores.nodes))
    graph = prepare(more.graph(more.unary("softmax", scores.outputs[0], beta=1.0)))
    before, _ = run(graph, clustering("nearest"))
    made, _ = run(graph, clustering("nearest") + SHORT + "prediction = 4.0\n")
    wanted, first, last = (
        float_reference.outputs(g, [data().x])[0] for g in (graph, before.model.graph, made.model.graph)
    )
    assert np.abs(last - wanted).mean() < np.abs(first - wanted).mean()
    packed = unpack(pack(to_integer(made.graph, {})), "net.ekc")
    assert "clustered_conv2d" in {node.op for node in packed.nodes}
    for name, record in made.model.clusters.items():
        stored = made.model.graph.tensors[made.model.weights(name)].value
        np.testing.assert_allclose(stored, cluster.reconstruct(record))


def test_a_network_with_several_outputs_learns_each_block() -> None:
    made = FloatNet(np.random.default_rng(5), (1, 6, 6, 2), "relu")
    stem = made.conv("input", 8)
    graph = prepare(made.graph(made.conv(stem, 6, activation="none"), made.fully_connected(made.mean(stem), 5)))
    before, _ = run(graph, clustering("nearest"))
    after, _ = run(graph, clustering("nearest") + SHORT)
    pairs = block_errors(graph, before.model.graph, after.model.graph, data().x)
    assert all(b <= a * (1 + 1e-4) + 1e-9 for a, b in pairs)


def test_a_seed_repeats_a_run_and_another_differs() -> None:
    graph = net()
    text = clustering("nearest") + SHORT
    first, again, other = (run(graph, text + f"seed = {seed}\n")[0] for seed in (0, 0, 1))
    as_bytes = [pack(to_integer(each.graph, {})) for each in (first, again, other)]
    assert as_bytes[0] == as_bytes[1] != as_bytes[2]


def test_a_channel_of_zeros_stays_one() -> None:
    graph = net()
    node = next(n for n in graph.nodes if n.op == "conv2d")
    weights = graph.tensors[node.inputs[1]]
    value = weights.value.copy()
    value[3] = 0
    graph = replace(graph, tensors={**graph.tensors, weights.name: replace(weights, data=value)})
    for start in ("nearest", "steps"):
        made, _ = run(graph, clustering(start) + SHORT)
        stored = made.model.graph.tensors[weights.name].value
        assert np.isfinite(stored).all() and not stored[3].any()


class KilledError(Exception):
    """What a test throws into a run."""


def test_a_killed_run_resumes_with_the_same_result(tmp_path: Path) -> None:
    graph, text = net(), clustering("nearest") + SHORT
    whole = run(graph, text)[0]

    def kill(title: str, progress: Any) -> None:
        if progress.epoch == 2 and progress.step == 5:
            raise KilledError

    with pytest.raises(KilledError):
        run(graph, text, on_progress=kill, checkpoints=tmp_path)
    assert list(tmp_path.glob("*.training"))
    seen: set[int] = set()
    resumed = run(graph, text, on_progress=lambda title, p: seen.add(p.epoch), checkpoints=tmp_path)[0]
    assert min(seen) == 2  # the first two blocks are not learned again
    assert pack(to_integer(resumed.graph, {})) == pack(to_integer(whole.graph, {}))
    state, kept = next(tmp_path.glob("01-*.state")), next(tmp_path.glob("*.training"))
    state.unlink()
    kept.write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"is no checkpoint of this step .*; delete it"):
        run(graph, text, checkpoints=tmp_path)


def test_what_it_needs() -> None:
    with pytest.raises(UsageError, match=r"compress\[1\]: block reconstruction needs samples; pass --data"):
        compress(net(), rc.parse(clustering("nearest") + SHORT), None, trainer=trainer)
    for text in (SHORT, clustering("nearest") + 'layers = ["conv2d_0"]\n' + SHORT + 'layers = ["conv2d_1"]\n'):
        with pytest.raises(UsageError, match=r"no layer that it names is clustered; put a cluster step in front"):
            run(net(), text)
    retrain = '[[compress]]\nmethod = "retrain"\nepochs = 1\ndistill = 1.0\nlearning_rate = 1e-4\n'
    made, lines = run(net(), clustering("nearest") + retrain + SHORT)  # validation is not given: nothing is chosen
    assert any("its weights before clustering are not known" in line for line in lines)
    assert not any("reconstruct" in layer.method for layer in made.layers.values())


def test_layers_that_are_one_are_left_alone() -> None:
    made = FloatNet(np.random.default_rng(1), (1, 6, 6, 2), "relu")
    x = made.conv(made.conv(made.conv("input", 8), 8), 8)
    graph = made.graph(x)
    first, second = (
        node for node in graph.nodes if node.op == "conv2d" and graph.tensors[node.inputs[1]].shape[3] == 8
    )
    twin = replace(graph.tensors[second.inputs[1]], data=graph.tensors[first.inputs[1]].value)
    graph = prepare(replace(graph, tensors={**graph.tensors, twin.name: twin}))
    before, _ = run(graph, clustering("nearest"))
    after, lines = run(graph, clustering("nearest") + SHORT)
    assert f"note: {first.name}: left as it is by compress[1]: {second.name} has the same weights" in lines
    for node in (first, second):
        np.testing.assert_array_equal(after.model.clusters[node.name].index, before.model.clusters[node.name].index)
    assert any(after.layers[n].method.endswith("reconstruct") for n in after.layers)
