"""Commands and kernels' conditions that other fast tests do not reach, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import cli_command as cli
import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.boards.board import list_boards, load_board
from edgekc.boards.cores import CORES
from edgekc.data import Dataset
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import arm_compiler, emulator
from edgekc.ops import OPS
from edgekc.pipeline import Target, compile_model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "models"
FEATURES = {frozenset(core.features) for core in CORES.values()}


def need_arm() -> None:
    try:
        arm_compiler(load_board(cli.BOARD))
        emulator(load_board(cli.BOARD))
    except ToolError as error:
        pytest.skip(str(error))


def test_boards_as_json() -> None:
    result = cli.call("boards", "--json")
    assert result.code == 0
    assert sorted(row["name"] for row in json.loads(result.out)) == sorted(list_boards())


def test_build_links_a_program(tmp_path: Path) -> None:
    need_arm()
    assert cli.call("compile", cli.MODEL, "-o", tmp_path / "out", "--board", cli.BOARD).code == 0
    result = cli.call("build", tmp_path / "out")
    assert result.code == 0, result.err
    (elf,) = (tmp_path / "out").rglob("*.elf")
    assert elf.read_bytes()[:4] == b"\x7fELF"


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_arm()
    monkeypatch.chdir(tmp_path)
    result = cli.call("demo")
    assert result.code == 0, result.err
    said = " ".join(result.out.split())
    assert "16 images, 9 layers, every byte equal" in said and "358 of 360 test images" in said


def test_transfer_refuses_what_is_not_there(tmp_path: Path) -> None:
    result = cli.call(
        "transfer", tmp_path / "no.onnx", "--recipe", tmp_path / "no.toml", "--data", tmp_path / "no.npz",
        "--test", tmp_path / "no.npz",
    )  # fmt: skip
    assert "no.toml" in cli.complaint(result)


@pytest.mark.parametrize("model", ["kws_dscnn", "resnet8"])
def test_packed_examples_have_a_kernel_on_every_core(model: str) -> None:
    """Each set of features gets a plan, and a core with an extension a kernel for it."""
    (path,) = EXAMPLES.glob(f"{model}*.ekc")
    ends = {"mve": "_mve", "dsp": "_dsp", "vector": "_vec"}
    for features in FEATURES:
        kernels = {
            step.kernel.symbol for step in compile_model(path, "net", Target("core", features, None, None)).plan.steps
        }
        best = next((ending for feature, ending in ends.items() if feature in features), None)
        if best is not None:
            assert any(symbol.endswith(best) for symbol in kernels), (sorted(features), kernels)


def test_filters_are_judged_on_labelled_samples() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from edgekc.train import pruning

    made = FloatNet(np.random.default_rng(1), (1, 4, 4, 2), "relu")
    graph = made.graph(made.fully_connected(made.mean(made.conv("input", 4)), 3))
    x = np.random.default_rng(2).normal(0, 1, (12, 4, 4, 2)).astype(np.float32)
    samples = pruning.calibration(graph, Dataset(x, np.arange(12) % 3, (), "test"), 8, 0)
    assert len(samples) == 8
    assert 0 < pruning.loss_of(graph, samples, bfloat16=False) < 100


def test_definitions_give_what_they_infer() -> None:
    """One case of each operator, the smallest: kernels are compared with the definition elsewhere."""
    for op in OPS.values():
        case = min(op.cases(np.random.default_rng(0)), key=lambda case: sum(x.size for x in case.inputs))
        outputs = op.reference(case.attrs, case.inputs)
        assert [y.shape for y in outputs] == op.infer(case.attrs, [x.shape for x in case.inputs]), op.name
