"""Of the kind `keyword` what hears several words: settings, recordings, smoothing, training, and the firmware."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call
from new_apps import make, need_tools
from sounds import Array

import edgekc
from edgekc.apps import commands, cycles
from edgekc.apps.audio import recordings, wav
from edgekc.apps.commands import MLPERF_TINY, Hearing, Settings, settings
from edgekc.assets import CODEGEN
from edgekc.boards.board import load_board
from edgekc.errors import UsageError
from edgekc.packages.net import net_of
from edgekc.templates import environment

SHARED = Path(__file__).resolve().parents[3] / "shared" / "models" / "kws_int8.tflite"


@pytest.mark.fast
def test_settings_come_from_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / "net.ekc"
    assert settings(model, 12) == Settings(MLPERF_TINY)
    assert settings(model, 2).labels == ("class_0", "class_1")
    (tmp_path / "net.txt").write_text("yes\n_noise\n")
    assert settings(model, 2).labels == ("yes", "_noise") and settings(model, 2).words == (True, False)
    said = {"labels": ["on", "Silence"], "threshold": 0.9, "mean": 5, "step_ms": 100}
    (tmp_path / "net.json").write_text(json.dumps(said))
    assert settings(model, 2) == Settings(("on", "Silence"), 0.9, 5, 100) and settings(model, 2).words == (True, False)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "damaged"),
        ("[]", "expected an object of labels"),
        ('{"lables": []}', "expected an object of labels"),
        ('{"labels": ["a"]}', "1 labels, and the model has 2 classes"),
        ('{"labels": "ab"}', "no labels"),
        ('{"labels": ["a", "a"]}', "two labels are the same"),
        ('{"labels": ["a", " "]}', "one is empty"),
        ('{"mean": 0}', "mean is 1 to 100"),
        ('{"step_ms": 30}', "a multiple of 20"),
        ('{"threshold": null}', "damaged"),
        ('{"threshold": NaN}', "threshold a number"),
    ],
)
def test_a_damaged_json_is_said(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(UsageError, match=r"net\.json") as error:
        settings(tmp_path / "net.ekc", 2)
    assert what in str(error.value)


@pytest.mark.fast
def test_recordings_are_read_as_they_were_written() -> None:
    a, b = np.arange(5, dtype=np.int16), -np.arange(3, dtype=np.int16)
    odd = wav(a)[:-2] + b"\5"  # its last sample is half there
    odd = odd[:40] + (9).to_bytes(4, "little") + odd[44:] + b"\0"
    found = recordings(wav(a, 7) + wav(b) + odd, "x.wav")
    assert [f.index for f in found] == [7, None, None]
    for one, samples in zip(found, (a, b, a[:4]), strict=True):
        assert np.array_equal(one.samples, samples)
    for data in (b"", b"RIFF", wav(a)[:20], wav(a) + b"RIF", wav(a)[:22] + b"\2" + wav(a)[23:], b"x" * 60):
        with pytest.raises(UsageError, match=r"x\.wav: is no WAV file of 16 bits"):
            recordings(data, "x.wav")


def of_outputs(rows: list[list[int]], said: Settings, threshold: int) -> list[str]:
    graph = types.SimpleNamespace()
    return Hearing(graph, said, threshold, 1.0, 0).words(np.array(rows, np.int8))  # type: ignore[arg-type]


@pytest.mark.fast
def test_a_word_is_said_once_where_its_mean_is_high() -> None:
    said = Settings(("yes", "no", "unknown"), 0.5, 2, 100)
    loud, other, none = [100, -100, -128], [-100, 100, -128], [-128, -128, 127]
    assert of_outputs([loud, loud, loud], said, 50) == ["yes at ms 1100"]  # two outputs make the first mean
    assert of_outputs([loud, other, other], said, 50) == ["no at ms 1200"]
    assert of_outputs([loud, loud, none, loud, loud], said, 50) == ["yes at ms 1100", "yes at ms 1400"]
    assert of_outputs([none, none], said, 50) == []  # is no word
    assert of_outputs([loud, loud], said, 200) == []  # not above it


@pytest.mark.fast
def test_other_networks_do_not_fit() -> None:
    assert not commands.fits(net_of(edgekc.compile(MODEL, name="net").files))


@pytest.mark.fast
def test_cycles_complains_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        str(tmp_path / "app.elf"),
        "--board",
        "mps2-an386",
        "--input",
        str(tmp_path / "a.wav"),
        "--of",
        "a second",
        "front end=listen*50",
    ]
    assert cycles.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(UsageError, match="no such file"):
        cycles.cost(tmp_path / "app.elf", load_board("mps2-an386"), tmp_path / "a.wav", "listen")


def chirp(index: int, speaker: int, seed: int) -> Array:
    """Half a second that rises, falls or hums, in a voice of its own and with noise."""
    rng = np.random.default_rng(1000 * speaker + seed)
    t = np.arange(8000) / 16000
    slope = (2000, -2000, 0)[index]
    tone = np.sin(2 * np.pi * ((800 if slope >= 0 else 1800) + 30 * speaker + slope * t) * t)
    made = np.zeros(int(rng.integers(12000, 16001)))
    first = int(rng.integers(0, len(made) - 8000))
    made[first : first + 8000] = 10 ** rng.uniform(3, 4.3) * tone
    return np.round(made + rng.normal(0, 100, made.size)).astype(np.int16)


@pytest.fixture
def train(tmp_path: Path) -> types.ModuleType:
    """The project's train.py as a module, and in its folder a few sounds by class."""
    pytest.importorskip("torch", reason="torch is not installed")
    for name in ("train.py", "recipe.toml"):
        text = environment().get_template(f"apps/words/{name}.j2").render()
        assert text.count("\n") >= (CODEGEN / f"apps/words/{name}.j2").read_text().count("\n") - 1
        (tmp_path / name).write_text(text)
    for index, label in enumerate(("rise", "fall", "hum")):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for speaker in range(24):
            path = tmp_path / "sounds" / label / f"voice{speaker}_nohash_0.wav"
            path.write_bytes(wav(chirp(index, speaker, index)))
    module = types.ModuleType("train")
    module.__file__ = str(tmp_path / "train.py")
    exec(compile((tmp_path / "train.py").read_text(), str(tmp_path / "train.py"), "exec"), module.__dict__)
    return module


@pytest.mark.slow
def test_the_firmware_is_as_right_as_the_training_said(
    train: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need_tools()
    out = tmp_path / "out" / "model.ekc"
    words = [
        str(tmp_path / "sounds"),
        "-o",
        str(out),
        "--epochs",
        "25",
        "--copies",
        "4",
        "--width",
        "16",
        "--blocks",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    train.main()
    said = capsys.readouterr().out
    tested, right = (int(line.split()[-1]) for line in said.splitlines() if line.startswith(("recordings", "of these")))
    assert tested == 15 and right >= 9, said  # a guess would be right in 5
    assert {part: [train.part_of(Path(f"voice{i}_nohash_9.wav")) for i in range(24)].count(part) > 0
            for part in train.PARTS} == dict.fromkeys(train.PARTS, True)  # fmt: skip
    assert call("new-app", "keyword", "-o", tmp_path / "p", "--model", out).code == 0
    ran = make(tmp_path / "p", "test").splitlines()
    assert f"of these right: {right}" in ran and f"recordings whose class is known: {tested}" in ran
    assert (tmp_path / "p" / "train.py").read_bytes() == (tmp_path / "train.py").read_bytes()
    # Too few speakers for a part, and a class that is not there.
    (tmp_path / "sounds" / "hum" / "voice0_nohash_0.wav").write_bytes(b"RIFF")
    for more, what in ((["--words", "rise,roar"], "has no folder roar"), (["--seed", "1"], "is no WAV file")):
        monkeypatch.setattr(sys, "argv", ["train.py", *words, *more])
        with pytest.raises(SystemExit) as ended:
            train.main()
        assert ended.value.code == 2 and what in capsys.readouterr().err


@pytest.mark.slow
def test_the_benchmarks_network_runs(tmp_path: Path) -> None:
    """On the board the same as by the definitions, with estimated cycles of both calls that fit their instructions."""
    need_tools()
    if not SHARED.is_file():
        pytest.skip("../shared/models/kws_int8.tflite is not there")
    assert call("new-app", "keyword", "-o", tmp_path / "p", "--model", SHARED).code == 0
    make(tmp_path / "p", "run")
    result = (tmp_path / "p" / "build" / "run" / "result.txt").read_text()
    assert "decisions of the network: 6\n" in result and result == (tmp_path / "p" / "expected.txt").read_text()
    board, cost = load_board("mps2-an386"), (tmp_path / "p" / "build" / "run" / "cost.txt").read_text().splitlines()
    for at, (function, often) in enumerate({"listen": 50, "decide": 5}.items()):
        pytest.importorskip("capstone", reason="capstone is not installed")
        found = cycles.cost(tmp_path / "p" / "build" / "app.elf", board, tmp_path / "p" / "input.bin", function)
        assert found.calls == (100, 6)[at]
        counted = int(cost[2 * at + 1].split()[-1])  # by the timer, with the call around
        assert counted == pytest.approx(found.instructions * often, rel=0.002)
        assert found.instructions < found.cycles.low <= found.cycles.likely <= found.cycles.high
        assert found.cycles.high < 2 * found.instructions
