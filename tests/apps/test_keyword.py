"""The app `keyword`: what it hears is what pymicro-wakeword hears, on this machine and on the emulated board."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call, complaint
from new_apps import make, need_tools

import edgekc
from edgekc.apps import app, audio, keyword
from edgekc.apps.frontend_tables import FEATURE_SCALE
from edgekc.errors import UsageError

WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


def model_of(word: str) -> Path:
    found = importlib.util.find_spec("pymicro_wakeword")
    if found is None or found.origin is None:
        pytest.skip("pymicro-wakeword is not installed")
    return Path(found.origin).parent / "models" / f"{word}.tflite"


@pytest.mark.fast
def test_no_other_network_fits(tmp_path: Path) -> None:
    said = complaint(call("new-app", "keyword", "-o", tmp_path / "p", "--model", MODEL))
    assert "hears no words: int8 1x8x8x1 in" in said and "take a streaming network" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fast
def test_without_the_package_a_model_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyword, "_models", lambda: None)
    said = complaint(call("new-app", "keyword", "-o", tmp_path / "p"))
    assert "pymicro-wakeword, which is not installed" in said and "or name a --model" in said


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"micro": {}}', "damaged (KeyError"),
        (
            '{"wake_word": "x", "micro": {"probability_cutoff": 0.5, "sliding_window_size": Infinity}}',
            "damaged (OverflowError",
        ),
        ('{"wake_word": "x", "micro": {"probability_cutoff": 2, "sliding_window_size": 5}}', "cutoff 2.0"),
        ('{"wake_word": "x", "micro": {"probability_cutoff": 0.5, "sliding_window_size": 0}}', "window 0"),
        (
            '{"wake_word": "x",'
            ' "micro": {"probability_cutoff": 0.5, "sliding_window_size": 5, "feature_step_size": 20}}',
            "step 20 ms",
        ),
    ],
)
def test_a_damaged_json_is_said(text: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "word.json").write_text(text)
    with pytest.raises(UsageError, match=r"word\.json") as error:
        keyword.settings(tmp_path / "word.tflite")
    assert what in str(error.value)


@pytest.mark.fast
def test_settings_and_labels(tmp_path: Path) -> None:
    assert keyword.settings(tmp_path / "word.tflite") == ("word", 0.9, 5)
    micro = {"probability_cutoff": 0.97, "sliding_window_size": 7}
    (tmp_path / "word.json").write_text(json.dumps({"wake_word": 'A "b"\n\\', "micro": micro}))
    assert keyword.settings(tmp_path / "word.tflite") == ('A "b"\n\\', 0.97, 7)
    assert app.c_string('A "b"\n\\??/') == "A _b_____/"


@pytest.mark.fast
@pytest.mark.parametrize("scale", [26 / 255, float(np.float32(0.10196079)), 0.1, 0.05, 1.0])
def test_integers_round_as_the_training_did(scale: float) -> None:
    factor, shift, top = keyword.multiplier(scale)
    levels = np.arange(1 << 16, dtype=np.uint32)
    product = np.minimum(levels, np.uint32(top)) * np.uint32(factor) + np.uint32(1 << (shift - 1))  # wraps as the C's
    found = np.minimum((product >> np.uint32(shift)).astype(int) - 128, 127)
    wanted = np.clip(np.round(levels * FEATURE_SCALE / scale - 128), -128, 127)
    halves = levels * FEATURE_SCALE / scale % 1 == 0.5
    assert np.array_equal(found[~halves], wanted[~halves]) and (found - wanted)[halves].max(initial=0) <= 1
    assert np.array_equal(found, keyword.quantised(levels, scale, -128))


@pytest.mark.fast
def test_no_integers_for_a_foreign_scale() -> None:
    with pytest.raises(UsageError, match="none of audio features"):
        keyword.multiplier(1e6)


def test_it_hears_what_pymicro_wakeword_hears() -> None:
    """Every step's sum: the package runs TensorFlow Lite with its own kernels, which may be one level off."""
    model = model_of("okay_nabu")
    wakeword = pytest.importorskip("pymicro_wakeword")
    graph = edgekc.compile(model, name="net").graph
    samples = keyword.spoken()
    label, cutoff, steps = keyword.settings(model)
    said = keyword.heard(
        graph, samples, label=label, steps=steps, threshold=int(cutoff * steps * 256), scale=26 / 255, frames=3
    )
    word, features = wakeword.MicroWakeWord.from_builtin(wakeword.Model.OKAY_NABU), wakeword.MicroWakeWordFeatures()
    means = [word.process_streaming_prob(row) for row in features.process_streaming(samples.tobytes())]
    first = next(i for i, mean in enumerate(means) if mean > cutoff)
    assert said.splitlines()[0] == f"Okay Nabu at ms {(first + 3) * 10}"
    largest = int(said.splitlines()[2].split()[-1])
    assert abs(largest - round(max(means) * steps * 256)) <= steps


@pytest.mark.slow
@pytest.mark.parametrize("board", ["mps2-an386", "mps3-an547"])
def test_the_project_hears_the_word(board: str, tmp_path: Path) -> None:
    need_tools()
    model = model_of("okay_nabu")
    out = tmp_path / "wake"
    assert call("new-app", "keyword", "-o", out, "--board", board, "--model", model).code == 0
    said = make(out, "test")
    assert said.startswith("Okay Nabu at ms 1430\n")
    assert "front end: ticks of a second of audio:" in said
    # A list of names before the samples, as recorders write it, is passed over.
    recording = audio.wav(keyword.spoken())
    (tmp_path / "word.wav").write_bytes(recording[:12] + b"LIST\5\0\0\0INFOx\0" + recording[12:])
    assert make(out, "run", f"INPUT={tmp_path / 'word.wav'}").startswith("Okay Nabu at ms 1430\n")
    for name, data in (("foreign", b"RIFF, but no WAV"), ("stereo", recording[:22] + b"\2" + recording[23:])):
        (tmp_path / name).write_bytes(data)
        make(out, "run", f"INPUT={tmp_path / name}", fails=True)
        assert "no WAV file of 16 bits" in (out / "build" / "run" / "result.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_wheel_fits(word: str, tmp_path: Path) -> None:
    assert call("new-app", "keyword", "-o", tmp_path / "p", "--model", model_of(word)).code == 0
    assert "steps of the network: " in (tmp_path / "p" / "expected.txt").read_text()
