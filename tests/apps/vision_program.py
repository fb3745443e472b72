"""The C of the app `vision` as a program on this machine: cases in, answers out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from built import STRICT, program_of

from edgekc.apps.boxes import Box, Head
from edgekc.apps.scaling import FORMATS, Crop
from edgekc.assets import RUNTIME_C

Array = np.ndarray[Any, np.dtype[Any]]
FOLDERS = (f"-I{RUNTIME_C / 'apps'}", f"-I{RUNTIME_C / 'port'}", f"-I{RUNTIME_C / 'include'}")
C_FILES = tuple(RUNTIME_C / "apps" / f"ek_{name}.c" for name in ("scale", "boxes", "netpbm"))


class Scaling(NamedTuple):
    """A frame as a camera gives it, and the image of its crop."""

    raw: Array  # (h, bytes of a row) uint8
    format: str
    crop: Crop
    width: int
    height: int
    channels: int


class Boxes(NamedTuple):
    """An output and how to read it."""

    levels: Array  # (rows, columns, 4 + classes) int8
    head: Head
    crop: Crop
    most: int


def program(*flags: str) -> Path:
    """What reads cases, with these flags."""
    source = Path(__file__).with_name("vision_cases.c")
    return program_of("vision_cases", (*C_FILES, source), (*STRICT, *flags, *FOLDERS))


def answer(made: Path, cases: Sequence[bytes]) -> bytes:
    ran = subprocess.run([made], input=b"".join(cases), capture_output=True, check=False)
    assert ran.returncode == 0, (ran.returncode, ran.stderr.decode())
    return ran.stdout


def scaled(made: Path, cases: Sequence[Scaling]) -> list[Array]:
    written = []
    for c in cases:
        numbers = [list(FORMATS).index(c.format), c.raw.shape[1], c.crop.left, c.crop.top, c.crop.width, c.crop.height]
        head = np.array([*numbers, c.width, c.height, 0, c.channels], np.int32).tobytes()
        written.append(b"s" + head + c.raw[c.crop.top : c.crop.top + c.crop.height].tobytes())
    said, at, found = np.frombuffer(answer(made, written), np.uint8), 0, []
    for c in cases:
        count = c.width * c.height * c.channels
        found.append(said[at : at + count].reshape(c.height, c.width, c.channels))
        at += count
    assert at == len(said)
    return found


def centred(made: Path, cases: Sequence[tuple[int, int, int, int]]) -> list[Crop]:
    said = answer(made, [b"c" + np.array(case, np.uint32).tobytes() for case in cases])
    return [Crop(*row) for row in np.frombuffer(said, np.int32).reshape(-1, 4).tolist()]


def boxes(made: Path, cases: Sequence[Boxes]) -> list[list[Box]]:
    written = []
    for levels, h, crop, most in cases:
        head = [h.rows, h.columns, levels.shape[2] - 4, h.stride, h.zero_point, h.factor, h.shift, h.least, h.overlap]
        numbers = [*head, crop.left, crop.top, crop.width, crop.height, most]
        written.append(b"b" + np.array(numbers, np.int32).tobytes() + levels.astype(np.int8).tobytes())
    said, at, found = np.frombuffer(answer(made, written), np.int32), 0, []
    for _ in cases:
        count = int(said[at])
        found.append([Box(*row) for row in said[at + 1 : at + 1 + 6 * count].reshape(-1, 6).tolist()])
        at += 1 + 6 * count
    assert at == len(said)
    return found


def headers(made: Path, data: bytes) -> tuple[list[tuple[int, int, int, int, list[Box]]], int]:
    """Of each image of a file width, height, channels, class and boxes; and how it ended: 0 or -1."""
    said = np.frombuffer(answer(made, [b"n" + np.uint32(len(data)).tobytes() + data]), np.int32)
    found, at = [], 0
    while said[at] > 0:
        width, height, channels, index, count = said[at + 1 : at + 6].tolist()
        rows = said[at + 6 : at + 6 + 6 * count].reshape(-1, 6).tolist()
        found.append((width, height, channels, index, [Box(*row) for row in rows]))
        at += 6 + 6 * count
    assert at == len(said) - 1
    return found, int(said[at])
