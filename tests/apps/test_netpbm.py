"""Files of frames: what is written is read again, and the firmware's reader sees what the definition sees."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from built import SANITIZED, address_sanitizer
from vision_program import headers, program

from edgekc.apps import netpbm
from edgekc.apps.boxes import Box
from edgekc.apps.netpbm import Frame
from edgekc.errors import UsageError

UNKNOWN = 0xFFFF
GOOD = (
    b"P5 1 1 255 \x07",
    b"P5\n# class 3\n2 1\n255\n\x00\x01P6\n# class 3\n# class 4\n1 1\n255\n\x01\x02\x03",
    b"P6\n#made by hand\n 1\t# box 1 0 0 5 6\n2 #\n255\n" + bytes(6),
    b"P5# box 9999 0 1 4096 4095\n# box 1 5 5 5 6\n# box 1 5 6 6 6\n# box 1 0 0 4097 1\n1 1 255\n\x00",
    b"P5\n# box 1 2 3 4\n# box 1 2 3 4 5 6\n# box 12345 0 0 1 1\n# box 1 2 3 4x5\n1 1\n255\n#",
    b"P5\n# class \n# class 12345\n#class 1\n# class 1 \n# class  1\n1 1\n255\n#",
    b"P5\n# class 1\x00\n# class 2\x00x\n1 1\n255\n\x00",
    b"P5\n" + b"# box 0 0 0 1 1\n" * 20 + b"1 1\n255\n\x00",
    b"P5\n#" + b"x" * 100 + b" class 1\n# " + b"class 1" * 9 + b"\n1 1\n255\n\x00",
)
BAD = (
    b"P5", b"P4 1 1 255 \x00", b"P5 1 1 254 \x00", b"P5 0 1 255 ", b"P5 1 1 65535 \x00\x00", b"P5 1 1 255",
    b"P5 70000 1 255 ", b"P5 -1 1 255 \x00", b"P5 1x1 255 \x00", b"P5 1 1# no space\n255 \x00", b"\x89PNG\r\n",
    b"P5 1 # no end", b"P5 1 1 255 \x00P5",
)  # fmt: skip


def as_read(data: bytes) -> list[tuple[int, int, int, int, list[Box]]]:
    frames = netpbm.read(data, "frames")
    return [
        (*f.pixels.shape[1::-1], f.pixels.shape[2], UNKNOWN if f.index is None else f.index, list(f.truths))
        for f in frames
    ]


def check(made: Path) -> None:
    for data in GOOD:
        assert headers(made, data) == (as_read(data), 0), data
    for data in BAD:
        with pytest.raises(UsageError, match="no binary PGM or PPM image"):
            netpbm.read(data, "frames")
        # The reader of headers does not know whether pixels are missing.
        assert headers(made, data)[1] == -1, data


def test_the_firmware_reads_the_same() -> None:
    check(program())


@pytest.mark.slow
def test_sanitizers_find_nothing() -> None:
    address_sanitizer()
    check(program(*SANITIZED))


@pytest.mark.fast
def test_frames_are_read_as_written() -> None:
    rng = np.random.default_rng(0)
    grey, colour = (rng.integers(0, 256, (3, 5, channels)).astype(np.uint8) for channels in (1, 3))
    truths = (Box(1, 0, 5, 3, 7, 0), Box(0, 0, 1, 1, 0, 0))
    frames = [Frame(grey, 2), Frame(colour), Frame(grey, None, truths)]
    for frame, found in zip(frames, netpbm.read(netpbm.written(frames), "frames"), strict=True):
        assert np.array_equal(frame.pixels, found.pixels)
        assert (frame.index, frame.truths) == (found.index, found.truths)


@pytest.mark.fast
def test_an_empty_file_has_no_frames() -> None:
    with pytest.raises(UsageError, match="holds no image"):
        netpbm.read(b"", "frames")


@pytest.mark.fast
def test_pillow_reads_it_too(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = np.random.default_rng(1).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    (tmp_path / "frame.ppm").write_bytes(netpbm.written([Frame(pixels, 3)]))
    assert np.array_equal(np.asarray(image.open(tmp_path / "frame.ppm")), pixels)
