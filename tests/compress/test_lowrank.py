"""Truncated SVD and dominant kernels: against the singular values, and as layers of a net."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.methods import dominant, lowrank
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.errors import ModelError, UsageError
from edgekc.evaluate import host_outputs, input_levels
from edgekc.format.pack import pack, read
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference


def matrix(seed: int, oc: int = 12, ic: int = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((oc, ic)) @ np.diag(0.8 ** np.arange(ic))).astype(np.float32)


@pytest.mark.parametrize("rank", [1, 3, 7, 12])
@pytest.mark.parametrize("layers", [2, 3, 4])
def test_error_is_the_tail_of_the_singular_values(rank: int, layers: int) -> None:
    w = matrix(1)
    low = lowrank.truncate(w, rank, layers)
    s = np.linalg.svd(w.astype(np.float64), compute_uv=False) ** 2
    assert low.relative_error == pytest.approx(s[rank:].sum() / s.sum(), rel=1e-4, abs=1e-12)
    inner = [(rank, rank)] * (layers - 2)
    assert [f.shape for f in low.factors] == [(rank, 20), *inner, (12, rank)]
    sizes = [np.linalg.norm(f) for f in low.factors]
    assert sizes == pytest.approx([sizes[0]] * layers, rel=1e-4)  # balanced
    assert sum(f.size for f in low.factors) == rank * 32 + (layers - 2) * rank**2


def test_rank_by_energy() -> None:
    w = matrix(2)
    s = np.linalg.svd(w.astype(np.float64), compute_uv=False) ** 2
    for energy in (0.1, 0.5, 0.9, 0.999, 1.0):
        rank = lowrank.rank_for_energy(w, energy)
        assert s[:rank].sum() >= energy * s.sum() * (1 - 1e-9)
        assert rank == 1 or s[: rank - 1].sum() < energy * s.sum()


def test_a_rank_that_makes_a_layer_smaller() -> None:
    assert lowrank.reduces((128, 640), 106) and not lowrank.reduces((128, 640), 107)


@pytest.mark.parametrize("rank", [2, 5])
def test_known_inputs_make_outputs_better_and_weights_worse(rank: int) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((500, 20)) @ rng.standard_normal((20, 20)) * np.geomspace(0.01, 1, 20)
    w = rng.standard_normal((12, 20)).astype(np.float32)
    plain, aware = (lowrank.truncate(w, rank, moment=m, damping=1e-9) for m in (None, x.T @ x / 500))
    errors = [np.square(x @ (w - lowrank.product(low.factors)).T).sum() for low in (plain, aware)]
    outputs = np.linalg.svd(x @ w.T.astype(np.float64), compute_uv=False) ** 2  # no rank-r map does better
    assert errors[1] == pytest.approx(outputs[rank:].sum(), rel=1e-3)
    assert errors[1] < errors[0] and aware.relative_error > plain.relative_error
    assert aware.output_error == pytest.approx(errors[1] / outputs.sum(), rel=1e-3)
    assert lowrank.rank_for_energy(w, 0.9, x.T @ x / 500) <= lowrank.rank_for_energy(w, 0.9)


def test_a_factored_layer_of_full_rank_computes_the_same() -> None:
    net = FloatNet(np.random.default_rng(4), (1, 6, 6, 5), "relu")
    a = net.conv("input", 7, k=1, stride=2)
    b = net.fully_connected(net.op("reshape", a, shape=(1, 63)), 9, activation="relu")
    graph = net.graph(net.fully_connected(b, 4))
    x = [np.random.default_rng(5).standard_normal((3, 6, 6, 5)).astype(np.float32)]
    expected = float_reference.outputs(graph, x)[0]
    for name, rank in ((a, 5), (b, 9)):
        graph = lowrank.rewrite(graph, name, lowrank.truncate(graph.tensors[f"{name}/weights"].value, rank, 3))
    assert len(graph.nodes) == 4 + 4
    assert float_reference.outputs(graph, x)[0] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_lowrank_refuses() -> None:
    for bad in (0, 13):
        with pytest.raises(UsageError, match="expected 1 to 12"):
            lowrank.truncate(matrix(0), bad)
    with pytest.raises(UsageError, match="2 or more"):
        lowrank.truncate(matrix(0), 2, 1)
    with pytest.raises(UsageError, match="shape"):
        lowrank.truncate(np.ones((4, 3, 3, 4)), 1)
    with pytest.raises(UsageError, match="second moments"):
        lowrank.truncate(matrix(0), 2, moment=np.eye(3))
    with pytest.raises(UsageError, match="energy"):
        lowrank.rank_for_energy(matrix(0), 0)
    with pytest.raises(ModelError, match="not finite"):
        lowrank.truncate(np.full((3, 3), np.nan), 1)


@pytest.mark.parametrize("rank", [1, 2, 9])
def test_dominant_kernels_are_optimal_for_each_channel(rank: int) -> None:
    w = np.random.default_rng(6).standard_normal((16, 3, 3, 5)).astype(np.float32)
    pair = dominant.decompose(w, rank)
    assert pair.depthwise.shape == (1, 3, 3, 5 * rank) and pair.pointwise.shape == (16, 1, 1, 5 * rank)
    dense = dominant.reconstruct(pair)
    for i in range(5):
        s = np.linalg.svd(w[..., i].reshape(16, 9).astype(np.float64), compute_uv=False) ** 2
        assert np.square(w[..., i] - dense[..., i]).sum() == pytest.approx(s[rank:].sum(), rel=1e-4, abs=1e-8)
    assert pair.relative_error == pytest.approx(np.square(w - dense).sum() / np.square(w).sum(), rel=1e-4, abs=1e-6)


def test_dominant_kernels_as_layers_of_a_net() -> None:
    net = FloatNet(np.random.default_rng(8), (1, 6, 7, 4), "relu")
    y = net.conv("input", 12, stride=2)
    graph = net.graph(net.conv(y, 3))
    x = [np.random.default_rng(9).standard_normal((2, 6, 7, 4)).astype(np.float32)]
    pair = dominant.decompose(graph.tensors[f"{y}/weights"].value, 9)  # all of them: exact
    split = dominant.rewrite(graph, y, pair)
    assert [n.op for n in split.nodes] == ["depthwise", "conv2d", "conv2d"]
    expected = float_reference.outputs(graph, x)[0]
    assert float_reference.outputs(split, x)[0] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_dominant_refuses() -> None:
    with pytest.raises(UsageError, match="kh \\* kw > 1"):
        dominant.decompose(np.ones((4, 1, 1, 4)), 1)
    with pytest.raises(UsageError, match="expected 1 to 4"):
        dominant.decompose(np.ones((4, 3, 3, 4)), 5)
    with pytest.raises(ModelError, match="not finite"):
        dominant.decompose(np.full((4, 3, 3, 4), np.inf), 1)


def test_an_svd_by_outputs_loses_less_on_correlated_inputs_than_one_by_weights() -> None:
    rng = np.random.default_rng(11)
    net = FloatNet(rng, (1, 48), "relu")
    graph = net.graph(net.fully_connected(net.fully_connected("input", 40, "relu"), 10))
    # Four directions hold nearly all of the inputs, and a mean that the bias has to make up for.
    x = rng.normal(0, 1, (600, 4)) @ rng.normal(0, 1, (4, 48)) + rng.normal(0, 0.02, (600, 48)) + 1.5
    data = Dataset(x.astype(np.float32), None, (), "correlated")
    exact = float_reference.outputs(graph, [data.x])[0]
    errors = {}
    for of in ("weights", "outputs"):
        text = f'[[compress]]\nmethod = "svd"\nlayers = ["fully_connected_0"]\nrank = 6\nof = "{of}"\n'
        lines: list[str] = []
        ekc = pack(to_integer(compress(graph, rc.parse(text), data, lines.append).graph, {}))
        packed = read(ekc, "net").graph
        (out,) = packed.of(packed.outputs)
        levels = host_outputs(ekc, input_levels(data, packed))[0].astype(np.float64)
        errors[of] = np.square(out.q.scale * (levels - out.q.zero_point) - exact).sum() / np.square(exact).sum()
        assert f"relative error of {of}" in lines[0]
    assert errors["outputs"] < 0.01 and 5 * errors["outputs"] < errors["weights"]
