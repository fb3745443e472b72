"""Windows, scores and steady decisions: the definitions against fractions and loops, the C against the definitions."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from built import SANITIZED, STRICT, address_sanitizer, program_of

from edgekc.apps import decisions, windows
from edgekc.apps.decisions import NONE, Errors
from edgekc.apps.windows import Channel
from edgekc.assets import RUNTIME_C
from edgekc.errors import UsageError

Array = np.ndarray[Any, np.dtype[Any]]
FOLDER = RUNTIME_C / "apps"
C_FILES = (FOLDER / "ek_window.c", FOLDER / "ek_decision.c")


class Stream(NamedTuple):
    rows: Array  # (n, channels) int16
    channels: tuple[Channel, ...]
    length: int
    stride: int
    zero_point: int


def program(*flags: str) -> Path:
    """What reads cases, with these flags."""
    source = Path(__file__).with_name("sensor_cases.c")
    return program_of("sensor_cases", (*C_FILES, source), (*STRICT, *flags, f"-I{FOLDER}"))


def answer(made: Path, case: bytes) -> bytes:
    ran = subprocess.run([made], input=case, capture_output=True, check=False)
    assert ran.returncode == 0, (ran.returncode, ran.stderr.decode())
    return ran.stdout


def streams(count: int, seed: int) -> list[Stream]:
    """All kinds of channels, extremes among the rows, windows that overlap wholly, partly and not."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(count):
        width, length = int(rng.integers(1, 8)), int(rng.integers(1, 12))
        rows = rng.integers(-32768, 32768, (int(rng.integers(0, 40)), width)).astype(np.int16)
        rows[rng.random(rows.shape) < 0.2] = rng.choice([-32768, 32767, 0, -1])
        channels = tuple(
            Channel(int(rng.choice([-32768, 32767, 0, int(rng.integers(-99, 99))])), int(rng.integers(64, 1 << 14)),
                    int(rng.integers(1, 31)))
            for _ in range(width)
        )  # fmt: skip
        stride = (1, length, int(rng.integers(1, length + 1)))[k % 3]
        made.append(Stream(rows, channels, length, stride, int(rng.integers(-128, 128))))
    return made


def asked(case: Stream) -> bytes:
    head = [len(case.channels), case.length, case.stride, case.zero_point, len(case.rows)]
    return b"w" + np.array([*head, *np.ravel(case.channels)], np.int32).tobytes() + case.rows.tobytes()


def wanted(case: Stream) -> bytes:
    found = windows.levels(case.rows, case.channels, case.zero_point)
    return windows.cut(found, case.length, case.stride).tobytes()


def check_scores(made: Path, count: int) -> None:
    rng, asks, said = np.random.default_rng(1), b"", []
    for k in range(count):
        size = int(rng.integers(1, 300)) if k else decisions.LARGEST_WINDOW
        inputs, outputs = rng.integers(-128, 128, (2, 1, size)).astype(np.int8)
        errors = Errors(*(int(n) for n in (*rng.integers((-128, 1), (128, 129)), *rng.integers((-128, 1), (128, 129)))))
        if k == 0:  # the largest score that there is
            inputs, outputs, errors = np.full_like(inputs, 127), np.full_like(inputs, -128), Errors(-128, 128, 127, 128)
        asks += b"s" + np.array([size, *errors], np.int32).tobytes() + inputs.tobytes() + outputs.tobytes()
        said += [int(decisions.scores(inputs, outputs, errors)[0]), int(outputs.argmax())]
    assert np.frombuffer(answer(made, asks), np.uint32).tolist() == said
    assert 0.99 * 2**32 < said[0] < 2**32


def check_steady(made: Path, count: int) -> None:
    rng, asks, said = np.random.default_rng(2), b"", b""
    for k in range(count):
        hold, first = (1, 2, 3, 255)[k % 4], (NONE, 0)[k % 2]
        found = np.repeat(rng.integers(0, 3, 60), rng.integers(1, 5, 60)).astype(np.uint8)
        if k == 3:
            found[:] = 254
            found = np.resize(found, 300)
        asks += b"d" + np.array([len(found), hold, first], np.int32).tobytes() + found.tobytes()
        said += bytes(decisions.steady(found.tolist(), hold, first))
    assert answer(made, asks) == said


@pytest.fixture(scope="module")
def made() -> Path:
    return program()


def test_the_c_has_the_bits_of_the_definitions(made: Path) -> None:
    cases = streams(300, 0)
    assert answer(made, b"".join(map(asked, cases))) == b"".join(map(wanted, cases))
    check_scores(made, 100)
    check_steady(made, 60)


@pytest.mark.slow
def test_sanitizers_find_nothing() -> None:
    address_sanitizer()
    made, cases = program(*SANITIZED), streams(2000, 5)
    assert answer(made, b"".join(map(asked, cases))) == b"".join(map(wanted, cases))
    check_scores(made, 300)
    check_steady(made, 100)


@pytest.mark.slow
def test_it_needs_no_library(tmp_path: Path) -> None:
    """Beyond memcpy and memset, if the compiler asks for them, on a Cortex-M0."""
    gcc = "arm-none-eabi-gcc"
    if shutil.which(gcc) is None:
        pytest.skip(f"{gcc} is not installed")
    for source in C_FILES:
        made = tmp_path / f"{source.stem}.o"
        flags = ["-mcpu=cortex-m0", "-mthumb", *STRICT, "-ffreestanding", f"-I{FOLDER}"]
        subprocess.run([gcc, *flags, "-c", str(source), "-o", str(made)], check=True)
        said = subprocess.run(["arm-none-eabi-nm", "-u", str(made)], capture_output=True, text=True, check=True).stdout
        assert {line.split()[-1] for line in said.splitlines()} <= {"memcpy", "memset"}


@pytest.mark.fast
def test_levels_are_rounded_fractions() -> None:
    rng = np.random.default_rng(3)
    for case in streams(20, 3):
        found = windows.levels(case.rows, case.channels, case.zero_point)
        for row, column in rng.integers(0, (max(1, len(case.rows)), len(case.channels)), (10, 2))[: len(case.rows)]:
            middle, factor, shift = case.channels[column]
            real = Fraction((int(case.rows[row, column]) - middle) * factor, 1 << shift) + Fraction(1, 2)
            assert found[row, column] == min(127, max(-128, math.floor(real) + case.zero_point))


@pytest.mark.fast
def test_a_channel_has_its_unit_and_its_middle() -> None:
    rng = np.random.default_rng(4)
    for unit, scale in ((1.0, 0.03), (3700.04, 8 / 255), (20000.0, 0.05), (0.01, 1.0)):
        channel = windows.channel_of(-300, unit, scale)
        rows = np.clip(-300 + rng.integers(-4, 5, (50, 1)) * unit, -32768, 32767).astype(np.int16)
        real = (rows[:, 0] + 300.0) / unit / scale
        found = windows.levels(rows, [channel], 5)[:, 0]
        assert np.abs(found - np.clip(real + 5, -128, 127)).max() <= 0.52 + np.abs(np.clip(real, -140, 140)).max() / 256


@pytest.mark.parametrize(
    ("middle", "unit"), [(0, 0.0), (0, -1.0), (0, math.nan), (0, math.inf), (0, 1e-9), (0, 1e12), (32768, 1.0)]
)
@pytest.mark.fast
def test_a_channel_that_cannot_be_is_refused(middle: int, unit: float) -> None:
    with pytest.raises(UsageError, match="a channel has middle"):
        windows.channel_of(middle, unit, 0.03)


@pytest.mark.fast
def test_windows_of_a_stream() -> None:
    rows = np.arange(10, dtype=np.int16)[:, None]
    assert windows.cut(rows, 4, 3)[..., 0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert windows.cut(rows, 11, 1).shape == (0, 11, 1)
    assert list(windows.ends(10, 4, 3)) == [4, 7, 10]


@pytest.mark.fast
def test_errors_have_the_unit_of_the_larger_scale() -> None:
    errors = decisions.errors_of(0.5, 3, 0.25, -7)
    assert errors == Errors(3, 128, -7, 64)
    inputs, outputs = np.array([[3, 13]], np.int8), np.array([[-7, 33]], np.int8)  # 0, 5.0 and 0, 10.0: ten levels off
    assert decisions.scores(inputs, outputs, errors).tolist() == [100]
    assert decisions.errors_of(1.0, 0, 1e-9, 0).out_factor == 1


@pytest.mark.fast
def test_decisions_do_not_flicker() -> None:
    assert decisions.steady([1, 1, 0, 1, 0, 0, 0, 2, 2], 2) == [NONE, 1, 1, 1, 1, 0, 0, 0, 2]
    assert decisions.steady([0, 1, 0, 1, 1], 2, 0) == [0, 0, 0, 0, 1]
    assert decisions.steady([3, 4], 1) == [3, 4]
    assert decisions.alarms([5, 11, 9, 8, 9, 10, 11], 10, 8) == [0, 1, 1, 0, 0, 0, 1]
