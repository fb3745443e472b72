"""The MFCC front end: TensorFlow's coefficients within a level of the network's input; the C gives the same bits."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cepstra import cepstra
from front_ends import foreign_names, loaded, sanitized, with_tables_of
from sounds import Array, sounds

from edgekc.apps import commands, mfcc, mfcc_tables
from edgekc.apps.audio import made_up
from edgekc.assets import RUNTIME_C

SCALE, ZERO_POINT = 0.5847029089927673, 83  # of MLPerf Tiny's int8 model
C_FILES = tuple(RUNTIME_C / name for name in commands.SOURCES if "frontend/" in name and name.endswith(".c"))


def more_sounds() -> dict[str, Array]:
    """A second of each."""
    found = sounds()
    quiet = (found["speech"] // 256).astype(np.int16)
    padded = np.where(np.arange(16000) < 7000, found["voice"], 0).astype(np.int16)
    click = np.where(np.arange(16000) == 321, 1000, 0).astype(np.int16)
    return {**found, "quiet": quiet, "padded": padded, "click": click}


def coefficients(samples: Array) -> Array:
    return mfcc.coefficients(mfcc.logs(samples), int(samples.max()))


@pytest.mark.fast
@pytest.mark.parametrize("name", more_sounds())
def test_coefficients_are_those_of_the_definitions(name: str) -> None:
    samples = more_sounds()[name]
    found = coefficients(samples)
    exact = cepstra(samples / max(int(samples.max()), 1))
    far = 0.2 if name == "sweep" else 0.05  # most bands of a full-scale sweep are far below the loudest one
    assert np.abs(found / 2**mfcc.COEFFICIENT_BITS - exact).max() < far
    assert np.abs(mfcc.features(samples) - exact).max() < far


@pytest.mark.slow
def test_levels_are_within_one_of_tensorflows() -> None:
    tf = pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    weights = tf.signal.linear_to_mel_weight_matrix(40, 257, 16000, 20.0, 4000.0)
    equal: dict[str, float] = {}
    for name, samples in more_sounds().items():
        audio = tf.constant(samples, tf.float32) / max(int(samples.max()), 1)
        spectrum = tf.abs(tf.signal.stft(audio, 480, 320, fft_length=None, window_fn=tf.signal.hann_window))
        logs = tf.math.log(tf.tensordot(spectrum, weights, 1) + 1e-6)
        exact = tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :10].numpy()
        wanted = np.clip(np.round(exact / SCALE) + ZERO_POINT, -128, 127)
        found = mfcc.quantised(coefficients(samples), SCALE, ZERO_POINT)
        assert np.abs(wanted - found).max() <= 1, name
        equal[name] = float(np.mean(wanted == found))
    assert min(equal.values()) > 0.88 and equal["speech"] > 0.995 and equal["voice"] > 0.995


def with_tables(folder: Path) -> list[str]:
    return with_tables_of("commands/app/ek_mfcc_tables.c.j2", commands.tables(), C_FILES, folder)


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Array], Array]:
    """The levels (seconds, 490) of every second that a step of 20 ms completes, by the C."""
    folder = tmp_path_factory.mktemp("mfcc")
    c = loaded(with_tables(folder), folder)
    factor, shift = mfcc.multiplier(SCALE)

    def run(samples: Array) -> Array:
        state, points = np.full(8192, 0xA5, np.uint8), np.full(256 * 8 + 64, 0xA5, np.uint8)
        rows, row = [], np.zeros(490, np.int8)
        at = [ctypes.c_void_p(a.ctypes.data) for a in (state, points, row)]
        c.ek_mfcc_reset(at[0])
        for first in range(0, len(samples) - 319, 320):
            step = np.ascontiguousarray(samples[first : first + 320])
            if c.ek_mfcc_step(at[0], at[1], ctypes.c_void_p(step.ctypes.data)):
                numbers = (ctypes.c_uint32(factor), ctypes.c_uint32(shift), ctypes.c_int32(ZERO_POINT))
                c.ek_mfcc_levels(at[0], *numbers, at[2])
                rows.append(row.copy())
            points[: 256 * 8] = 0xA5  # the scratch may be anything
        assert (points[256 * 8 :] == 0xA5).all()
        return np.array(rows)

    return run


def test_the_c_gives_the_definitions_bits(in_c: Callable[[Array], Array]) -> None:
    for name, samples in sounds(17600).items():
        found, wanted = in_c(samples), commands.inputs(samples, 20, SCALE, ZERO_POINT)
        assert found.shape == (6, 490), name  # 50 steps make the first second
        assert np.array_equal(found, wanted.reshape(6, 490)), name


@pytest.mark.fast
def test_tables_are_whole() -> None:
    widths, weights = mfcc_tables.bands()
    assert widths.sum() == len(weights) == 127 and widths.min() >= 1 and weights.max() <= 1 << 15
    assert mfcc_tables.window()[240] == 1 << 30 and mfcc_tables.sines()[128] == 1 << 30
    assert mfcc_tables.FLOOR == -20410  # which the C has too


@pytest.mark.fast
def test_a_short_recording_is_filled_up_and_a_long_one_slides() -> None:
    voice = made_up()
    assert np.array_equal(mfcc.features(voice[:5000]), mfcc.features(np.pad(voice[:5000], (0, 11000))))
    assert mfcc.logs(voice[:479]).shape == (0, 40) and mfcc.logs(voice[:480]).shape == (1, 40)
    found = commands.inputs(voice, 200, SCALE, ZERO_POINT)
    assert found.shape == (6, 49, 10)
    later = commands.inputs(voice[3200:], 200, SCALE, ZERO_POINT)
    assert np.array_equal(found[1:], later)


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """On extreme sounds; in a program of its own."""
    samples = np.concatenate(list(sounds(8000).values()))
    factor, shift = mfcc.multiplier(SCALE)
    (tmp_path / "main.c").write_text(
        '#include "ek_mfcc.h"\n#include <stdio.h>\n'
        "static ek_mfcc m;\nstatic ek_mfcc_point p[EK_MFCC_POINTS];\n"
        "int main(void)\n{\n    int16_t x[320];\n    int8_t y[490];\n    ek_mfcc_reset(&m);\n"
        "    while (fread(x, 2, 320, stdin) == 320) {\n        if (ek_mfcc_step(&m, p, x)) {\n"
        f"            ek_mfcc_levels(&m, {factor}u, {shift}u, {ZERO_POINT}, y);\n"
        "            fwrite(y, 1, 490, stdout);\n        }\n    }\n    return 0;\n}\n"
    )
    said = sanitized(with_tables(tmp_path), samples.tobytes(), tmp_path)
    found = np.frombuffer(said, np.int8).reshape(-1, 49, 10)
    assert np.array_equal(found, commands.inputs(samples, 20, SCALE, ZERO_POINT)[: len(found)])


@pytest.mark.slow
def test_it_needs_no_library(tmp_path: Path) -> None:
    assert foreign_names(C_FILES, tmp_path) <= {"memcpy", "memset", "memmove"}
