"""Weights on learned steps: the gradients of the paper, and what is packed. test_retrain.py trains with them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from edgekc.compression.methods import cluster
from edgekc.compression.methods.steps import cluster_steps
from edgekc.graph.ir import Array

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train import retrain  # noqa: E402 - needs PyTorch
from edgekc.train.batches import Augment  # noqa: E402
from edgekc.train.loop import Options  # noqa: E402
from edgekc.train.place import ALONE  # noqa: E402
from edgekc.train.steps_learned import Stepped  # noqa: E402


def layer(bits: int, axis: int = 0, scaling: float = 0.0) -> tuple[Array, cluster.Clustered, Stepped]:
    shape = (5, 3, 3, 2) if axis == 0 else (1, 3, 3, 5)
    weights = np.random.default_rng(bits).normal(0, 0.02, shape).astype(np.float32)
    record = cluster_steps(weights, bits, axis)
    return weights, record, Stepped(record, weights, scaling)


@pytest.mark.parametrize("axis", [0, 3], ids=["filters", "depthwise"])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_it_starts_where_the_clusters_are_and_packs_what_it_computes(bits: int, axis: int) -> None:
    _, record, stepped = layer(bits, axis)
    np.testing.assert_allclose(stepped().detach().numpy(), cluster.reconstruct(record), rtol=1e-5)
    with torch.no_grad():
        stepped.shares *= torch.linspace(0.5, -1.5, 5)  # a negative step is the positive one
        stepped.weights += 0.1 * torch.randn(stepped.weights.shape, generator=torch.Generator().manual_seed(1))
    packed = stepped.record()
    np.testing.assert_allclose(stepped().detach().numpy(), cluster.reconstruct(packed), rtol=1e-5)
    assert packed.steps and len(packed.centers) == 2**bits
    assert len(set(np.diff(packed.centers.astype(int)))) == 1


@pytest.mark.parametrize("axis", [0, 3], ids=["filters", "depthwise"])
@pytest.mark.parametrize("bits", [2, 4])
def test_it_starts_where_other_levels_and_steps_are(bits: int, axis: int) -> None:
    """As after second-order assignment, and where a channel has another gain by now."""
    weights, record, _ = layer(bits, axis)
    rng = np.random.default_rng(bits)
    index = np.where(rng.random(record.index.shape) < 0.3, rng.integers(0, 2**bits, record.index.shape), record.index)
    moved = replace(record, index=index.astype(np.uint8), scales=record.scales * rng.uniform(0.5, 2, 5).astype("f"))
    stepped = Stepped(moved, weights)
    np.testing.assert_allclose(stepped().detach().numpy(), cluster.reconstruct(moved), rtol=1e-5)
    packed = stepped.record()
    assert np.array_equal(packed.index, moved.index) and np.array_equal(packed.scales, moved.scales)
    louder = Stepped(replace(record, scales=record.scales * np.float32(2)), weights)
    found, wanted = (cluster.to_rows(w, axis) for w in (louder.weights.detach().numpy(), weights))
    most = np.abs(wanted) < 0.9 * np.abs(wanted).max()
    gain = (found * wanted * most).sum(1) / np.square(wanted * most).sum(1) * float(louder.unit)
    np.testing.assert_allclose(gain, 2, rtol=0.1)  # weights keep their places within their channel


@pytest.mark.parametrize(("learned", "epochs"), [(True, 30), (False, 30), (True, 29)])
def test_a_long_training_takes_a_third_of_the_found_rate(
    learned: bool, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where steps are learned; the line says both."""
    net = torch.nn.ModuleList([layer(2)[2]] if learned else [torch.nn.Linear(2, 2)])
    third = learned and epochs == 30
    lines: list[str] = []
    job = SimpleNamespace(training=None, validation=None, samples=[0] * 80, log=lines.append, where="compress[1]")
    options = Options(epochs, 8, 1.0, 1e-4, 0, "adam", 0.0, Augment(False, 0, False), "float32", 0)
    monkeypatch.setattr(retrain, "find_rate", lambda *given: (1e-3, [(1e-3, 0.5)]))
    chooser = retrain._Chooser(job, SimpleNamespace(learning_rate=None), None, ALONE)
    found = chooser.with_rate(net, None, options).learning_rate
    assert found == pytest.approx(1e-3 / 10**0.5 if third else 1e-3)
    said = "3.2e-04, a third of 1.0e-03, because steps are learned:" if third else "1.0e-03,"
    assert lines == [f"note: compress[1]: learning rate {said} found by short trainings (loss by rate 1.0e-03: 0.5000)"]
    named = retrain._Chooser(job, SimpleNamespace(learning_rate=2e-3), None, ALONE)
    assert named.with_rate(net, None, options) is options, "a rate that the step names is taken as it is"


def test_gradients_are_those_of_the_paper() -> None:
    weights, record, stepped = layer(3)
    above = np.random.default_rng(9).normal(size=weights.shape)  # of the loss, by the layer's weights
    (stepped() * torch.from_numpy(above.astype(np.float32))).sum().backward()
    step = record.scales.astype(np.float64).reshape(-1, 1, 1, 1)
    place = weights / step
    inside = (place > -4) & (place < 3)
    assert not inside.all()
    found = stepped.weights.grad.numpy() / float(stepped.unit)
    np.testing.assert_allclose(found, np.where(inside, above, 0), rtol=1e-4, atol=1e-7)
    by_step = np.where(inside, np.rint(place) - place, np.clip(np.rint(place), -4, 3))
    wanted = (above * by_step).sum((1, 2, 3)) / np.sqrt(weights[0].size * 3)
    np.testing.assert_allclose(stepped.shares.grad.numpy() / record.scales, wanted, rtol=1e-3, atol=1e-5)


def test_scaled_gradients_differ_by_what_rounding_leaves_over() -> None:
    weights, record, stepped = layer(3, scaling=0.5)
    stepped().sum().backward()
    place = weights / record.scales.reshape(-1, 1, 1, 1)
    inside = (place > -4) & (place < 3)
    wanted = np.where(inside, 1 + 0.5 * (place - np.rint(place)), 0)
    np.testing.assert_allclose(stepped.weights.grad.numpy() / float(stepped.unit), wanted, rtol=1e-3, atol=1e-4)


def test_a_channel_of_zeros_stays() -> None:
    weights = np.random.default_rng(0).normal(size=(3, 1, 1, 4)).astype(np.float32)
    weights[1] = 0
    stepped = Stepped(cluster_steps(weights, 2, 0), weights)
    stepped().square().sum().backward()
    assert torch.isfinite(stepped.weights.grad).all() and torch.isfinite(stepped.shares.grad).all()
    assert not stepped()[1].any() and stepped.record().scales[1] == 0
