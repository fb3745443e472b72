"""Retraining from where users start it: a model file, the command line, and a PyTorch DataLoader."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))

from cli_command import call  # noqa: E402

from edgekc import recipe as rc  # noqa: E402
from edgekc.compression.walk import run  # noqa: E402
from edgekc.format.pack import read  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402

RECIPE = """
[[compress]]
method = "cluster"
bits = 3
row_scale = "rms"

[[compress]]
method = "retrain"
epochs = 6
batch = 32
learning_rate = 5e-3
latent_rate = 5e-3
distill = 0.0
reassign = 30

[[compress]]
method = "retrain"
epochs = 1
batch = 32
learning_rate = 1e-3
distill = 0.0
arithmetic = "device"
"""

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own deprecations


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained classifier of 8 x 8 images, exported."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(512, 10)]
    path = tmp_path_factory.mktemp("model") / "net.pt2"
    torch.export.save(torch.export.export(torch.nn.Sequential(*layers).eval(), (torch.zeros(1, 1, 8, 8),)), path)
    return path


def digits(start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    found = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits()
    return (found.images[start:end, None] / 16).astype(np.float32), found.target[start:end].astype(np.int64)


def test_a_data_loader_trains(model: Path) -> None:
    x, y = digits(0, 600)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=50
    )
    ekc, report = run(model, "net", rc.parse(RECIPE), loader, None, lambda text: None, trainer=trainer)
    assert report.float_accuracy is not None and report.packed_accuracy is not None
    assert report.judgement is not None and report.judgement.seen  # the samples that were split off
    assert 100 <= report.packed_accuracy.total <= 140
    assert report.packed_accuracy.percent > report.float_accuracy.percent + 30  # it was not trained before
    assert "clustered_conv2d" in {node.op for node in read(ekc, "net").graph.nodes}


def test_the_command_reports_trains_and_resumes(model: Path, tmp_path: Path) -> None:
    for name, (start, end) in {"train": (0, 300), "test": (600, 900)}.items():
        x, y = digits(start, end)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    recipe, out = tmp_path / "r.toml", tmp_path / "net.ekc"
    recipe.write_text(RECIPE.replace("epochs = 6", "epochs = 2"))
    line = ("compress", model, "--recipe", recipe, "--data", tmp_path / "train.npz", "--test", tmp_path / "test.npz")
    more = ("--checkpoints", tmp_path / "work", "-o", out)
    first = call(*line, *more, "--json")
    assert first.code == 0, first.err
    assert "compress[1]: retrain: epoch 2 of 2: loss" in first.err
    report = json.loads(first.out)
    assert report["packed_accuracy"]["total"] == 300
    assert {layer["step"]["method"] for layer in report["layers"]} == {"cluster 3 bits"}
    assert report["weights_packed_bytes"] < report["weights_int8_bytes"] / 2
    made = out.read_bytes()
    assert {use["part"] for use in json.loads((tmp_path / "edgekc-data.json").read_text())["uses"]} == {
        "train", "validation", "data", "test"
    }  # fmt: skip
    again = call(*line, *more, "--json", "-v")
    assert json.loads(again.out)["judgement"]["flags"] == []
    assert "compress[1]: retrain is done, taken from" in again.err and "epoch" not in again.err
    assert out.read_bytes() == made


def test_quantisation_aware_training_alone(model: Path, tmp_path: Path) -> None:
    x, y = digits(0, 300)
    np.savez(tmp_path / "train.npz", x=x, y=y)
    alone = '[[compress]]\nmethod = "retrain"\nepochs = 4\nbatch = 16\nlearning_rate = 5e-3\narithmetic = "device"\n'
    ekc, report = run(
        model,
        "net",
        rc.parse(alone + "distill = 0.0\n"),
        tmp_path / "train.npz",
        None,
        lambda text: None,
        trainer=trainer,
    )
    assert {node.op for node in read(ekc, "net").graph.nodes} >= {"conv2d", "fully_connected"}
    assert report.float_accuracy is not None and report.packed_accuracy is not None
    assert report.packed_accuracy.percent > report.float_accuracy.percent + 30


CLUSTER = '[[compress]]\nmethod = "cluster"\nbits = 3\nrow_scale = "rms"\n'


@pytest.mark.parametrize("data", ["", "train.npz"], ids=["no data", "no labels"])
def test_without_labels_the_outputs_are_compared_and_a_warning_says_so(model: Path, tmp_path: Path, data: str) -> None:
    """Data-free and calibration-only use: what it costs is measured on what there is, by the packed model."""
    x, y = digits(0, 60)
    np.savez(tmp_path / "train.npz", x=x)
    np.savez(tmp_path / "labelled.npz", x=x, y=y)
    lines: list[str] = []
    recipe = rc.parse(CLUSTER)
    _, report = run(model, "net", recipe, tmp_path / data if data else None, None, lines.append, trainer=trainer)
    assert report.packed_accuracy is None and report.output_error is not None
    assert 0.001 < report.output_error < 0.5
    warnings = [line for line in lines if line.startswith("warning")]
    assert [line.startswith("warning: no data: ranges come from 512 samples") for line in warnings[:-1]] == [True] * (
        not data
    )
    where = f"60 samples of {tmp_path / data} that calibrated, too" if data else "256 samples of synthetic data"
    said = f"on {where} the outputs of the packed model are {report.output_error:.1%} off those of the float model"
    assert warnings[-1] == f"warning: no labels, so nobody knows the accuracy: {said}"
    labelled = run(model, "net", recipe, tmp_path / "labelled.npz", None, lambda text: None, trainer=trainer)[1]
    assert labelled.packed_accuracy is not None and labelled.output_error is None


def test_a_missing_class_is_said(model: Path, tmp_path: Path) -> None:
    x, y = digits(0, 100)
    np.savez(tmp_path / "train.npz", x=x[y != 3], y=y[y != 3])
    lines: list[str] = []
    short = CLUSTER + '[[compress]]\nmethod = "retrain"\nepochs = 1\nlearning_rate = 1e-3\n'
    for recipe in (CLUSTER, short):
        run(model, "net", rc.parse(recipe), tmp_path / "train.npz", None, lines.append, trainer=trainer)
    warnings = [line for line in lines if line.startswith("warning")]
    what = "no sample of class 3; a model that is trained on labels forgets what is missing"
    assert warnings == [f"warning: {tmp_path / 'train.npz'}: {what}"]


@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [
        ((1, 1, 12, 12), 10, "the teacher takes [1, 12, 12, 1], the model [1, 8, 8, 1]"),
        ((1, 1, 8, 8), 7, "the teacher gives [1, 7], the model [1, 10]"),
    ],
)
def test_a_teacher_of_another_shape_is_refused_before_anything_trains(
    model: Path, tmp_path: Path, shape: tuple[int, ...], classes: int, said: str
) -> None:
    layers = [torch.nn.Flatten(), torch.nn.Linear(shape[2] * shape[3], classes)]
    teacher, recipe, data = tmp_path / "teacher.pt2", tmp_path / "recipe.toml", tmp_path / "digits.npz"
    torch.export.save(torch.export.export(torch.nn.Sequential(*layers).eval(), (torch.zeros(shape),)), teacher)
    recipe.write_text(f'[[compress]]\nmethod = "retrain"\nepochs = 1\nteacher = "{teacher}"\n')
    x, y = digits(0, 40)
    np.savez(data, x=x, y=y)
    result = call("compress", model, "--recipe", recipe, "--data", data, "-o", tmp_path / "out.ekc")
    assert result.code == 2 and "Traceback" not in result.err
    assert result.err.splitlines()[-1] == f"edgekc: error: compress[0].teacher: {teacher}: {said}"
    assert not (tmp_path / "out.ekc").exists()
