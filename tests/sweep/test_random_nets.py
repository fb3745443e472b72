"""Random networks: LiteRT, the numpy definition and the C of every family of kernels give the same bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import oracle
import pytest
import random_failures as failures
import random_sweep as sweep

from edgekc.errors import ToolError
from edgekc.firmware.toolchain import host_compiler
from edgekc.fuzzing import building as rb
from edgekc.fuzzing import file_operators
from edgekc.fuzzing.compiling import SANITIZE
from edgekc.fuzzing.nets import random_net, random_samples
from edgekc.fuzzing.shrinking import Case, shrunk
from edgekc.graph.op import Lowered, View
from edgekc.importers.tflite.handlers import HANDLERS, detection, recurrent, state
from edgekc.ops import LOWER

GRAPHS = 70  # the last kernel file is reached by the 55th
MOST_REFUSED = 0.02  # of the graphs


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> rb.Kernels:
    try:
        host_compiler()
    except ToolError as error:
        pytest.skip(f"no compiler for this machine: {error}")
    return rb.Kernels(tmp_path_factory.mktemp("plain"), ("-O0",))


@pytest.fixture(scope="module")
def sanitized(plain: rb.Kernels, tmp_path_factory: pytest.TempPathFactory) -> rb.Kernels:
    """Kernels under the address and undefined-behaviour sanitizers."""
    folder = tmp_path_factory.mktemp("sanitized")
    probe, program = folder / "probe.c", folder / "probe"
    probe.write_text("int main(void) { return 0; }\n")
    command = [*host_compiler().command, *SANITIZE, str(probe), "-o", str(program)]
    if subprocess.run(command, capture_output=True).returncode or subprocess.run([str(program)]).returncode:
        pytest.skip(f"{host_compiler().command[0]} has no sanitizers here")
    return rb.Kernels(folder, SANITIZE)


def emulated() -> list[rb.Family]:
    """The families that run by their twins in C."""
    return [family for family in rb.families() if not family.flags]


def test_a_dozen_networks(plain: rb.Kernels, tmp_path: Path) -> None:
    out = sweep.sweep(range(12), plain, tmp_path, ("dense",), emulated())
    assert not out.findings, failures.explained(out.findings, plain, tmp_path)
    assert len(out.refused) <= 1, out.refused
    assert len(out.families) >= 5


@pytest.mark.slow
def test_every_family_of_kernels(sanitized: rb.Kernels, tmp_path: Path) -> None:
    """70 networks, each as it is, packed exactly and packed with wide weights, under the sanitizers."""
    out = sweep.sweep(range(GRAPHS), sanitized, tmp_path)
    print(sweep.table(out))
    assert not out.findings, failures.explained(out.findings, sanitized, tmp_path)
    assert len(out.refused) <= MOST_REFUSED * out.graphs, "\n".join(map(str, out.refused))
    assert not sweep.unreached(out), f"kernel files that no random network reaches: {sweep.unreached(out)}"
    assert {family.name for family in rb.families()} == set(out.families)


@pytest.mark.fast
def test_networks_have_every_operator_of_the_importer() -> None:
    """A handler that none reaches was added without a layer in edgekc/fuzzing/layers.py or moves.py."""
    found = {file_operators.builtin_name(view) for seed in range(180) for view in random_net(seed).views}
    # What keeps a state has networks of its own: tests/unit/test_streaming.py, tests/ops/test_lstm.py. So has a
    # detector's end, which computes in float: tests/ops/test_detection.py.
    others = {*state.HANDLERS, *recurrent.HANDLERS, *detection.HANDLERS}
    assert set(HANDLERS) - others - found <= set(file_operators.NO_REFERENCE)


def test_networks_are_repeatable_and_extreme() -> None:
    assert random_net(7).model() == random_net(7).model()
    scales = [t.quant.scale for seed in range(40) for v in random_net(seed).views for t in (v.x, v.out) if t.quant]
    assert min(scales) < 1e-8 and max(scales) > 1e2
    assert max(len(random_net(seed).inputs) for seed in range(40)) > 1
    assert max(len(random_net(seed).outputs) for seed in range(40)) > 1


def _off_by_three(view: View) -> Lowered:
    lowered = LOWERINGS[view.node.op](view)
    return Lowered(
        lowered.op, {**lowered.attrs, "out_zero": lowered.attrs["out_zero"] - 3}, lowered.activations, lowered.constants
    )


LOWERINGS = dict(LOWER)


@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_a_wrong_lowering_is_found(plain: rb.Kernels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message has the seed, output, element and both values; the folder a part of one node that fails too."""
    monkeypatch.setitem(LOWER, "depthwise", _off_by_three)
    # In some networks all values of the layer are clamped, so that three levels show nowhere.
    seeds = [s for s in range(50) if any(v.node.op == "depthwise" for v in random_net(s).views)][:4]
    out = sweep.sweep(seeds, plain, tmp_path, ("dense",), emulated()[:1])
    assert out.findings
    seed = out.findings[0].seed
    text = failures.explained(out.findings, plain, tmp_path)
    assert f"seed {seed}, dense: sample 0, " in text and "LiteRT" in text and "element" in text
    part = (tmp_path / "wrong-0.txt").read_text().splitlines()
    assert sum(line.startswith("  ") for line in part) == 1 and "= depthwise(" in "".join(part)
    assert (tmp_path / "wrong-0.tflite").read_bytes()[4:8] == b"TFL3"
    assert np.load(tmp_path / "wrong-0.npz").files


def test_a_wrong_kernel_is_found(plain: rb.Kernels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message has the seed, family, layer and kernel."""
    write = rb.write_sources

    def wrong(job: rb.Job, folder: Path) -> None:
        write(job, folder)
        path = folder / "src" / f"{job.name}.c"
        text = path.read_text()
        path.write_text(text.replace(".out_zero = ", ".out_zero = 3 + "))

    monkeypatch.setattr(rb, "write_sources", wrong)
    out = sweep.sweep(range(4), plain, tmp_path, ("dense",), emulated()[:1])
    assert out.findings
    assert "portable, sample 0, layer" in str(out.findings[0]) and "(ek_" in str(out.findings[0])


def test_what_a_layer_may_not_touch_is_watched(
    monkeypatch: pytest.MonkeyPatch, sanitized: rb.Kernels, tmp_path: Path
) -> None:
    """Bytes that are not a layer's own stop the program, though all of them are inside the arena."""
    regions = rb.regions_of
    monkeypatch.setattr(rb, "regions_of", lambda plan: [(*r[:3], max(r[3] - 1, 0)) for r in regions(plan)])
    out = sweep.sweep([3], sanitized, tmp_path, ("dense",), emulated()[:1])
    assert "AddressSanitizer" in str(out.findings[0]) and "seed 3" in str(out.findings[0])


def test_a_finding_becomes_small() -> None:
    """Here what fails is any network with a convolution whose weights have a 100."""

    def fails(case: Case) -> bool:
        layers = [v for v in case.net.views if v.node.op == "conv2d"]
        return any((v.inputs[1].value == 100).any() for v in layers)

    found = (Case(net, random_samples(net, 3)) for net in map(random_net, range(90)) if len(net.views) > 5)
    part = shrunk(next(filter(fails, found)), fails)
    assert [v.node.op for v in part.net.views] == ["conv2d"]
    weights = part.net.views[0].inputs[1].value
    assert np.count_nonzero(weights) * 4 <= max(weights.size, 4)
    assert len(part.samples) == 1 and all(
        (x == t.q.zero_point).all() for t, x in zip(part.net.inputs, part.samples[0], strict=True)
    )
