"""The app `vision`: what the board sees is what train.py reported and the definitions say; bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call, complaint
from new_apps import make, need_tools

import edgekc
from edgekc import apps
from edgekc.apps import digit_frames, netpbm, vision
from edgekc.apps.boxes import Box
from edgekc.apps.netpbm import Frame
from edgekc.errors import UsageError
from edgekc.packages.net import net_of

ROOT = Path(__file__).resolve().parents[2]
DIGITS = Path(vision.__file__).parent / "data" / "vision_digits.ekc"
BOXES = ROOT / "tests" / "data" / "vision_boxes.ekc"


def reported(model: Path) -> str:
    """What train.py said of the test part when it made the model, as the JSON beside it has it."""
    return "\n".join(json.loads(model.with_suffix(".json").read_text())["test"])


def last_lines(said: str) -> str:
    return "\n".join(line for line in said.splitlines() if line.startswith(("right", "wrong")))


@pytest.mark.fast
def test_no_other_network_fits(tmp_path: Path) -> None:
    model = ROOT / "examples" / "models" / "ad_lowrank.ekc"
    said = complaint(call("new-app", "vision", "-o", tmp_path / "p", "--model", model))
    assert "is no vision model: int8 1x640 in" in said and "take a network of one image" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "damaged"),
        ("[]", "damaged (TypeError"),
        ('{"vision": {}}', "damaged (KeyError"),
        ('{"vision": {"labels": 3}}', "damaged (TypeError"),
        ('{"vision": {"labels": [], "black": 0}}', "black 0.0, white None"),
        ('{"vision": {"labels": [], "black": 1, "white": 1}}', "black 1.0, white 1.0"),
        ('{"vision": {"labels": [], "black": 0, "white": NaN}}', "white nan"),
        ('{"vision": {"labels": [], "least_score": Infinity}}', "least_score inf"),
        ('{"vision": {"labels": [], "overlap": 101}}', "overlap 101"),
    ],
)
@pytest.mark.fast
def test_a_damaged_json_is_said(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(UsageError, match=r"net\.json") as error:
        vision.settings(tmp_path / "net.ekc")
    assert what in str(error.value)


@pytest.mark.fast
def test_what_lies_beside_a_model_must_fit_it(tmp_path: Path) -> None:
    model = shutil.copy(MODEL, tmp_path / "net.tflite")
    (tmp_path / "net.json").write_text('{"vision": {"labels": ["a", "b"]}}')
    assert "has 2 labels, the network 10 classes" in complaint(call("new-app", "vision", "-o", "p", "--model", model))
    (tmp_path / "net.json").unlink()
    (tmp_path / "net.pnm").write_bytes(b"P5 8 8 255 ")
    said = complaint(call("new-app", "vision", "-o", tmp_path / "p", "--model", model))
    assert "net.pnm: no binary PGM or PPM image of 8 bits at byte 0" in said
    (tmp_path / "net.pnm").write_bytes(netpbm.written([Frame(np.full((9, 8, 3), 7, np.uint8), 5)]))
    assert call("new-app", "vision", "-o", tmp_path / "p", "--model", model).code == 0
    assert (tmp_path / "p" / "input.bin").read_bytes() == (tmp_path / "net.pnm").read_bytes()
    assert "of 1 frames\n" in (tmp_path / "p" / "expected.txt").read_text()


@pytest.mark.fast
def test_levels_of_pixels() -> None:
    edge = net_of(edgekc.compile(MODEL, name="net").files).inputs[0]  # 1/240 a level, zero point -128
    assert vision.levels_of(edge, vision.Settings()).tolist() == list(range(-128, 128))
    found = vision.levels_of(edge, vision.Settings(black=0.0, white=1.0))
    assert [found[0], found[51], found[255]] == [-128, -80, 112]
    assert vision.levels_of(edge, vision.Settings(black=2.0, white=-1.0))[[0, 255]].tolist() == [127, -128]


@pytest.mark.fast
def test_a_truth_is_found_once() -> None:
    one, other = Box(0, 0, 10, 10, 3, 9), Box(1, 0, 10, 10, 3, 8)
    assert vision.matches([one, other], [one]) == 1 and vision.matches([one, other], [one, other]) == 2
    assert vision.matches([one._replace(label=2)], [one]) == 0 and vision.matches([], [one]) == 0
    assert vision.matches([Box(0, 0, 10, 5, 3, 9)], [one]) == 0  # half is not above the limit


def test_the_definitions_give_what_training_reported() -> None:
    """Of the first test frames here, of all of them on the board."""
    program = edgekc.compile(DIGITS, name="net")
    frames = digit_frames.judging_frames(count=40)
    said = vision.seeing(net_of(program.files), program.graph, DIGITS).said(frames)
    right = int(last_lines(said).split()[1])
    lines = said.splitlines()[:40]
    assert right == sum(line.endswith(f": {f.index}") for line, f in zip(lines, frames, strict=True)) >= 36


@pytest.mark.slow
@pytest.mark.parametrize("model", [DIGITS, BOXES], ids=lambda model: model.stem)
@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
def test_the_board_reaches_what_training_reported(board: str, model: Path, tmp_path: Path) -> None:
    need_tools()
    out, frames = tmp_path / "p", tmp_path / "frames.pnm"
    words = () if model == DIGITS else ("--model", model)
    assert call("new-app", "vision", "-o", out, "--board", board, *words).code == 0
    said = make(out, "test")
    assert "crop and scale: ticks of a frame:" in said
    frames.write_bytes(netpbm.written(digit_frames.judging_frames(several=model == BOXES)))
    assert last_lines(make(out, "run", f"INPUT={frames}")) == reported(model)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [True, False])
def test_images_whole_and_in_rows(rows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of colours, pixels through a table, frames of several sizes; and what is no frame."""
    need_tools()
    monkeypatch.setitem(apps.APPS, "vision", replace(vision.APP, input_rows=rows))
    model, out = shutil.copy(ROOT / "examples" / "models" / "resnet8_cifar10.ekc", tmp_path / "net.ekc"), tmp_path / "p"
    settings = {"labels": list("abcdefghij"), "black": 200, "white": 20.5}
    (tmp_path / "net.json").write_text(json.dumps({"vision": settings}))
    rng = np.random.default_rng(0)
    shapes = ((32, 32, 3), (50, 41, 1), (33, 90, 3), (7, 5, 3))
    frames = [Frame(rng.integers(0, 256, shape).astype(np.uint8)) for shape in shapes]
    (tmp_path / "net.pnm").write_bytes(netpbm.written(frames))
    assert call("new-app", "vision", "-o", out, "--model", model).code == 0
    assert ("run_rows" in (out / "app" / "vision.c").read_text()) == rows
    assert "right: 0 of 0 frames" in make(out, "test")
    if not rows:
        return
    whole = netpbm.written(frames[:1])
    wide = netpbm.written([Frame(np.zeros((1, 3073, 1), np.uint8))])
    for name, data, what in (
        ("foreign", b"\x89PNG", "no binary PGM or PPM image"), ("cut", whole[:-1], "no binary PGM or PPM image"),
        ("empty", b"", "no binary PGM or PPM image"), ("wide", wide, "too large"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        make(out, "run", f"INPUT={tmp_path / name}", fails=True)
        assert what in (out / "build" / "run" / "result.txt").read_text()


def train(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, folder / "train.py", "-o", folder / "trained", "--epochs", "1", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["digits", "boxes", "photos"])
def test_what_train_reports_is_what_the_firmware_gives(what: str, tmp_path: Path) -> None:
    """After hardly any training, on this machine's build of the firmware."""
    need_tools()
    for package in ("torch", "sklearn", "PIL"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    out, trained = tmp_path / "p", tmp_path / "p" / "trained"
    assert call("new-app", "vision", "-o", out).code == 0
    words: tuple[str | Path, ...] = ("--frames", "64", *(("--boxes",) if what == "boxes" else ()))
    if what == "photos":
        from PIL import Image

        rng = np.random.default_rng(0)
        for index, label in enumerate(("dark \"one\"", "light")):  # fmt: skip
            (tmp_path / "photos" / label).mkdir(parents=True)
            for k in range(12):
                pixels = rng.integers(100 * index, 100 * index + 90, (40 + k, 60, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{k}.png")
        words = ("--images", tmp_path / "photos", "--colour")
    done = train(out, *words)
    assert done.returncode == 0, done.stderr
    new = tmp_path / "new"
    assert call("new-app", "vision", "-o", new, "--model", trained / "model.ekc").code == 0
    shutil.copy(trained / "model.pnm", new / "input.bin")
    make(new, "build/host/program")
    subprocess.run([new / "build" / "host" / "program"], cwd=new, check=True)
    said = last_lines((new / "result.txt").read_text())
    assert said == last_lines(done.stdout) and said.startswith("right: ")


@pytest.mark.slow
def test_train_says_what_is_wrong(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("PIL", reason="Pillow is not installed")
    out = tmp_path / "p"
    assert call("new-app", "vision", "-o", out).code == 0
    (tmp_path / "one").mkdir()
    for name in ("a", "b"):
        (tmp_path / "few" / name).mkdir(parents=True)
    for words, what in (
        (("--images", tmp_path / "one"), "has no two folders of images"),
        (("--images", tmp_path / "few"), "has 0 images; it takes 5 at the least"),
        (("--recipe", tmp_path / "none.toml"), "none.toml"),
        (("--boxes", "--images", tmp_path), "--boxes goes with digits only"),
    ):
        done = train(out, *words)
        assert (done.returncode, what in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert not (out / "trained").exists()
