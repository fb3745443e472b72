"""`edgekc fuzz`: what it draws, what it compares, and that it finds what is wrong and makes it small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import oracle
import pytest
from typer.testing import CliRunner

import edgekc
from edgekc.api.samples import first_inputs
from edgekc.cli.main import app
from edgekc.errors import ModelError, ToolError, UnsupportedError, UsageError
from edgekc.firmware.toolchain import arm_compiler, emulator, host_compiler
from edgekc.fuzzing import comparing, device, drawing, failures, plans, session, subjects
from edgekc.fuzzing.building import Kernels, families, jobs_of
from edgekc.fuzzing.comparing import Finding
from edgekc.fuzzing.nets import RandomNet, random_samples
from edgekc.fuzzing.shrinking import Case, shrunk
from edgekc.fuzzing.subjects import integer_graph, subject
from edgekc.graph.op import Lowered, View
from edgekc.ops import LOWER, OPS

BOARD = "mps2-an386"
MOST_DRAWN = 800  # networks until each operator was drawn; the last came with the 522nd


@pytest.fixture
def _host() -> None:
    try:
        host_compiler()
    except ToolError as error:
        pytest.skip(f"no compiler for this machine: {error}")


@pytest.fixture
def _board(_host: None) -> None:
    board = edgekc.load_board(BOARD)
    try:
        arm_compiler(board)
        emulator(board)
    except ToolError as error:
        pytest.skip(f"{BOARD} cannot be emulated: {error}")


@pytest.mark.fast
def test_draws_are_repeatable_and_of_every_kind() -> None:
    drawn = [drawing.draw(3, number) for number in range(60)]
    assert drawn[7].net.model() == drawing.draw(3, 7).net.model()
    assert {d.net.kind for d in drawn} == set(drawing.KINDS)
    assert {d.form for d in drawn if d.net.kind == "int8"} == {"dense", "exact", "wide", "nearest"}
    assert {plans.goal_of(d.net.kind, d.net.seed) for d in drawn} == {*plans.GOALS, plans.ROWS_KIND}
    assert len({d.net.seed for d in drawn}) == 60
    found = drawing.net_of(drawn[7].net.kind, drawn[7].net.seed)
    assert found.model() == drawn[7].net.model()  # so a finding can be drawn again


@pytest.mark.slow
def test_every_operator_is_drawn() -> None:
    """A new operator of the device that no network has within MOST_DRAWN fails here."""
    missing = set(OPS)
    for number in range(MOST_DRAWN):
        drawn = drawing.draw(0, number)
        try:
            missing -= {node.op for node in integer_graph(drawn.net, drawn.form).nodes}
        except UnsupportedError:
            continue
        if not missing:
            return
    raise AssertionError(f"no network of {MOST_DRAWN} has {', '.join(sorted(missing))}")


@pytest.mark.fast
def test_every_type_is_drawn() -> None:
    """Of activations, as a file may have them."""
    tensors = [t for number in range(60) for v in drawing.draw(0, number).net.views for t in (*v.inputs, *v.outputs)]
    assert {t.dtype for t in tensors if t.data is None} >= {"int8", "uint8", "int16", "int32", "float32", "bool"}


@pytest.mark.fast
@pytest.mark.usefixtures("_host")
@pytest.mark.parametrize(
    ("kind", "seed", "form", "op"),
    [
        ("float", 15, "dense", "binary_f32"),
        ("recurrent", 35, "dense", "lstm"),
        ("rows", 9, "dense", "conv2d"),
        ("int8", 15, "nearest", "mul_nearest"),
    ],
)
def test_a_network_of_each_newer_kind(kind: str, seed: int, form: str, op: str, tmp_path: Path) -> None:
    s = subject(drawing.net_of(kind, seed), form)
    assert op in {node.op for node in s.graph.nodes}
    portable = [f for f in families() if f.name == "portable"]
    (job,) = [plans.planned(job, kind, seed) for job in jobs_of(s.name, s.data, s.inputs, portable)]
    assert bool(job.plan.groups) == (kind == "rows")
    found = comparing.run_jobs([job], {s.name: s}, Kernels(tmp_path / "kernels", ("-O0",)), tmp_path)
    assert not found and not comparing.differs_from_import(s)


@pytest.mark.fast
def test_a_fault_behind_a_sound_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pass that leaves an illegal graph; what the compiler cannot do is refused."""

    def broken(net: RandomNet, form: str, **given: object) -> None:
        raise UnsupportedError("too many") if net.seed % 2 else ModelError("reads x before it is written")

    assert failures.subject is subjects.subject  # which what makes a finding small keeps
    monkeypatch.setattr(subjects, "subject", broken)
    run = session.fuzz(0, seconds=None, networks=6, flags="-O0", out=tmp_path, shrink_s=0.1)
    assert 0 < run.refused < 6 and run.networks == 0 and len(run.findings) == 6 - run.refused
    assert "ModelError: reads x" in run.findings[0]


@pytest.mark.fast
def test_an_operator_is_asked_for() -> None:
    drawing.check_operators(["prelu", "clustered_conv2d"])
    assert any(v.node.op == "prelu" for v in drawing.draw(0, 0, ["prelu"]).net.views)
    assert drawing.draw(0, 1, ["clustered_conv2d"]).form != "dense"
    with pytest.raises(UsageError, match="did you mean 'conv2d'"):
        drawing.check_operators(["conv2dd"])


@pytest.mark.fast
@pytest.mark.usefixtures("_host")
def test_a_few_networks(tmp_path: Path) -> None:
    run = session.fuzz(4, seconds=None, networks=2, flags="-O0", out=tmp_path)
    assert not run.findings, str(run)
    assert run.networks == 2 and run.runs >= 2 and run.sides["portable"] == 2 and run.sides["as imported"] > 0
    assert ("LiteRT" in run.sides) == (not oracle.missing())
    assert "no difference" in str(run)
    assert not list(tmp_path.iterdir())


@pytest.mark.fast
def test_images_hold_what_the_board_has_room_for() -> None:
    board = edgekc.load_board("microbit")
    s = subject(drawing.net_of("int8", 3), "dense")
    (job,) = jobs_of(s.name, s.data, s.inputs, [device.family_of(board)])
    batches = device.batches(board, [job] * 60)
    assert len(batches) > 1 and sum(map(len, batches)) == 60
    assert device.run(board, [], Path()) == ([], [], [])


@pytest.mark.slow
@pytest.mark.usefixtures("_board")
def test_on_a_board(tmp_path: Path) -> None:
    """Two networks in one image."""
    run = session.fuzz(5, seconds=None, networks=2, boards=[BOARD], flags="-O0", out=tmp_path)
    assert not run.findings, str(run)
    assert run.sides[BOARD] == 2


@pytest.mark.fast
def test_inputs_of_a_network_of_several(tmp_path: Path) -> None:
    """As `verify` takes them: an array for each input, in the order of the C function's."""
    net = next(net for net in (drawing.net_of("int8", seed) for seed in range(40)) if len(net.inputs) > 1)
    s = subject(net, "dense", 3)
    (tmp_path / "net.ekc").write_bytes(s.data)
    np.savez(tmp_path / "net.npz", **{f"x{i}": x for i, x in enumerate(s.inputs)})
    program = edgekc.compile(tmp_path / "net.ekc")
    (job,) = jobs_of(s.name, s.data, s.inputs, [device.family_of(edgekc.load_board(BOARD))])
    size = job.plan.input_bytes
    assert first_inputs(tmp_path / "net.npz", s.graph, program.manifest, 2) == job.samples[: 2 * size]


def _off_by_three(view: View) -> Lowered:
    lowered = LOWERINGS[view.node.op](view)
    if "out_zero" not in lowered.attrs:  # of 16 bits
        return lowered
    attrs = {**lowered.attrs, "out_zero": lowered.attrs["out_zero"] - 3}
    return Lowered(lowered.op, attrs, lowered.activations, lowered.constants)


LOWERINGS = dict(LOWER)


@pytest.mark.slow
@pytest.mark.usefixtures("_host")
@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_a_wrong_lowering_is_found_and_shown_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a network of one node; the files that were written show the same difference."""
    monkeypatch.setitem(LOWER, "depthwise", _off_by_three)
    run = session.fuzz(
        0, seconds=None, networks=4, flags="-O0", ops=["depthwise"], out=tmp_path, first=True, shrink_s=5
    )
    (written,) = run.written
    assert "LiteRT" in written["side"] and written["layers"] == 1 and "= depthwise(" in written["listing"][0]
    assert f"edgekc verify {tmp_path}" in written["command"] and written["command"] in str(run)
    found = edgekc.compile(written["model"]).verify(data=written["inputs"], device=False)
    assert not found.ok and "LiteRT" in found.difference
    monkeypatch.undo()
    assert edgekc.compile(written["model"]).verify(data=written["inputs"], device=False).ok


@pytest.mark.fast
@pytest.mark.usefixtures("_host")
def test_a_crash_of_the_compiler_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(view: View) -> Lowered:
        raise ZeroDivisionError("of our own")

    monkeypatch.setitem(LOWER, "softmax", broken)
    run = session.fuzz(4, seconds=None, networks=1, flags="-O0", ops=["softmax"], out=tmp_path, shrink_s=5)
    assert "ZeroDivisionError: of our own" in run.findings[0]
    assert run.written[0]["layers"] == 1 and Path(run.written[0]["model"]).read_bytes()[4:8] == b"TFL3"


@pytest.mark.fast
def test_sizes_and_values_become_small() -> None:
    """Here what fails is any product with a constant of which a value is 5."""

    def fails(case: Case) -> bool:
        return any(t.data is not None and (t.data == 5).any() for v in case.net.views for t in v.inputs if v.node.op == "mul")  # fmt: skip  # noqa: E501

    nets = (drawing.net_of("int8", seed) for seed in range(400))
    case = next(filter(fails, (Case(net, random_samples(net, 2)) for net in nets)))
    small = shrunk(case, fails, 20)
    (view,) = small.net.views
    assert view.node.op == "mul" and len(small.samples) == 1
    assert sum(int(np.count_nonzero(t.value)) for t in view.inputs if t.data is not None) <= 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ops": ["nothing_such"]}, "no operator"),
        ({"flags": "Os"}, "no flags"),
        ({"flags": "-Onothing_such"}, "nothing_such"),
        ({"boards": ["no-board"]}, "no-board"),
        ({"out": Path(__file__)}, "it is a file"),
    ],
)
@pytest.mark.fast
@pytest.mark.usefixtures("_host")
def test_bad_options(change: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(edgekc.EdgekcError, match=said):
        session.fuzz(0, networks=1, **{"out": tmp_path, **change})  # type: ignore[arg-type]


@pytest.mark.fast
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"edgekc\[fuzz\]"):
        session.fuzz(0, networks=1)


@pytest.mark.fast
@pytest.mark.usefixtures("_host")
def test_the_command(tmp_path: Path) -> None:
    words = ["fuzz", "--networks", "1", "--seed", "4", "--flags", "-O0", "-o", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and done.stdout.startswith("seed 4\n1 networks in "), done.output
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert (told["seed"], told["networks"], told["findings"]) == (4, 1, [])


@pytest.mark.usefixtures("_host")
def test_ctrl_c_ends_with_the_summary(tmp_path: Path) -> None:
    # In the background of a shell Ctrl-C is ignored, by these tests and by what they start.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "\nfrom edgekc.cli.main import run\nrun()"
    command = [sys.executable, "-c", code, "fuzz", "--flags=-O0", "--seed", "1"]
    command += ["--seconds", "600", "-o", str(tmp_path)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "seed 1\n"
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert out.startswith("stopped before its end") and "no difference" in out


@pytest.mark.slow
@pytest.mark.usefixtures("_board")
def test_a_hundred_networks(tmp_path: Path) -> None:
    """By the default options, and on a board."""
    run = session.fuzz(100, seconds=None, networks=100, boards=[BOARD], out=tmp_path)
    print(run)
    assert not run.findings, str(run)
    assert run.networks > 95 and run.sides[BOARD] > 90 and run.refused <= 5


@pytest.mark.slow
@pytest.mark.usefixtures("_host")
@pytest.mark.parametrize("name", ["average-half", "mul-zero", "table-readers"])
def test_planted_bugs_are_found(name: str, tmp_path: Path) -> None:
    """Of a kernel, a lowering and a pass: three of those in benchmarks/fuzz_mutants.py."""
    if name == "mul-zero" and oracle.missing():
        pytest.skip(oracle.missing())
    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    import fuzz_mutants

    (mutant,) = (m for m in fuzz_mutants.MUTANTS if m.name == name)
    assert fuzz_mutants.search(mutant, tmp_path, 60).found


@pytest.mark.fast
def test_every_mutant_has_its_place(tmp_path: Path) -> None:
    sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
    import fuzz_mutants

    for mutant in fuzz_mutants.MUTANTS:
        assert (fuzz_mutants.ROOT / mutant.file).read_text().count(mutant.before) == 1, mutant.name
    assert len({m.name for m in fuzz_mutants.MUTANTS}) == len(fuzz_mutants.MUTANTS) >= 20


@pytest.mark.fast
def test_a_finding_is_a_line() -> None:
    """A sanitizer's report stands behind it, for the file of the finding alone."""
    finding = Finding("int8", 7, "exact", "portable", "portable, sample 0: stopped with 1: overlap\n==1==ERROR: ...")
    assert str(finding) == "seed 7, exact: portable, sample 0: stopped with 1: overlap"
