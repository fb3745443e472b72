"""Kernels for little RAM: the planner gives up speed where the fastest kernels' scratch does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.format.pack import unpack
from edgekc.generate.plan import Plan, plan, plan_within
from edgekc.graph.ir import Graph
from edgekc.pipeline import Target, compile_model

MODEL = Path(__file__).resolve().parents[2] / "examples" / "models" / "resnet8_cifar10.ekc"
M4 = load_board("mps2-an386").features


@pytest.fixture(scope="module")
def graph() -> Graph:
    return unpack(MODEL.read_bytes(), MODEL.name)


def buffers(found: Plan) -> int:
    return found.arena_bytes + found.input_bytes + found.output_bytes


def test_with_room_the_fastest_kernels_are_taken(graph: Graph) -> None:
    fastest, slower = plan_within(graph, M4, None)
    assert slower == [] and fastest.arena_bytes == plan(graph, M4).arena_bytes
    found, slower = plan_within(graph, M4, buffers(fastest))
    assert slower == [] and [s.kernel for s in found.steps] == [s.kernel for s in fastest.steps]


def test_only_what_is_too_large_gets_slower(graph: Graph) -> None:
    fastest, _ = plan_within(graph, M4, None)
    assert buffers(fastest) > 64_000  # else there is nothing to save
    found, slower = plan_within(graph, M4, 64_000)
    assert buffers(found) <= 64_000
    changed = [(a, b) for a, b in zip(fastest.steps, found.steps, strict=True) if a.kernel.symbol != b.kernel.symbol]
    assert [b.view.node.name for _, b in changed] == slower and 0 < len(slower) < len(found.steps) // 2
    assert all(b.scratch_bytes < a.scratch_bytes for a, b in changed)


def test_the_smallest_plan_comes_back_where_none_fits(graph: Graph) -> None:
    found, _ = plan_within(graph, M4, 1000)
    assert 1000 < buffers(found) <= buffers(plan_within(graph, M4, 64_000)[0])


def test_compile_says_so() -> None:
    said: list[str] = []
    compile_model(MODEL, "net", Target("a board of 64 KiB", M4, None, 65536), log=said.append)
    assert any("slower kernels of less scratch, for 65536 bytes of RAM" in line for line in said)
