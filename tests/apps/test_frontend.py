"""The audio front end: its numpy definition and its C give the bits of pymicro-features, whatever is heard."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from front_ends import foreign_names, loaded, sanitized, with_tables_of
from sounds import Array, sounds

from edgekc.apps import frontend, frontend_tables, keyword
from edgekc.assets import RUNTIME_C

C_FILES = tuple(RUNTIME_C / name for name in keyword.APP.sources if "frontend" in name and name.endswith(".c"))


def with_tables(folder: Path) -> list[str]:
    return with_tables_of("keyword/app/ek_frontend_tables.c.j2", keyword.tables(), C_FILES, folder)


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Array], Array]:
    """`frontend.features`, by the C."""
    folder = tmp_path_factory.mktemp("frontend")
    c = loaded(with_tables(folder), folder)

    def run(samples: Array) -> Array:
        state, bins = np.full(2048, 0xA5, np.uint8), np.full(257 * 4 + 64, 0xA5, np.uint8)
        rows, row = [], np.zeros(40, np.uint16)
        at = [ctypes.c_void_p(a.ctypes.data) for a in (state, bins, row)]
        c.ek_frontend_reset(at[0])
        for first in range(0, len(samples) - 159, 160):
            chunk = np.ascontiguousarray(samples[first : first + 160])
            if c.ek_frontend_step(at[0], at[1], ctypes.c_void_p(chunk.ctypes.data), at[2]):
                rows.append(row.copy())
            bins[: 257 * 4] = 0xA5  # the scratch may be anything
        assert (bins[257 * 4 :] == 0xA5).all()
        return np.array(rows, np.uint16).reshape(-1, 40)

    return run


def of_the_package(samples: Array) -> Array:
    """What pymicro-features makes of them; skips where it is not there, or its weights are others."""
    package = pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")
    libm = ctypes.CDLL(None)
    libm.log1pf.restype, libm.log1pf.argtypes = ctypes.c_float, [ctypes.c_float]
    if np.float32(libm.log1pf(7500 / 700)) == np.float32(np.log1p(float(np.float32(7500 / 700)))):
        pytest.skip("this machine's log1pf is not that of glibc 2.36, from which the package computes its weights")
    made, rows = package.MicroFrontend(), []
    for first in range(0, len(samples) - 159, 160):
        found = made.process_samples(samples[first : first + 160].tobytes()).features
        rows += [np.array(found) / frontend_tables.FEATURE_SCALE] if found else []
    assert all(np.array_equal(row, np.round(row)) for row in rows)
    return np.array(rows).reshape(-1, 40).astype(np.uint16)


@pytest.mark.parametrize("name", sounds(160))
def test_the_definition_gives_the_packages_bits(name: str) -> None:
    samples = sounds(4800)[name]
    assert np.array_equal(frontend.features(samples), of_the_package(samples))


def test_the_c_gives_the_definitions_bits(in_c: Callable[[Array], Array]) -> None:
    samples = np.concatenate(list(sounds(1600).values()))
    found = in_c(samples)
    assert found.shape == (138, 40) and len(np.unique(found)) > 300
    assert np.array_equal(found, frontend.features(samples))


def test_the_c_gives_the_packages_bits_over_minutes(in_c: Callable[[Array], Array]) -> None:
    rng = np.random.default_rng(1)
    parts = list(sounds(48000).values())  # 3 s each
    for _ in range(30):  # changing loudness, and clicks
        loud = 10 ** rng.uniform(0, 4.5)
        part = rng.normal(0, loud, 16000) + loud * np.sin(np.arange(16000) * rng.uniform(0, 3.14))
        part[rng.integers(0, 16000, 5)] = rng.choice([-32768, 32767], 5)
        parts.append(np.clip(part, -32768, 32767).astype(np.int16))
    samples = np.concatenate(parts)
    found = in_c(samples)
    assert len(found) > 7000
    assert np.array_equal(found, of_the_package(samples))


@pytest.mark.fast
def test_steps_and_features_are_one() -> None:
    samples = sounds(1600)["bursts"]
    one = frontend.Frontend()
    rows = [one.step(samples[at : at + 160]) for at in range(0, 1600, 160)]
    assert rows[0] is None and rows[1] is None and len(rows) == 10
    assert np.array_equal(np.array(rows[2:]), frontend.features(samples))
    assert frontend.features(samples[:100]).shape == (0, 40)


@pytest.mark.fast
def test_the_transform_is_one() -> None:
    """Within the rounding of 16 bits, which each of six steps adds to."""
    x = np.round(15000 * np.sin(np.arange(512) * 0.7) * np.hanning(512)).astype(np.int64)
    real, imaginary = frontend.transform(x)
    exact = np.fft.rfft(x) / 512  # 4 stages by 4, and 2
    assert np.abs(real - exact.real).max() < 4 and np.abs(imaginary - exact.imag).max() < 4
    assert np.abs(exact).max() > 1000


@pytest.mark.fast
def test_tables_are_whole() -> None:
    channels = frontend_tables.channels()
    assert len(channels) == 41 and channels[0].first == 5
    for below, above in pairwise(channels):
        assert above.first == below.first + len(below.weights)
    weights = np.concatenate([channel.weights for channel in channels])
    assert len(weights) == 236 and weights.min() >= 0 and weights.max() <= 4096


@pytest.mark.slow
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    """On extreme sounds; in a program of its own."""
    samples = np.concatenate(list(sounds(8000).values()))
    samples.tofile(tmp_path / "in.bin")
    (tmp_path / "main.c").write_text(
        '#include "ek_frontend.h"\n#include <stdio.h>\n'
        "static ek_frontend f;\nstatic ek_frontend_bin bins[EK_FRONTEND_BINS];\n"
        "int main(void)\n{\n    int16_t x[160];\n    uint16_t y[40];\n    ek_frontend_reset(&f);\n"
        "    while (fread(x, 2, 160, stdin) == 160) {\n        if (ek_frontend_step(&f, bins, x, y)) {\n"
        "            fwrite(y, 2, 40, stdout);\n        }\n    }\n    return 0;\n}\n"
    )
    found = sanitized(with_tables(tmp_path), samples.tobytes(), tmp_path)
    assert np.array_equal(np.frombuffer(found, np.uint16).reshape(-1, 40), frontend.features(samples))


@pytest.mark.slow
def test_it_needs_no_library(tmp_path: Path) -> None:
    assert foreign_names(C_FILES, tmp_path) <= {"memcpy", "memset", "memmove"}
