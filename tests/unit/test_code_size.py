"""Layers of hardly any work take portable kernels where that is less code, and the sizes by which that is told."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from kernel_files import INCLUDE_FLAGS, kernel_sources

from edgekc.boards.board import load_board
from edgekc.format.pack import read
from edgekc.generate.choice import choose_kernel
from edgekc.generate.code_size import CODE_BYTES, files_of, linked_bytes, spared
from edgekc.generate.plan import plan, plan_within
from edgekc.graph.ir import Graph
from edgekc.graph.op import Kernel, View, view_of
from edgekc.ops import OPS

MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
BOARD = load_board("mps2-an386")
FC = "clustered_fully_connected"


def packed(name: str) -> Graph:
    return read((MODELS / f"{name}.ekc").read_bytes(), name).graph


def chosen(graph: Graph, features: frozenset[str]) -> dict[str, Kernel]:
    return {step.view.node.name: step.kernel for step in plan_within(graph, features, None)[0].steps}


@pytest.mark.fast
@pytest.mark.parametrize("name", ["resnet8_cifar10", "kws_dscnn"])
def test_the_classifier_of_a_convolutional_network_is_portable(name: str) -> None:
    graph = packed(name)
    kernels = chosen(graph, BOARD.features)
    assert {kernels[n.name].symbol for n in graph.nodes if n.op == FC} == {f"ek_{FC}_s8"}
    fastest = {step.view.node.name: step.kernel for step in plan(graph, BOARD.features).steps}
    assert linked_bytes(fastest) - linked_bytes(kernels) > 1500
    assert [n for n in kernels if kernels[n] is not fastest[n]] == [n.name for n in graph.nodes if n.op == FC]


@pytest.mark.fast
def test_where_they_are_the_work_they_stay() -> None:
    graph = packed("ad_lowrank")
    assert {k.symbol for k in chosen(graph, BOARD.features).values()} >= {f"ek_{FC}_s8_dsp"}


@pytest.mark.fast
def test_other_extensions_are_left_alone() -> None:
    graph = packed("kws_dscnn")
    features = load_board("mps3-an547").features
    for step in plan_within(graph, features, None)[0].steps:
        assert step.kernel is choose_kernel(step.view, features)


@pytest.mark.fast
def test_code_that_another_layer_needs_saves_nothing() -> None:
    """A small layer shares its kernel, or all of its files, with a large one."""
    graph = packed("resnet8_cifar10")
    views = {n.name: view_of(graph, n) for n in graph.nodes}
    kernel = next(k for k in OPS[FC].kernels if k.symbol == f"ek_{FC}_s8_dsp")
    large = [(views["c_1"], choose_kernel(views["c_1"], BOARD.features))]
    assert spared([(views["fc"], kernel), *large])["fc"].symbol == f"ek_{FC}_s8"
    assert spared([(views["fc"], kernel)])["fc"] is kernel
    assert files_of(kernel) == {f"ek_{FC}_s8_dsp", "ek_center_pairs_dsp"}
    unknown: list[tuple[View, Kernel]] = [(views["add_0"], choose_kernel(views["add_0"], BOARD.features))]
    assert spared(unknown) == {"add_0": unknown[0][1]}


@pytest.mark.slow
def test_sizes_are_those_of_the_compiler(tmp_path: Path) -> None:
    """Within a tenth and 64 bytes: what the choice is about is larger."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is missing")
    sources = {path.stem: path for path in kernel_sources()}
    target = tmp_path / "kernel.o"
    for stem, known in CODE_BYTES.items():
        command = ["arm-none-eabi-gcc", *BOARD.gcc_flags, "-Os", "-ffunction-sections", *INCLUDE_FLAGS]
        subprocess.run([*command, "-c", str(sources[stem]), "-o", str(target)], check=True)
        printed = subprocess.run(["arm-none-eabi-size", str(target)], check=True, capture_output=True, text=True)
        size = int(printed.stdout.splitlines()[1].split()[0])
        assert abs(size - known) <= 64 + size // 10, f"{stem}: {size} bytes, and CODE_BYTES says {known}"
