"""The app `sensor`: what the board finds is what train.py reported and the definitions say; bad input."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import call, complaint
from new_apps import make, need_tools, train

import edgekc
from edgekc.apps import sensor
from edgekc.apps.sensor import GAP, Sensing
from edgekc.errors import UsageError
from edgekc.graph.ir import Graph
from edgekc.packages.net import Net, net_of
from edgekc.templates import environment

ROOT = Path(__file__).resolve().parents[2]
MOTIONS = Path(sensor.__file__).parent / "data" / "sensor_motions.ekc"
ANOMALY = ROOT / "tests" / "data" / "sensor_anomaly.ekc"
USUAL = (2, 3)  # of the labels: standing and walking, which are normal for the autoencoder
GOOD = {"middle": [0] * 6, "unit": [1.0] * 6, "stride": 20, "labels": list("abcd")}


def reported(model: Path) -> list[str]:
    """What train.py said of the test part when it made the model, as the JSON beside it has it."""
    return list(json.loads(model.with_suffix(".json").read_text())["test"])


def right(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("right")]


def motions() -> np.ndarray:
    """The test part of BasicMotions, (n, 7) int16."""
    return np.frombuffer(MOTIONS.with_suffix(".bin").read_bytes(), "<i2").reshape(-1, 7)


def usual(stream: np.ndarray) -> np.ndarray:
    """With the answers that an autoencoder has: 0 normal, 1 anomaly."""
    answers = np.where(stream[:, -1] == GAP, GAP, ~np.isin(stream[:, -1], USUAL))
    return np.column_stack([stream[:, :-1], answers]).astype("<i2")


def packed(model: Path) -> tuple[Net, Graph]:
    program = edgekc.compile(model, name="net")
    return net_of(program.files), program.graph


@pytest.fixture(scope="module")
def activity() -> tuple[Net, Graph]:
    return packed(MOTIONS)


def sensed(model: Path) -> Sensing:
    return sensor.sensing(*packed(model), model)


def test_the_definitions_give_what_training_reported(activity: tuple[Net, Graph]) -> None:
    sense = sensor.sensing(*activity, MOTIONS)
    assert right(sense.said(motions())) == reported(MOTIONS)
    hits = [int(line.split()[1]) for line in reported(MOTIONS)]
    assert sum(hits) >= 0.95 * 160  # four windows of each of the 40 recordings
    assert right(sensed(ANOMALY).said(usual(motions()))) == reported(ANOMALY)
    assert [int(line.split()[1]) >= 76 for line in reported(ANOMALY)] == [True, True]


@pytest.mark.fast
def test_windows_begin_anew_where_rows_are_missing(activity: tuple[Net, Graph]) -> None:
    sense = sensor.sensing(*activity, MOTIONS)
    rows = motions()[:100].copy()  # a recording
    assert sense.said(rows).count("window ") == 4
    rows[50, -1] = GAP
    assert sense.said(rows).count("window ") == 2  # of rows 0 to 39 and 51 to 90
    rows[:, -1] = sensor.UNKNOWN
    assert "right: 0 of 0 windows, Standing" in sense.said(rows)
    rows[:, -1] = 2
    rows[45, -1] = 1  # in two of the four windows
    assert "right: 2 of 2 windows, Standing" in sense.said(rows)
    mixed = sense.said(rows[:39])
    assert mixed.startswith("right: 0 of 0") and mixed.endswith("FNV-1a of all outputs: 2166136261\n")


@pytest.mark.slow
@pytest.mark.parametrize("model", [MOTIONS, ANOMALY], ids=["activity", "anomaly"])
def test_the_board_reaches_what_training_reported(model: Path, tmp_path: Path) -> None:
    need_tools()
    out, words = tmp_path / "p", []
    if model == ANOMALY:
        copy = shutil.copy(model, tmp_path / "net.ekc")
        shutil.copy(model.with_suffix(".json"), tmp_path / "net.json")
        (tmp_path / "net.bin").write_bytes(usual(motions()).tobytes())
        words = ["--model", copy]
    assert call("new-app", "sensor", "-o", out, *words).code == 0
    said = make(out, "run", "CFLAGS=-std=gnu99 -O1 -Wall -Wextra")  # compiles faster
    assert (out / "build" / "run" / "result.txt").read_text() == (out / "expected.txt").read_text()
    assert right(said) == reported(model) and "network and decision: ticks of a window:" in said
    for name, data in (("short", b""), ("torn", motions().tobytes()[:-3])):
        (out / "build" / "input.bin").write_bytes(data)
        make(out, "run", "INPUT=build/input.bin", fails=True)
        assert "ends within a row, or before a window" in (out / "build" / "run" / "result.txt").read_text(), name


@pytest.mark.fast
def test_no_other_network_fits(tmp_path: Path) -> None:
    model = ROOT / "edgekc" / "demo" / "none.ekc"
    assert "none.ekc" in complaint(call("new-app", "sensor", "-o", tmp_path / "p", "--model", model))
    shutil.copy(ANOMALY, tmp_path / "net.ekc")
    (tmp_path / "net.json").write_text(json.dumps({"sensor": GOOD}))
    said = complaint(call("new-app", "sensor", "-o", tmp_path / "p", "--model", tmp_path / "net.ekc"))
    assert "has 4 labels, the network 240 outputs" in said
    assert not (tmp_path / "p").exists()


@pytest.mark.fast
def test_a_network_with_a_state_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    net, graph = packed(MOTIONS)
    with pytest.raises(UsageError, match=r"is no sensor model: int8 1x40x6 in, int8 1x4 out, 8 bytes of state"):
        sensor.fit(replace(net, state_bytes=8), graph, MOTIONS)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (None, "missing or damaged (FileNotFoundError"),
        ("{", "missing or damaged (JSONDecodeError"),
        ("[]", "missing or damaged (TypeError"),
        ('{"sensor": {}}', "missing or damaged (KeyError"),
        ('{"sensor": {"middle": [Infinity], "unit": [1], "stride": 1, "threshold": 1}}', "(OverflowError"),
        ({"hold": 0}, "hold 0"),
        ({"hold": 256}, "hold 256"),
        ({"labels": [], "threshold": 5, "release": 6}, "release 6"),
        ({"labels": [], "threshold": 1 << 32}, "threshold 4294967296"),
        ({"unit": [1.0] * 5}, "6 middles, 5 units"),
        ({"middle": [], "unit": []}, "0 middles"),
        ({"middle": [0] * 7, "unit": [1.0] * 7}, "has 7 channels, the network's window 240 elements"),
        ({"stride": 0}, "stride 0"),
        ({"stride": 41}, "stride 41"),
        ({"labels": ["a", "b"]}, "has 2 labels, the network 4 outputs"),
        ({"labels": [], "threshold": 5}, "has no labels, and the network makes 4 of 240 elements"),
        ({"unit": [0.0] * 6}, "a channel has middle 0 and unit 0.0"),
    ],
)
@pytest.mark.fast
def test_what_lies_beside_a_model_must_fit_it(
    settings: str | dict[str, object] | None, what: str, activity: tuple[Net, Graph], tmp_path: Path
) -> None:
    if settings is not None:
        text = settings if isinstance(settings, str) else json.dumps({"sensor": GOOD | settings})
        (tmp_path / "net.json").write_text(text)
    with pytest.raises(UsageError) as error:
        sensor.fit(*activity, tmp_path / "net.ekc")
    assert what in str(error.value)


@pytest.mark.fast
def test_a_stream_beside_a_model_becomes_the_input(activity: tuple[Net, Graph], tmp_path: Path) -> None:
    model, data = tmp_path / "net.ekc", motions()[:60].tobytes()
    (tmp_path / "net.json").write_text(json.dumps({"sensor": GOOD | {"unit": [999] * 6}}))
    made_up = sensor.fit(*activity, model)
    assert made_up.files["expected.txt"].count(b"window ") == 7  # of four windows of rows
    (tmp_path / "net.bin").write_bytes(data)
    fitted = sensor.fit(*activity, model)
    assert fitted.files["input.bin"] == data and b"window 1: " in fitted.files["expected.txt"]
    for wrong, what in ((data[:-1], "has 839 bytes"), (b"", "has 0 bytes"), (data[:140], "has no window of 40 rows")):
        (tmp_path / "net.bin").write_bytes(wrong)
        with pytest.raises(UsageError, match=rf"net\.bin: {what}"):
            sensor.fit(*activity, model)


@pytest.mark.fast
def test_recipes_are_whole(tmp_path: Path) -> None:
    for name, steps in (("recipe.toml", 3), ("recipe_anomaly.toml", 0)):
        (tmp_path / name).write_text(environment().get_template(f"apps/sensor/{name}.j2").render())
        assert len(edgekc.load_recipe(tmp_path / name).compress) == steps


@pytest.mark.fast
def test_the_licence_of_the_test_part_is_beside_it() -> None:
    text = (MOTIONS.parent / "sensor_motions_LICENSE.txt").read_text()
    assert "BasicMotions" in text and "BSD 3-Clause License" in text


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="torch is not installed")
    folder = tmp_path_factory.mktemp("sensor") / "p"
    assert call("new-app", "sensor", "-o", folder).code == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--anomaly", "--normal", "calm")], ids=["activity", "anomaly"])
def test_what_train_reports_is_what_the_firmware_gives(words: tuple[str, ...], project: Path, tmp_path: Path) -> None:
    """After hardly any training, on recordings of two channels."""
    need_tools()
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for swing, label in ((40, "calm"), (3000, "wild")):
            folder = tmp_path / "own" / part / label
            folder.mkdir(parents=True)
            for k in range(3):
                np.savetxt(folder / f"{k}.csv", rng.integers(-swing, swing, (70, 2)), "%d", delimiter=",")
    done = train(project, "--recordings", tmp_path / "own", "--recipe", project / "recipe_anomaly.toml", *words)
    assert done.code == 0, done.err
    new, model = tmp_path / "new", project / "trained" / "model.ekc"
    assert call("new-app", "sensor", "-o", new, "--model", model).code == 0
    assert (new / "input.bin").read_bytes() == model.with_suffix(".bin").read_bytes()
    said = (new / "expected.txt").read_text()
    if words:  # once is enough for the program on this machine
        make(new, "build/host/program", "CFLAGS=-std=gnu99 -O1 -Wall -Wextra")
        shutil.copy(new / "input.bin", new / "build")
        subprocess.run([new / "build" / "host" / "program"], cwd=new / "build", check=True)
        assert (new / "build" / "result.txt").read_text() == said
    assert right(said) == right(done.out)[-2:] == reported(model)


@pytest.mark.slow
def test_train_says_what_is_wrong(project: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / "short" / part / label).mkdir(parents=True)
            (tmp_path / "torn" / part / label).mkdir(parents=True)
            (tmp_path / "torn" / part / label / "0.csv").write_text("1,2\n3\n")
    for words, what in (
        (("--recordings", tmp_path / "none"), "none"),
        (("--recordings", tmp_path / "short"), "no recording of 40 rows"),
        (("--recordings", tmp_path / "torn"), "0.csv"),
        (("--recordings", tmp_path / "short", "--anomaly", "--normal", "c"), "no recordings are c"),
        (("--recipe", tmp_path / "none.toml"), "none.toml"),
        (("--epochs", "0"), "at least 1"),
    ):
        done = train(project, *words)
        assert (done.code, what in done.err, "Traceback" in done.err) == (2, True, False), done.err
    if importlib.util.find_spec("aeon") is None:
        assert "pip install --no-deps aeon" in train(project).err


@pytest.mark.slow
def test_the_test_part_is_that_of_the_package(project: Path) -> None:
    pytest.importorskip("aeon", reason="aeon is not installed: pip install --no-deps aeon")
    done = train(project)
    assert done.code == 0, done.err
    assert (project / "trained" / "model.bin").read_bytes() == MOTIONS.with_suffix(".bin").read_bytes()
