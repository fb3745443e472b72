"""Samples that are damaged, lie about their size, or are another format: one line for the user, little memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgekc.data import load
from edgekc.errors import UsageError
from edgekc.files import limits

FILES = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".npz", ".zip"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_damaged_file(path: Path) -> None:
    if path.suffix == ".zip":
        pytest.importorskip("PIL", reason="images need Pillow")
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def bomb(path: Path, nbytes: int, declared: int | None = None) -> Path:
    """An .npz whose array of zeros unpacks to `nbytes`; its directory says `declared`."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {nbytes}), }}".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body, crc, left = packer.compress(start), zlib.crc32(start), nbytes
    while left:
        piece = bytes(min(left, 1 << 20))
        body, crc, left = body + packer.compress(piece), zlib.crc32(piece, crc), left - len(piece)
    body += packer.flush()
    size = len(start) + nbytes if declared is None else declared
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(body), size, 5, 0)
    local = b"PK\x03\x04" + fields + b"x.npy" + body
    central = b"PK\x01\x02" + b"\x14\x00" + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"x.npy"
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    return path


def test_what_unpacks_to_more_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.VARIABLE, "4")
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"unpacks to 67,108,992 bytes, more than the 4,194,304 that are allowed"):
        load(bomb(tmp_path / "honest.npz", 64 << 20))
    with pytest.raises(UsageError, match=r"x\.npy: cannot be unpacked \(BadZipFile"):
        load(bomb(tmp_path / "lies.npz", 64 << 20, declared=1000))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    monkeypatch.setenv(limits.VARIABLE, "80")
    assert load(bomb(tmp_path / "honest.npz", 1 << 20)).x.shape == (1, 1 << 20)
    monkeypatch.setenv(limits.VARIABLE, "lots")
    with pytest.raises(UsageError, match="'lots' is no positive number of MiB"):
        load(tmp_path / "honest.npz")


def images(path: Path, *files: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def test_images_of_other_formats_and_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="images need Pillow")

    def encoded(kind: str, size: tuple[int, int]) -> bytes:
        buffer = io.BytesIO()
        pillow.new("L", size).convert("RGB" if kind == "EPS" else "L").save(buffer, kind)
        return buffer.getvalue()

    with pytest.raises(UsageError, match=r"a/0\.png: cannot be read as an image"):
        load(images(tmp_path / "eps.zip", ("a/0.png", encoded("EPS", (9, 9)))))
    with pytest.raises(UsageError, match=r"has 8,000 x 8,000 pixels, more than the 33,554,432 that are decoded"):
        load(images(tmp_path / "large.zip", ("a/0.png", encoded("PNG", (8000, 8000)))))
    monkeypatch.setenv(limits.VARIABLE, "1")
    small = encoded("PNG", (600, 600))
    with pytest.raises(UsageError, match=r"its 3 images take 1,080,000 bytes"):
        load(images(tmp_path / "many.zip", *((f"a/{i}.png", small) for i in range(3))))
    with pytest.raises(UsageError, match=r"holds 'a/0\.png' and 'A/0\.png', which some readers mix up"):
        load(images(tmp_path / "twice.zip", ("a/0.png", small), ("A/0.png", small)))


def test_arrays_of_every_number(tmp_path: Path) -> None:
    """The strict reader takes what numpy writes."""
    from edgekc.files.npy import read_npz

    rng = np.random.default_rng(0)
    arrays = {f"{kind}{size}": rng.integers(0, 2, (2, 3)).astype(f"{order}{kind}{size}")
              for order in "<>" for kind, size in (("i", 1), ("u", 2), ("f", 2), ("f", 8), ("b", 1))}  # fmt: skip
    arrays |= {"scalar": np.array(3), "empty": np.zeros((0, 4)), "fortran": np.asfortranarray(rng.normal(size=(3, 4)))}
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", "a.npz", UsageError)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
