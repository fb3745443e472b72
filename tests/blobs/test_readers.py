"""Python's reader and the C of a network take and refuse the same blobs, with the same statuses."""

from __future__ import annotations

import json
import struct
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import blob_nets
import numpy as np
import pytest

from edgekc.files.output import write_folder
from edgekc.firmware.toolchain import host_compiler
from edgekc.format import blob
from edgekc.generate import blobs

HERE = Path(__file__).parent
CORPUS = HERE.parent / "fuzz" / "device" / "blob.zip"
FLAGS = ("-std=c99", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-ffunction-sections", "-Wl,--gc-sections")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def layout() -> blob.Layout:
    return blob.layout_of(json.loads(blob_nets.files()["manifest.json"]))


def right() -> bytes:
    return blob_nets.files()[f"{blob_nets.NAME}.blob"]


def python_says(data: bytes) -> int:
    try:
        blob.read(data, layout())
    except blob.BlobError as error:
        return error.status
    return 0


def c_says(program: Path, blobs: Sequence[bytes], file: Path) -> list[int]:
    file.write_bytes(b"".join(struct.pack("<I", len(data)) + data for data in blobs))
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statuses")
    write_folder(blob_nets.files(), folder / "out")
    # Nothing calls small_run, which the linker leaves out with all kernels that it calls.
    names = (f"{blob_nets.NAME}.c", *blobs.SOURCES)
    sources = [*(str(folder / "out" / "src" / name) for name in names), str(HERE / "statuses.c")]
    include = f"-I{folder / 'out' / 'include'}"
    subprocess.run(
        [*host_compiler().command, *FLAGS, *SANITIZERS, include, *sources, "-o", str(folder / "statuses")], check=True
    )
    return folder / "statuses"


def inputs(rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """As the fuzzer makes them: a few changes, more often where there are numbers than in the header."""
    size = len(right())
    for _ in range(count):
        how = int(rng.choice([0, 2, 4, 6, 6, 6, 6, 6])) | int(rng.random() < 0.03) | int(rng.integers(16)) << 4
        edits = b""
        for _ in range(int(rng.choice([0, 1, 1, 1, 2, 4]))):
            at = rng.integers(80) if rng.random() < 0.3 else rng.integers(size)
            edits += struct.pack("<HBB", int(at), int(rng.integers(4)), int(rng.integers(256)))
        yield bytes([how]) + edits


@pytest.mark.slow
def test_both_say_the_same_of_damaged_blobs(program: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    files = [blob_nets.damaged(right(), layout(), data) for data in inputs(rng, 3000)]
    files += [right()[:n] for n in (0, 3, 4, 16, 31, 32, 71, 72, 100)] + [right() + bytes(16)]
    said = [python_says(data) for data in files]
    assert c_says(program, files, tmp_path / "blobs") == said
    counts = Counter(blob.STATUSES[status] for status in said)
    never = {"NULL", "ALIGNMENT"}  # of pointers
    assert all(counts[name] >= 5 for name in blob.STATUSES if name not in never), counts


@pytest.mark.slow
def test_both_say_the_same_of_the_fuzzers_corpus(program: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(CORPUS) as archive:
        found = [archive.read(name) for name in archive.namelist()]
    files = [data[1:] if data[0] == 255 else blob_nets.damaged(right(), layout(), data) for data in found if data]
    assert len(files) >= 20
    assert c_says(program, files, tmp_path / "blobs") == [python_says(data) for data in files]
