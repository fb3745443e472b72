"""`compile --optimise`: kernels by cycles, by linked code, or by RAM; the outputs are the same."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

import edgekc
from edgekc.boards.board import load_board
from edgekc.cli.main import app
from edgekc.emulate import host
from edgekc.errors import UsageError
from edgekc.files.output import read_manifest
from edgekc.format.pack import unpack
from edgekc.fuzzing.compiling import kernel_sources
from edgekc.generate.code_size import linked_bytes
from edgekc.generate.goals import Goal, plan_for
from edgekc.generate.plan import Plan, plan
from edgekc.graph.ir import Graph
from edgekc.graph.scratch import scratch_bytes
from edgekc.ops import OPS
from edgekc.ops.kernels.code_bytes import CODE_BYTES

ROOT = Path(__file__).resolve().parents[2]
PACKED = ROOT / "examples" / "models" / "resnet8_cifar10.ekc"
DIGITS = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
M4 = load_board("mps2-an386").features


@pytest.fixture(scope="module")
def graph() -> Graph:
    return unpack(PACKED.read_bytes(), PACKED.name)


@pytest.fixture(scope="module")
def plans(graph: Graph) -> dict[Goal, Plan]:
    return {goal: plan_for(goal, graph, M4, None).plan for goal in get_args(Goal)}


def code(found: Plan) -> int:
    return linked_bytes([(step.view, step.kernel) for step in found.steps])


def test_size_links_less_and_keeps_the_extensions_where_the_work_is(plans: dict[Goal, Plan]) -> None:
    assert code(plans["size"]) < 0.9 * code(plans["speed"])  # of which Winograd's is more than a tenth
    macs = sum(step.macs for step in plans["size"].steps)
    heavy = [step for step in plans["size"].steps if step.macs > 0.05 * macs]
    assert heavy and all("dsp" in step.kernel.needs for step in heavy)


def test_no_single_layer_could_still_link_less(plans: dict[Goal, Plan]) -> None:
    steps = plans["size"].steps
    for i, step in enumerate(steps):
        others = [(s.view, s.kernel) for s in steps[:i] + steps[i + 1 :]]
        for kernel in OPS[step.view.node.op].kernels:
            if kernel.needs == step.kernel.needs and kernel.accepts(step.view):
                assert linked_bytes([*others, (step.view, kernel)]) >= code(plans["size"]), step.view.node.name


def test_ram_is_the_least_and_what_does_not_decide_stays_fast(graph: Graph, plans: dict[Goal, Plan]) -> None:
    def thriftiest(view, features):  # type: ignore[no-untyped-def]
        kernels = [k for k in OPS[view.node.op].kernels if k.needs <= features and k.accepts(view)]
        return min(kernels, key=lambda k: scratch_bytes(k.scratch(view)) if k.scratch else 0)

    least = plan(graph, M4, thriftiest)
    assert plans["ram"].arena_bytes <= least.arena_bytes < plans["speed"].arena_bytes
    same = [a.kernel is b.kernel for a, b in zip(plans["ram"].steps, plans["speed"].steps, strict=True)]
    assert 0 < sum(same) < len(same)


def test_where_the_smallest_code_does_not_fit_ram_goes_first(graph: Graph) -> None:
    found = plan_for("size", graph, M4, 57_000)
    assert found.plan.arena_bytes <= 57_000 and found.slower


@pytest.mark.slow
def test_outputs_are_the_same(tmp_path: Path) -> None:
    outputs, layers = set(), set()
    for goal in get_args(Goal):
        program = edgekc.compile(PACKED, board="mps2-an386", optimise=goal)
        program.save(tmp_path / goal)
        layers.add(tuple(layer["kernel"] for layer in program.manifest["layers"]))
        outputs.add(host.run(host.build(tmp_path / goal), host.samples(read_manifest(tmp_path / goal), 2)))
    assert len(outputs) == 1 and len(layers) == len(get_args(Goal))


def test_another_goal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--optimise 'flash'; expected speed, size, ram"):
        edgekc.compile(DIGITS, optimise="flash")
    done = CliRunner().invoke(app, ["compile", str(DIGITS), "-o", str(tmp_path / "out"), "--optimise", "flash"])
    assert isinstance(done.exception, UsageError)


def test_the_table_has_every_source() -> None:
    """Where one is missing or too many: python tests/cross/kernel_bytes.py --write."""
    assert set(CODE_BYTES) == {path.stem for path in kernel_sources()}
