"""Blobs of anybody: random numbers in their ranges lead to wrong outputs and to nothing undefined, in any kernel."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import built
import numpy as np
import pytest

from edgekc.files.output import write_folder
from edgekc.firmware.toolchain import host_compiler
from edgekc.format import blob
from edgekc.format.pack import read
from edgekc.fuzzing.drawing import draw
from edgekc.fuzzing.subjects import subject
from edgekc.generate.embedded import Form
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.bits import pack_indices

HERE = Path(__file__).parent
EMULATED = ("-DEK_DSP_EMULATED", "-DEK_MVE_EMULATED", "-DEK_VEC_EMULATED")
FEATURES = (frozenset[str](), frozenset({"dsp", "thumb2"}), frozenset({"mve", "dsp", "thumb2"}), frozenset({"vector"}))
BLOBS = 25
SEED = 11


def hostile(layout: blob.Layout, rng: np.random.Generator) -> bytes:
    """A blob of random bytes, but that each rule holds; a half of the numbers are at the ends of their ranges."""
    sections = [bytearray(rng.integers(0, 256, size, np.uint8).tobytes()) for size in layout.sections]
    for rule in layout.rules:
        section = sections[rule.section]
        section[rule.offset : rule.offset + rule.nbytes] = _numbers(rule, rng, section)
    return blob.write(layout, [bytes(section) for section in sections])


def _numbers(rule: blob.Rule, rng: np.random.Generator, section: bytearray) -> bytes:
    ends = rng.random(rule.count) < 0.5
    if rule.kind == "BITS":
        values = np.where(ends, rule.high, rng.integers(0, rule.high + 1, rule.count)).astype(np.uint8)
        return pack_indices(values, rule.bits)
    if rule.kind == "HALF":
        return np.where(ends, 2048, rng.integers(-2048, 2049, rule.count)).astype("<f2").tobytes()
    if rule.kind == "FLOAT":
        return np.where(ends, np.finfo(np.float32).max, rng.normal(0, 1, rule.count)).astype("<f4").tobytes()
    if rule.kind == "SHIFTED":
        most = rule.high >> struct.unpack_from("<i", section, rule.low)[0]
        return struct.pack("<i", -most if ends[0] else -int(rng.integers(0, most + 1)))
    drawn = rng.integers(rule.low, rule.high + 1, rule.count)
    values = np.where(ends, rng.choice([rule.low, rule.high], rule.count), drawn)
    return values.astype({"INT8": "<i1", "INT16": "<i2", "INT32": "<i4"}[rule.kind]).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "features"), [(n, n % len(FEATURES)) for n in range(8)])
def test_numbers_in_their_ranges_do_nothing_undefined(number: int, features: int, tmp_path: Path) -> None:
    check(number, features, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("features", range(len(FEATURES)))
@pytest.mark.parametrize("op", ["conv2d_16x8", "depthwise", "clustered_depthwise", "softmax_s16"])
def test_in_operators_that_few_networks_have(op: str, features: int, tmp_path: Path) -> None:
    check(features, features, tmp_path, [op])


def check(number: int, features: int, folder: Path, ops: Sequence[str] = ()) -> None:
    """Also for longer runs by hand."""
    drawn = draw(SEED, number, ops)
    s = subject(drawn.net, drawn.form)
    packed = read(s.data, "net.ekc")
    files = generate(plan(packed.graph, FEATURES[features]), packed, s.data, "net", "none", Form(blob=True))
    write_folder(files, folder / "out")
    sources = [*sorted((folder / "out" / "src").glob("*.c")), HERE / "hostile.c"]
    flags = ["-std=c99", "-O0", "-w", *built.SANITIZED, *EMULATED, f"-I{folder / 'out' / 'include'}"]
    command = [*host_compiler().command, *flags, *map(str, sources), "-o", str(folder / "hostile")]
    subprocess.run(command, check=True)
    layout, rng = blob.layout_of(json.loads(files["manifest.json"])), np.random.default_rng(number)
    inputs = b"".join(np.ascontiguousarray(x[0]).tobytes() for x in s.inputs)
    (folder / "blobs").write_bytes(inputs + b"".join(hostile(layout, rng) for _ in range(BLOBS)))
    done = subprocess.run([folder / "hostile", folder / "blobs"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{BLOBS}\n"), (drawn.net.kind, drawn.form, done.stderr[:1500])
