"""Kernels for little RAM: the planner gives up speed where the fastest kernels' scratch does not fit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.files.output import write_folder
from edgekc.format.pack import unpack
from edgekc.generate.plan import Plan, plan, plan_within
from edgekc.generate.thrift import offers, thriftier
from edgekc.graph.ir import Graph
from edgekc.graph.op import view_of
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


def cost(found: Plan) -> float:
    """Of the layers whose kernels have one."""
    return sum(s.kernel.counted_cost(s.view) for s in found.steps if s.kernel.counted_cost is not None)


@pytest.mark.parametrize(("room", "times"), [(63_000, 1.1), (56_000, 1.2), (51_000, 1.35), (47_000, 1.55)])
def test_only_what_is_too_large_gets_slower(graph: Graph, room: int, times: float) -> None:
    """Kernels that hold less at a time come before kernels of another kind."""
    fastest, _ = plan_within(graph, M4, None)
    assert buffers(fastest) > 64_000  # else there is nothing to save
    found, slower = plan_within(graph, M4, room)
    assert buffers(found) <= room and cost(fastest) < cost(found) < times * cost(fastest)
    changed = [(a, b) for a, b in zip(fastest.steps, found.steps, strict=True) if a.scratch_bytes != b.scratch_bytes]
    assert [b.view.node.name for _, b in changed] == slower and 0 < len(slower) < len(found.steps) // 2
    assert all(b.scratch_bytes < a.scratch_bytes for a, b in changed)
    for step in found.steps:
        if step.kernel.scratch is not None and step.view.node.name in slower:
            assert step.kernel.accepts(step.view) and step.kernel.symbol.endswith("_dsp")


def test_offers_cost_more_the_less_they_take(graph: Graph) -> None:
    view = view_of(graph, next(n for n in graph.nodes if n.name == "c_1"))
    found = [o for o in offers(view, M4) if o.kernel.symbol == "ek_clustered_winograd_s8_dsp"]
    assert len(found) > 5
    for a, b in pairwise(found):
        assert a.scratch_bytes > b.scratch_bytes and a.cost < b.cost
    wanted = found[2].scratch_bytes
    assert thriftier(tuple(found), found[0].scratch_bytes, wanted) is found[2]
    assert thriftier(tuple(found), found[0].scratch_bytes, 100) is found[-1]
    assert thriftier(tuple(found), found[-1].scratch_bytes, 0) is None


@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
def test_thrifty_programs_give_the_same_bytes(board: str, tmp_path: Path) -> None:
    outputs, features = set(), load_board(board).features
    for room in (None, 44_000):
        files = compile_model(MODEL, "net", Target(board, features, None, room)).files
        write_folder(files, tmp_path / str(room))
        program = host.build(tmp_path / str(room))
        outputs.add(host.run(program, host.samples(program.manifest, 3)))
    assert len(outputs) == 1


def test_the_smallest_plan_comes_back_where_none_fits(graph: Graph) -> None:
    found, _ = plan_within(graph, M4, 1000)
    assert 1000 < buffers(found) <= buffers(plan_within(graph, M4, 64_000)[0])


def test_compile_says_so() -> None:
    said: list[str] = []
    compile_model(MODEL, "net", Target("a board of 64 KiB", M4, None, 65536), log=said.append)
    assert any("slower kernels of less scratch, for 65536 bytes of RAM" in line for line in said)
