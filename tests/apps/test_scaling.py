"""Crop and scale: the definition against fractions and Pillow, and the C against the definition, whatever is seen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from built import SANITIZED, STRICT, address_sanitizer
from vision_program import C_FILES, FOLDERS, Array, Scaling, centred, program, scaled

from edgekc.apps import scaling
from edgekc.apps.scaling import FORMATS, LUMA, Crop
from edgekc.errors import UsageError


def cases(count: int, seed: int) -> list[Scaling]:
    """Frames of all kinds and shapes, larger and smaller than the image, noise and extremes."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(count):
        format = list(FORMATS)[k % 4]
        height, width = (int(n) for n in rng.integers(1, 60, 2))
        wide, high = int(rng.integers(1, width + 1)), int(rng.integers(1, height + 1))
        crop = Crop(int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1)), wide, high)
        raw = rng.integers(0, 256, (height, width * FORMATS[format]))
        raw = np.full_like(raw, 255) if k % 7 == 0 else raw * 255 // 128 * 128 % 256 if k % 7 == 1 else raw
        out_width, out_height = (int(n) for n in rng.integers(1, 40, 2))
        made.append(Scaling(raw.astype(np.uint8), format, crop, out_width, out_height, 1 + 2 * int(rng.integers(2))))
    sides = ((scaling.LONGEST, 2, 3), (3, scaling.LONGEST, 2), (1, 1, 16), (1, 1, 1), (33, 47, 47))
    made += [Scaling(np.full((h, w), 255, np.uint8), "grey", Crop(0, 0, w, h), n, n, 1) for h, w, n in sides]
    return made


def defined(case: Scaling) -> Array:
    frame = scaling.pixels(case.raw, case.format, case.channels)
    return scaling.scaled(frame, case.crop, case.width, case.height)


@pytest.fixture(scope="module")
def made() -> Path:
    return program()


def test_the_c_gives_the_definitions_bytes(made: Path) -> None:
    tried = cases(400, 0)
    for case, found in zip(tried, scaled(made, tried), strict=True):
        assert np.array_equal(found, defined(case)), case


def test_the_largest_crop_does_not_overflow(made: Path) -> None:
    side = scaling.LONGEST
    white = Scaling(np.full((side, side), 255, np.uint8), "grey", Crop(0, 0, side, side), 2, 1, 1)
    assert (scaled(made, [white])[0] == 255).all()


@pytest.mark.fast
def test_it_is_the_mean_of_the_area() -> None:
    """By fractions, one pixel of the image after the other."""
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (7, 11, 1)).astype(np.uint8)
    found = scaling.scaled(frame, Crop(2, 1, 8, 5), 3, 4)
    cut = frame[1:6, 2:10, 0]
    for i in range(4):
        for j in range(3):
            top, left = Fraction(5 * i, 4), Fraction(8 * j, 3)
            total = Fraction(0)
            for y in range(5):
                for x in range(8):
                    down = max(min(Fraction(y + 1), top + Fraction(5, 4)) - max(Fraction(y), top), Fraction(0))
                    across = max(min(Fraction(x + 1), left + Fraction(8, 3)) - max(Fraction(x), left), Fraction(0))
                    total += down * across * int(cut[y, x])
            assert found[i, j, 0] == int(total / (Fraction(5, 4) * Fraction(8, 3)) + Fraction(1, 2))


@pytest.mark.fast
def test_nothing_changes_at_the_same_size() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (9, 5, 3)).astype(np.uint8)
    assert np.array_equal(scaling.scaled(frame, Crop(0, 0, 5, 9), 5, 9), frame)
    twice = scaling.scaled(frame, Crop(0, 0, 5, 9), 10, 18)
    assert np.array_equal(twice, frame.repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.fast
def test_it_is_near_pillow() -> None:
    """Whole factors: Pillow's `reduce` is the same mean, and its box filter rounds twice. Luma is the same."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    frame = np.random.default_rng(3).integers(0, 256, (36, 60, 3)).astype(np.uint8)
    whole = Crop(0, 0, 60, 36)
    pillow = image.fromarray(frame)
    for width, height in ((20, 12), (15, 9), (60, 4)):
        found = scaling.scaled(frame, whole, width, height).astype(int)
        assert np.abs(found - np.asarray(pillow.reduce((60 // width, 36 // height)))).max() <= 1
        assert np.abs(found - np.asarray(pillow.resize((width, height), image.Resampling.BOX))).max() <= 1
    grey = scaling.pixels(frame.reshape(36, -1), "rgb888", 1)
    assert np.array_equal(grey[..., 0], np.asarray(pillow.convert("L")))
    # Other factors, on what is smooth as photos are: Pillow gives each pixel to one area.
    smooth = np.asarray(image.fromarray(frame[:6, :10]).resize((161, 121), image.Resampling.BICUBIC))
    found = scaling.scaled(smooth, Crop(0, 0, 161, 121), 32, 24).astype(int)
    wanted = np.asarray(image.fromarray(smooth).resize((32, 24), image.Resampling.BOX))
    assert np.abs(found - wanted).max() <= 8 and np.abs(found - wanted).mean() < 2


@pytest.mark.fast
def test_fields_of_colours() -> None:
    assert sum(LUMA) == 1 << 16
    raw = np.array([[0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00, 0xFF, 0xFF]], np.uint8)
    wanted = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    assert scaling.pixels(raw, "rgb565", 3)[0].tolist() == wanted
    swapped = raw.reshape(-1, 2)[:, ::-1].reshape(1, -1)
    assert scaling.pixels(swapped, "rgb565_swapped", 3)[0].tolist() == wanted
    assert scaling.pixels(raw[:, :2], "grey", 3).tolist() == [[[0] * 3, [0xF8] * 3]]


@pytest.mark.parametrize("crop", [Crop(0, 0, 0, 1), Crop(5, 0, 6, 1), Crop(-1, 0, 2, 2), Crop(0, 7, 2, 4)])
@pytest.mark.fast
def test_a_crop_beyond_the_frame_is_refused(crop: Crop) -> None:
    with pytest.raises(UsageError, match="lies within the frame"):
        scaling.scaled(np.zeros((10, 10, 1), np.uint8), crop, 2, 2)


def test_the_middle_of_a_frame(made: Path) -> None:
    rng = np.random.default_rng(4)
    tried = [(160, 120, 32, 32), (160, 120, 96, 72), (1, 1, 1024, 1), (4096, 1, 1, 1024), (2, 3, 7, 5)]
    tried += [tuple(int(n) for n in rng.integers(1, (4097, 4097, 1025, 1025))) for _ in range(200)]  # type: ignore[misc]
    for case, found in zip(tried, centred(made, tried), strict=True):
        assert found == scaling.centre_crop(*case)
        scaling.check_crop(found, *case[:2])
    assert scaling.centre_crop(160, 120, 32, 32) == Crop(20, 0, 120, 120)


@pytest.mark.slow
def test_it_needs_no_library(tmp_path: Path) -> None:
    """Beyond memcpy, memset, and the division that the compiler's own library has for a Cortex-M0."""
    gcc, names = "arm-none-eabi-gcc", set()
    if shutil.which(gcc) is None:
        pytest.skip(f"{gcc} is not installed")
    for source in C_FILES[:2]:  # the third one reads files
        made = tmp_path / f"{source.stem}.o"
        flags = ["-mcpu=cortex-m0", "-mthumb", *STRICT, "-ffreestanding", *FOLDERS]
        subprocess.run([gcc, *flags, "-c", str(source), "-o", str(made)], check=True)
        said = subprocess.run(["arm-none-eabi-nm", "-u", str(made)], capture_output=True, text=True, check=True).stdout
        names |= {line.split()[-1] for line in said.splitlines()}
    assert names <= {"memcpy", "memset", "__aeabi_uidiv", "__gnu_thumb1_case_uqi"}


@pytest.mark.slow
def test_sanitizers_find_nothing() -> None:
    address_sanitizer()
    made, tried = program(*SANITIZED), cases(1000, 5)
    for case, found in zip(tried, scaled(made, tried), strict=True):
        assert np.array_equal(found, defined(case)), case
