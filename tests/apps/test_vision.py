"""The app `vision`: what the board sees is what train.py reported and the definitions say; bad input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
import oracle
from cli_command import MODEL, call, complaint
from new_apps import make, need_tools, train

import edgekc
from edgekc import apps
from edgekc.apps import digit_frames, netpbm, vision
from edgekc.apps.boxes import Box
from edgekc.apps.netpbm import Frame
from edgekc.errors import UsageError
from edgekc.graph.ir import Graph, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.packages.net import Net, net_of
from edgekc.templates import environment

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
        ('{"vision": {"labels": [], "overlap": Infinity}}', "damaged (OverflowError"),
    ],
)
@pytest.mark.fast
def test_a_damaged_json_is_said(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(UsageError, match=r"net\.json") as error:
        vision.settings(tmp_path / "net.ekc")
    assert what in str(error.value)


@pytest.fixture(scope="module")
def demo() -> tuple[Net, Graph]:
    """The demo's digits, 8x8 to ten classes: 1/240 a level, zero point -128."""
    program = edgekc.compile(MODEL, name="net")
    return net_of(program.files), program.graph


@pytest.mark.fast
def test_what_lies_beside_a_model_must_fit_it(demo: tuple[Net, Graph], tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    (tmp_path / "net.json").write_text('{"vision": {"labels": ["a", "b"]}}')
    with pytest.raises(UsageError, match=r"net\.json: has 2 labels, the network 10 classes"):
        vision.fit(*demo, model)
    (tmp_path / "net.json").unlink()
    (tmp_path / "net.pnm").write_bytes(b"P5 8 8 255 ")
    with pytest.raises(UsageError, match=r"net\.pnm: no binary PGM or PPM image of 8 bits at byte 0"):
        vision.fit(*demo, model)
    frame = Frame(np.full((9, 8, 3), 7, np.uint8), 5)
    (tmp_path / "net.pnm").write_bytes(netpbm.written([frame] * 20))
    files = vision.fit(*demo, model).files
    assert netpbm.written([frame] * vision.SHOWN) == files["input.bin"]
    assert b"of 16 frames\n" in files["expected.txt"]


@pytest.mark.fast
def test_levels_of_pixels(demo: tuple[Net, Graph]) -> None:
    edge = demo[0].inputs[0]
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


def on_host(folder: Path, frames: Path, *, fails: bool = False) -> str:
    """What the firmware's program on this machine says of frames: result.txt."""
    make(folder, "build/host/program", "CFLAGS=-std=gnu99 -O1 -Wall -Wextra")  # compiles faster
    shutil.copy(frames, folder / "build" / "input.bin")
    done = subprocess.run([folder / "build" / "host" / "program"], cwd=folder / "build", check=False)
    assert (done.returncode != 0) == fails
    return (folder / "build" / "result.txt").read_text()


@pytest.mark.slow
def test_the_board_reaches_what_training_reported(tmp_path: Path) -> None:
    need_tools()
    out, frames = tmp_path / "p", tmp_path / "frames.pnm"
    assert call("new-app", "vision", "-o", out).code == 0
    assert "crop and scale: ticks of a frame:" in make(out, "test")
    frames.write_bytes(netpbm.written(digit_frames.judging_frames()))
    assert last_lines(make(out, "run", f"INPUT={frames}")) == reported(DIGITS)


@pytest.mark.slow
def test_boxes_are_those_that_training_reported(tmp_path: Path) -> None:
    """Of the first frames on the board, of all of them on this machine."""
    need_tools()
    model, frames = shutil.copy(BOXES, tmp_path / "net.ekc"), tmp_path / "net.pnm"
    shutil.copy(BOXES.with_suffix(".json"), tmp_path / "net.json")
    frames.write_bytes(netpbm.written(digit_frames.judging_frames(several=True)))
    out = tmp_path / "p"
    assert call("new-app", "vision", "-o", out, "--model", model).code == 0
    assert "network and boxes: ticks of a frame:" in make(out, "test")
    assert last_lines(on_host(out, frames)) == reported(BOXES)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [True, False])
def test_images_whole_and_in_rows(rows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixels through a table, frames of several sizes and kinds; and what is no frame."""
    need_tools()
    monkeypatch.setitem(apps.APPS, "vision", replace(vision.APP, input_rows=rows))
    model, out = shutil.copy(MODEL, tmp_path / "net.tflite"), tmp_path / "p"
    settings = {"labels": list("abcdefghij"), "black": 1, "white": 0.25}
    (tmp_path / "net.json").write_text(json.dumps({"vision": settings}))
    rng = np.random.default_rng(0)
    shapes = ((8, 8, 1), (50, 41, 1), (33, 90, 3), (7, 5, 3))
    frames = [Frame(rng.integers(0, 256, shape).astype(np.uint8)) for shape in shapes]
    (tmp_path / "net.pnm").write_bytes(netpbm.written(frames))
    assert call("new-app", "vision", "-o", out, "--model", model).code == 0
    assert ("run_rows" in (out / "app" / "vision.c").read_text()) == rows
    said = on_host(out, tmp_path / "net.pnm")
    assert said == (out / "expected.txt").read_text() and "right: 0 of 0 frames" in said
    whole = netpbm.written(frames[:1])
    wide = netpbm.written([Frame(np.zeros((1, 3073, 1), np.uint8))])
    for name, data, what in (
        ("foreign", b"\x89PNG", "no binary PGM or PPM image"), ("cut", whole[:-1], "no binary PGM or PPM image"),
        ("empty", b"", "no binary PGM or PPM image"), ("wide", wide, "too large"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(data)
        assert what in on_host(out, tmp_path / name, fails=True)


@pytest.mark.slow
def test_bytes_without_sign(tmp_path: Path) -> None:
    """A convolution of a whole image, as models of older TensorFlow have it: the project gives LiteRT's answers."""
    need_tools()
    if said := oracle.missing():
        pytest.skip(said)
    rng = np.random.default_rng(0)
    x, y = (
        Tensor("x", (1, 6, 5, 3), "uint8", Quant((0.02,), (3,))),
        Tensor("y", (1, 1, 1, 4), "uint8", Quant((0.1,), (99,))),
    )
    weights = constant("w", rng.integers(0, 256, (4, 6, 5, 3)).astype(np.uint8), Role.WEIGHTS, Quant((0.01,), (128,)))
    bias = constant("b", rng.integers(-999, 999, 4).astype(np.int32), Role.BIAS, Quant((0.0002,), (0,)))
    attrs = {f"{what}_{axis}": 1 for what in ("stride", "dilation") for axis in "hw"}
    attrs |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")}
    node = Node("conv2d", "y", ("x", "w", "b"), ("y",), {**attrs, "activation": "none"})
    view, model, out = View(node, (x, weights, bias), (y,)), tmp_path / "net.tflite", tmp_path / "p"
    model.write_bytes(oracle.model(view))
    frames = [Frame(rng.integers(0, 256, (6, 5, 3)).astype(np.uint8)) for _ in range(8)]
    wanted = [int(oracle.run(view, [frame.pixels[None]])[0].argmax()) for frame in frames]
    known = [Frame(frame.pixels, index) for frame, index in zip(frames, wanted, strict=True)]
    (tmp_path / "net.pnm").write_bytes(netpbm.written(known))
    assert call("new-app", "vision", "-o", out, "--model", model).code == 0
    said = on_host(out, tmp_path / "net.pnm")
    assert said == (out / "expected.txt").read_text() and last_lines(said) == "right: 8 of 8 frames"
    assert len(set(wanted)) > 1


@pytest.mark.fast
def test_recipes_are_whole(tmp_path: Path) -> None:
    for name, steps in (("recipe.toml", 3), ("recipe_boxes.toml", 0)):
        (tmp_path / name).write_text(environment().get_template(f"apps/vision/{name}.j2").render())
        assert len(edgekc.load_recipe(tmp_path / name).compress) == steps


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("torch", "sklearn", "PIL"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    folder = tmp_path_factory.mktemp("vision") / "p"
    assert call("new-app", "vision", "-o", folder).code == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("what", ["boxes", "photos"])
def test_what_train_reports_is_what_the_firmware_gives(
    what: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After hardly any training, on few frames."""
    need_tools()
    digits, classes = (part[:30] for part in digit_frames.judging_digits())
    monkeypatch.setattr(digit_frames, "judging_digits", lambda: (digits, classes))
    words: tuple[str | Path, ...] = ("--frames", "64", "--boxes")
    if what == "photos":
        from PIL import Image

        rng = np.random.default_rng(0)
        for index, label in enumerate(('dark "one"', "light")):
            (tmp_path / "photos" / label).mkdir(parents=True)
            for k in range(12):
                pixels = rng.integers(100 * index, 100 * index + 90, (40 + k, 60, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{k}.png")
        words = ("--images", tmp_path / "photos", "--colour", "--recipe", project / "recipe_boxes.toml")
    done = train(project, *words)
    assert done.code == 0, done.err
    new, model = tmp_path / "new", project / "trained" / "model.ekc"
    assert call("new-app", "vision", "-o", new, "--model", model).code == 0
    assert last_lines(on_host(new, model.with_suffix(".pnm"))) == last_lines(done.out) == reported(model)


@pytest.mark.slow
def test_train_says_what_is_wrong(project: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "torn").mkdir()
    for name in ("a", "b"):
        (tmp_path / "few" / name).mkdir(parents=True)
        (tmp_path / "torn" / name).mkdir()
        for k in range(5):
            (tmp_path / "torn" / name / f"{k}.jpg").write_bytes(b"\xff\xd8")
    for words, what in (
        (("--images", tmp_path / "none"), "has no two folders of images"),
        (("--images", tmp_path / "one"), "has no two folders of images"),
        (("--images", tmp_path / "few"), "has 0 images; it takes 5 at the least"),
        (("--images", tmp_path / "torn"), "no image: "),
        (("--recipe", tmp_path / "none.toml"), "none.toml"),
        (("--boxes", "--images", tmp_path), "--boxes goes with digits only"),
        (("--epochs", "0"), "at least 1"),
        (("-o", project / "Makefile", "--frames", "1"), "Makefile"),
    ):
        done = train(project, *words)
        assert (done.code, what in done.err, "Traceback" in done.err) == (2, True, False), done.err
