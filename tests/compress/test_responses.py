"""Dominant kernels fitted to what a layer answers: exact where they can be, and never worse than by the weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.methods import dominant
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.graph.ir import Graph, constant
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare


def two_convolutions() -> tuple[Graph, list[str], np.ndarray]:
    rng = np.random.default_rng(4)
    net = FloatNet(rng, (1, 8, 8, 5), "relu")
    graph = prepare(net.graph(net.mean(net.conv(net.conv("input", 12), 10, stride=2))))
    x = rng.normal(0.3, 1.0, (40, 8, 8, 5)).astype(np.float32)
    return graph, [node.name for node in graph.nodes if node.op == "conv2d"], x


def test_responses_come_before_the_activation() -> None:
    graph, (first, _), x = two_convolutions()
    found = dominant.responses(graph, first, x)
    output = next(node.outputs[0] for node in graph.nodes if node.name == first)
    assert found.min() < 0
    np.testing.assert_array_equal(np.maximum(found, 0), float_reference.run(graph, [x])[output])


def test_full_rank_answers_as_the_layer_did() -> None:
    graph, (first, _), x = two_convolutions()
    made = dominant.decompose(graph.tensors[f"{first}/weights"].value, 9)
    fitted, error = dominant.fit_responses(
        dominant.rewrite(graph, first, made), first, dominant.responses(graph, first, x), x
    )
    assert error < 1e-4
    np.testing.assert_allclose(
        float_reference.outputs(fitted, [x])[0], float_reference.outputs(graph, [x])[0], rtol=0.02, atol=0.02
    )


@pytest.mark.parametrize("rank", [1, 2])
def test_it_is_the_least_squares_fit(rank: int) -> None:
    """Neither the weights' own combination nor any small change of the fitted one answers better."""
    graph, (first, _), x = two_convolutions()
    wanted = dominant.responses(graph, first, x)
    plain = dominant.rewrite(graph, first, dominant.decompose(graph.tensors[f"{first}/weights"].value, rank))
    fitted, error = dominant.fit_responses(plain, first, wanted, x)

    def squared(candidate: Graph) -> float:
        return float(np.square(dominant.responses(candidate, first, x).astype(np.float64) - wanted).sum())

    best = squared(fitted)
    assert best < squared(plain)
    spread = np.square(wanted - wanted.mean((0, 1, 2))).sum()
    assert best == pytest.approx(error * spread, rel=1e-3)
    rng = np.random.default_rng(0)
    for name in next(node.inputs[1:] for node in fitted.nodes if node.name == first):
        value = fitted.tensors[name].value
        before = value.copy()
        for _ in range(5):
            change = rng.normal(0, 0.02, value.shape).astype(np.float32)
            moved = {**fitted.tensors, name: constant(name, before + change, fitted.tensors[name].role)}
            assert squared(replace(fitted, tensors=moved)) > best


def test_by_recipe_later_layers_make_up_for_earlier_ones() -> None:
    graph, _, x = two_convolutions()
    samples = Dataset(x, None, (), "samples")
    exact = float_reference.outputs(graph, [x])[0]

    def error(fit: str) -> float:
        recipe = rc.parse(f'[[compress]]\nmethod = "dominant"\nfit = "{fit}"\nsamples = 40\n')
        found = float_reference.outputs(compress(graph, recipe, samples).model.graph, [x])[0]
        return float(np.square(found - exact).sum())

    assert error("responses") < 0.7 * error("weights")


def test_kernels_that_never_answer_have_no_weight() -> None:
    graph, (first, _), x = two_convolutions()
    x[..., 2] = 0
    made = dominant.decompose(graph.tensors[f"{first}/weights"].value, 1)
    fitted, _ = dominant.fit_responses(
        dominant.rewrite(graph, first, made), first, dominant.responses(graph, first, x), x
    )
    assert not fitted.tensors[f"{first}/weights"].value[:, 0, 0, 2].any()
