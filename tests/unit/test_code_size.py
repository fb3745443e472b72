"""Layers of hardly any work take kernels without the extension where that is less code."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.format.pack import read
from edgekc.generate.choice import choose_kernel
from edgekc.generate.code_size import code_bytes, files_of, spared
from edgekc.generate.plan import plan, plan_within
from edgekc.graph.ir import Graph
from edgekc.graph.op import Kernel, view_of
from edgekc.ops import OPS

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
BOARD = load_board("mps2-an386")
FC = "clustered_fully_connected"


def packed(name: str) -> Graph:
    return read((MODELS / f"{name}.ekc").read_bytes(), name).graph


def chosen(graph: Graph, features: frozenset[str]) -> dict[str, Kernel]:
    return {step.view.node.name: step.kernel for step in plan_within(graph, features, None)[0].steps}


@pytest.mark.parametrize("name", ["resnet8_cifar10", "kws_dscnn"])
def test_the_classifier_of_a_convolutional_network_does_without_the_extension(name: str) -> None:
    graph = packed(name)
    kernels = chosen(graph, BOARD.features)
    assert {kernels[n.name].symbol for n in graph.nodes if n.op == FC} == {f"ek_{FC}_s8_mul2"}
    fastest = {step.view.node.name: step.kernel for step in plan(graph, BOARD.features).steps}
    assert code_bytes(fastest.values()) - code_bytes(kernels.values()) > 1500
    assert [n for n in kernels if kernels[n] is not fastest[n]] == [n.name for n in graph.nodes if n.op == FC]


def test_where_they_are_the_work_they_stay() -> None:
    graph = packed("ad_lowrank")
    assert {k.symbol for k in chosen(graph, BOARD.features).values()} >= {f"ek_{FC}_s8_dsp"}


def test_other_extensions_are_left_alone() -> None:
    graph = packed("kws_dscnn")
    features = load_board("mps3-an547").features
    for step in plan_within(graph, features, None)[0].steps:
        assert step.kernel is choose_kernel(step.view, features)


def test_code_that_another_layer_needs_saves_nothing() -> None:
    """A small layer shares its kernel, or all of its files, with a large one."""
    graph = packed("resnet8_cifar10")
    views = {n.name: view_of(graph, n) for n in graph.nodes}
    kernel = next(k for k in OPS[FC].kernels if k.symbol == f"ek_{FC}_s8_dsp")
    large = [(views["c_1"], choose_kernel(views["c_1"], BOARD.features))]
    assert spared([(views["fc"], kernel), *large])["fc"].symbol == f"ek_{FC}_s8_mul2"
    assert spared([(views["fc"], kernel)])["fc"] is kernel
    assert files_of(kernel) == {f"ek_{FC}_s8_dsp", "ek_center_table_dsp"}
