"""Problem, choices, recipes, costs and losses: each against what another part of edgekc says of the same."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from small_problem import BOARD, float_scores, labelled, net, problem

from edgekc import recipe as rc
from edgekc.compression import walk
from edgekc.compression.sizes import layer_sizes
from edgekc.data import for_graph, subset
from edgekc.errors import UsageError
from edgekc.exploration import costs, sensitivity, single, space, truth
from edgekc.exploration.candidate import Candidate
from edgekc.exploration.costs import CostTable
from edgekc.exploration.problem import Problem
from edgekc.format.pack import read
from edgekc.graph.ir import Graph
from edgekc.progress import unsaid
from edgekc.quantize import float_reference
from edgekc.quantize.settings import Quantize

pytestmark = pytest.mark.fast
CHOICES = ("int8", "cluster4", "cluster2", "templates16+pairs5", "svd4")


@pytest.fixture(scope="module")
def small() -> Problem:
    return problem()


@pytest.fixture(scope="module")
def choices(small: Problem) -> dict[str, tuple[str, ...]]:
    """Some of those that there are."""
    return {name: tuple(c for c in own if c in CHOICES) for name, own in space.choices(small.graph).items()}


@pytest.fixture(scope="module")
def cost(small: Problem, choices: dict[str, tuple[str, ...]]) -> CostTable:
    return costs.table(small, choices)


def test_choices_suit_the_layers(small: Problem) -> None:
    found = space.choices(small.graph)
    assert list(found) == ["conv2d_0", "conv2d_1", "conv2d_3", "depthwise_4", "conv2d_5", "fully_connected_7"]
    assert all(own[0] == "int8" for own in found.values())
    assert {"cluster4", "templates64+pairs7"} <= set(found["conv2d_3"])
    assert not any(c.startswith("templates") for name in ("depthwise_4", "conv2d_5") for c in found[name])
    assert any(c.startswith("svd") for c in found["conv2d_5"])
    assert not any(c.startswith("steps") for own in found.values() for c in own)
    assert "steps2" in space.choices(small.graph, epochs=1)["conv2d_3"]
    assert "cluster7" not in found["depthwise_4"]  # 288 weights: indices and centers would take more


def test_a_recipe_says_all_of_a_candidate(small: Problem) -> None:
    layers = (("conv2d_0", "cluster4"), ("conv2d_1", "templates16+pairs5"), ("conv2d_3", "cluster4"),
              ("depthwise_4", "int8"), ("conv2d_5", "svd4"), ("fully_connected_7", "steps3"))  # fmt: skip
    made = space.recipe(Candidate(layers, keep=0.8, epochs=3), small.graph, data_settings=Quantize(seed=4))
    assert rc.parse(rc.dump(made)) == made
    named = [(step.method, getattr(step, "layers", ())) for step in made.compress]
    assert named == [
        ("prune", ("*",)),
        ("cluster", ("conv2d_0", "conv2d_3")),
        ("codebook", ("conv2d_1",)),
        ("pairs", ("conv2d_1",)),
        ("svd", ("conv2d_5",)),
        ("cluster", ("fully_connected_7",)),
        ("statistics", ("*",)),
        ("retrain", ()),
    ]
    assert made.quantize.seed == 4
    assert {step.distill for step in (made.compress[0], made.compress[-1])} == {"auto"}
    few = space.recipe(Candidate(layers, keep=0.5), small.graph, samples=1000).compress[0]
    assert (made.compress[0].epochs, few.epochs, few.keep) == (1, 15, 0.5)
    plain = space.recipe(Candidate((("conv2d_0", "int8"),)), small.graph)
    assert plain == rc.Recipe()


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        ({"conv2d_9": "int8"}, "no layer is called 'conv2d_9'"),
        ({"conv2d_1": "cluster"}, "no choice is called 'cluster'"),
        ({"conv2d_1": "cluster4+pairs3"}, "no choice is called"),
        ({"conv2d_1": "cluster9"}, "compress"),
    ],
)
def test_what_is_no_candidate_is_refused(small: Problem, layers: dict[str, str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        space.recipe(Candidate(tuple(layers.items())), small.graph)


def test_learned_steps_are_mixed_with_8_bits_alone(small: Problem) -> None:
    own = space.stepped(space.choices(small.graph, epochs=1))
    assert own["conv2d_3"] == ("int8", "steps4", "steps3", "steps2")
    assert own.keys() == space.choices(small.graph).keys()
    assert space.learns_steps(Candidate((("a", "int8"), ("b", "steps2"))))
    assert not space.learns_steps(Candidate((("a", "int8"), ("b", "cluster2"))))


def test_what_a_search_cannot_judge_by_is_refused(small: Problem) -> None:
    graph, (x, y) = net(), labelled(net())
    for data, what in (
        (None, "needs samples"),
        ([(x, np.zeros_like(y))], "all of one class"),
        ([(x[:9], y[:9])], "too few"),
        ([(x[:, :5], y)], "shape"),
    ):
        with pytest.raises(UsageError, match=what):
            Problem.open(graph, data, board=BOARD)
    with pytest.raises(UsageError, match="quantised"):
        Problem.open(Path("edgekc/demo/data/digits_int8.tflite"), [(x, y)], board=BOARD)
    again = pickle.loads(pickle.dumps(small))
    assert again.float_accuracy == small.float_accuracy
    assert again.scores == small.graph.outputs[0]


def test_bytes_are_those_of_the_packed_model(
    small: Problem, choices: dict[str, tuple[str, ...]], cost: CostTable
) -> None:
    """Of a model that is compressed in earnest, by second order, a mixture of choices."""
    layers = {name: own[-1] for name, own in choices.items()}
    assert {"int8", "svd4"} < {*layers.values(), "int8"}
    ekc = truth.packed(small, space.recipe(Candidate(tuple(layers.items())), small.graph))
    found = {size.name: size.packed for size in layer_sizes(read(ekc, "small"))}
    for name, choice in layers.items():
        parts = [size for part, size in found.items() if part == name or part.startswith(f"{name}_")]
        assert cost.layers[name][choice].weights == sum(parts), (name, choice)


def test_shared_code_is_paid_once(cost: CostTable) -> None:
    dense = dict.fromkeys(cost.layers, "int8")
    a, b = "conv2d_3", "conv2d_1"
    one, other, both = ({**dense, **dict.fromkeys(names, "cluster4")} for names in ([a], [b], [a, b]))
    shared = {*cost.layers[a]["cluster4"].files} & {*cost.layers[b]["cluster4"].files} - {*cost.fixed_files}
    shared -= {file for name in cost.layers for file in cost.layers[name]["int8"].files}
    assert shared
    twice = cost.flash(one) + cost.flash(other) - cost.flash(both) - cost.flash(dense)
    assert twice >= sum(cost.code[file] for file in shared)
    saved = cost.layers[b]["int8"].constants - cost.layers[b]["cluster4"].constants
    assert cost.flash(one) - cost.flash(both) >= saved - sum(cost.code[f] for f in cost.layers[b]["cluster4"].files)
    assert cost.ram(dense) >= cost.least_ram
    assert json.loads(json.dumps(cost.as_json()))["layers"][b]["cluster4"]["weights"] > 0


def test_losses_are_those_of_the_whole_network(small: Problem, choices: dict[str, tuple[str, ...]]) -> None:
    """Each layer compressed in a copy of the whole graph, which runs from its start."""
    found = sensitivity.table(small, choices)
    graph, judged = small.prepared, small.judging
    most = max(sensitivity.calibrated(graph, node) for node in graph.nodes if node.name in choices)
    train = subset(for_graph(small.parts.train, graph), most, small.seed)
    values = float_reference.run(graph, [train.x])
    exact = float_scores(graph, judged)

    def log_softmax(z: np.ndarray) -> np.ndarray:
        return z - np.logaddexp.reduce(z, axis=1, keepdims=True)  # type: ignore[no-any-return]

    assert found.samples == len(judged)
    assert found.accuracy == float((exact.argmax(1) == judged.labels).mean())
    for node in graph.nodes:
        for choice in choices.get(node.name, ())[1:]:
            seen = values[node.inputs[0]][: sensitivity.calibrated(graph, node)]
            one = single.compressed(graph, node, space.steps(choice, (node.name,)), seen)
            off = float_scores(one, judged)
            gap = log_softmax(exact) - log_softmax(off)
            loss = found.layers[node.name][choice]
            assert loss.proxy == pytest.approx(float((np.exp(log_softmax(exact)) * gap).sum(1).mean()), abs=1e-5)
            lost = (exact.argmax(1) == judged.labels).mean() - (off.argmax(1) == judged.labels).mean()
            assert loss.loss == pytest.approx(100 * lost, abs=1e-9)
    assert all(own["int8"] == sensitivity.Loss(0.0, 0.0) for own in found.layers.values())
    assert found.layers["conv2d_3"]["cluster2"].proxy > found.layers["conv2d_3"]["cluster4"].proxy > 0


def test_without_labels_outputs_are_compared() -> None:
    plain = problem(labels=False)
    found = sensitivity.table(plain, {"conv2d_3": ("int8", "cluster2")}).layers["conv2d_3"]["cluster2"]
    assert plain.float_accuracy is None
    assert found.proxy > 0
    assert found.loss == pytest.approx(100 * found.proxy**0.5)


class KilledError(Exception):
    pass


def test_a_killed_table_goes_on(small: Problem, tmp_path: Path) -> None:
    choices = dict.fromkeys(("conv2d_0", "conv2d_1", "fully_connected_7"), ("int8", "cluster2"))

    def kill(what: str, done: int, total: int) -> None:
        if done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        sensitivity.table(small, choices, on_progress=kill, folder=tmp_path)
    kept = json.loads((tmp_path / "sensitivity.json").read_text())["layers"]
    assert list(kept) == ["conv2d_0", "conv2d_1"]
    kept["conv2d_0"]["cluster2"]["proxy"] = 7.0  # to see that it is not measured again
    text = json.loads((tmp_path / "sensitivity.json").read_text())
    (tmp_path / "sensitivity.json").write_text(json.dumps({**text, "layers": kept}))
    again, whole = sensitivity.table(small, choices, folder=tmp_path), sensitivity.table(small, choices)
    assert again.layers["conv2d_0"]["cluster2"].proxy == 7.0
    assert {**again.layers, "conv2d_0": {}} == {**whole.layers, "conv2d_0": {}}
    with pytest.raises(UsageError, match="another model"):
        sensitivity.table(problem(net(1)), choices, folder=tmp_path)
    (tmp_path / "sensitivity.json").write_text("[]")
    with pytest.raises(UsageError, match="no table"):
        sensitivity.table(small, choices, folder=tmp_path)


def renamed(graph: Graph, name: str) -> Graph:
    return dataclasses.replace(graph, name=name)


def test_the_recipe_alone_makes_the_same_bytes(small: Problem) -> None:
    made = space.recipe(
        Candidate((("conv2d_1", "cluster4"), ("conv2d_3", "cluster2"))), small.graph, data_settings=small.settings
    )
    x, y = labelled(net())
    again = walk.run(renamed(net(), "small"), "small", rc.parse(rc.dump(made)), [(x, y)], None, unsaid)[0]
    assert again == truth.packed(small, made)
