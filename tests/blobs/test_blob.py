"""Blobs: what each kind of damage is called, what an identity depends on, and that a new blob runs in older code."""

from __future__ import annotations

import ctypes
import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import blob_nets
import numpy as np
import pytest
from nets import Net

import edgekc
from edgekc.emulate import host, reference
from edgekc.errors import UsageError
from edgekc.files.output import write_folder
from edgekc.format import blob
from edgekc.format.pack import pack, read
from edgekc.generate.embedded import Form
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph
from edgekc.passes.lower import lower
from edgekc.update.package import network_identity

DIGITS = "edgekc/demo/data/digits_int8.tflite"
ROOT = Path(__file__).resolve().parents[2]
DSP = frozenset({"dsp", "thumb2"})


def _layout() -> blob.Layout:
    return blob.layout_of(json.loads(blob_nets.files()["manifest.json"]))


def _right() -> bytes:
    return blob_nets.files()[f"{blob_nets.NAME}.blob"]


def _with(at: int, value: bytes, *, sums: bool = True) -> bytes:
    out = bytearray(_right())
    out[at : at + len(value)] = value
    layout = _layout()
    return blob_nets.damaged(bytes(out), layout, bytes([6])) if sums else bytes(out)


def _entry(section: int, offset: int | None = None, size: int | None = None) -> bytes:
    layout = _layout()
    found = (layout.offsets[section] if offset is None else offset, layout.sections[section] if size is None else size)
    return _with(32 + 12 * section, struct.pack("<II", *found))


def _rule(kind: str) -> blob.Rule:
    return next(rule for rule in _layout().rules if rule.kind == kind)


def _breaking(kind: str, value: bytes) -> bytes:
    rule = _rule(kind)
    return _with(_layout().offsets[rule.section] + rule.offset, value)


DAMAGE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "shorter": ("LENGTH", lambda: _right()[:-16]),
    "longer": ("LENGTH", lambda: _right() + bytes(16)),
    "another file": ("MAGIC", lambda: _with(0, b"EKC\x1a")),
    "newer": ("VERSION", lambda: _with(4, struct.pack("<I", 2))),
    "of other code": ("IDENTITY", lambda: _with(16, b"\0")),
    "wrong total": ("HEADER", lambda: _with(8, struct.pack("<I", 64))),
    "a section too many": ("HEADER", lambda: _with(12, struct.pack("<I", 4))),
    "header's sum": ("HEADER", lambda: _with(32 + 8, b"\1\2\3\4", sums=False)),
    "section over the header": ("SECTION", lambda: _entry(0, offset=16)),
    "sections that overlap": ("SECTION", lambda: _entry(2, offset=_layout().offsets[0])),
    "section not on 16 bytes": ("SECTION", lambda: _entry(2, offset=_layout().offsets[2] + 4)),
    "section behind the end": ("SECTION", lambda: _entry(2, offset=0xFFFFFFF0)),
    "section of another size": ("SECTION", lambda: _entry(2, size=16)),
    "bytes between sections": ("SECTION", lambda: _with(76, b"\1")),
    "a wrong bit": ("CRC", lambda: blob_nets.damaged(_right(), _layout(), b"\0" + struct.pack("<HBB", 300, 1, 1))),
    "a zero point": ("RANGE", lambda: _with(_layout().offsets[0] + 12, struct.pack("<i", 128))),
    "a scale of 0": ("RANGE", lambda: _with(_layout().offsets[1], struct.pack("<f", 0.0))),
    "a scale that is no number": ("RANGE", lambda: _with(_layout().offsets[1], struct.pack("<f", float("nan")))),
    "a shift": ("RANGE", lambda: _breaking("INT8", b"\x1f")),
    "an index": ("RANGE", lambda: _breaking("BITS", b"\xff")),
    "a pair": ("RANGE", lambda: _breaking("HALF", struct.pack("<e", 0.5))),
    "a difference that is shifted too far": ("RANGE", lambda: _breaking("SHIFTED", struct.pack("<i", -2080374784))),
}


@pytest.mark.fast
@pytest.mark.parametrize("what", DAMAGE)
def test_damage_has_a_status_of_its_own(what: str) -> None:
    name, damaged = DAMAGE[what]
    with pytest.raises(blob.BlobError) as caught:
        blob.read(damaged(), _layout(), "a.blob")
    assert caught.value.name == name and str(caught.value).startswith("a.blob: ")
    assert caught.value.status == blob.STATUSES.index(name)


@pytest.mark.fast
def test_every_byte_counts() -> None:
    """None can change, whatever the sums are: all that is not summed is compared."""
    layout, data = _layout(), _right()
    blob.read(data, layout)
    for at in range(len(data)):
        with pytest.raises(blob.BlobError):
            blob.read(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :], layout)


@pytest.mark.fast
def test_the_c_numbers_statuses_and_rules_alike() -> None:
    text = blob_nets.files()["include/ek_blob.h"].decode()
    numbered = {name: int(value) for name, value in re.findall(r"EK_BLOB_(\w+) = (\d+),?", text)}
    assert numbered == {name: i for i, name in enumerate(blob.STATUSES)}
    kinds = text[text.index("\nenum {") :]
    assert re.findall(r"^    EK_BLOB_(\w+)", kinds, re.MULTILINE)[: len(blob.KINDS)] == list(blob.KINDS)


def _trained(seed: int, filters: int = 4, renamed: str = "") -> Graph:
    """A dense network whose weights, scales and zero points depend on the seed."""
    rng = np.random.default_rng(seed)
    net = Net(rng, (1, 6, 5, 3))
    x = net.conv("input", filters, zero=int(rng.integers(-9, 9)), scale=float(rng.uniform(0.1, 0.2)))
    y = net.conv(x, filters, k=1, activation="relu", zero=int(rng.integers(-9, 9)))
    x = net.depthwise(net.binary("add", x, y), stride=2)
    graph = lower(net.graph(net.fully_connected(net.unary("reshape", x, (1, 3 * 3 * filters)), 3)))
    nodes = tuple(replace(node, name=f"{renamed}{node.name}") for node in graph.nodes)
    return replace(graph, nodes=nodes, metadata={"tool": f"test {seed}"})


def _files(graph: Graph) -> dict[str, bytes]:
    data = pack(graph)
    packed = read(data, "net.ekc")
    return generate(plan(packed.graph, DSP), packed, data, "net", "none", Form(blob=True))


def _code(files: dict[str, bytes]) -> str:
    """The network's C without comments."""
    return re.sub(r"/\*.*?\*/", "", files["src/net.c"].decode(), flags=re.DOTALL)


@pytest.mark.fast
def test_training_changes_the_blob_and_nothing_else() -> None:
    first, second = _files(_trained(1)), _files(_trained(2))
    assert first["net.blob"] != second["net.blob"] and len(first["net.blob"]) == len(second["net.blob"])
    assert _code(first) == _code(second)
    manifests = [json.loads(files["manifest.json"]) for files in (first, second)]
    assert manifests[0]["blob"] == manifests[1]["blob"]
    assert network_identity(manifests[0]) == bytes.fromhex(manifests[0]["blob"]["identity"])
    assert {k: v for k, v in first.items() if k.startswith("include/ek")} == {
        k: v for k, v in second.items() if k.startswith("include/ek")
    }


@pytest.mark.fast
def test_names_are_no_part_of_the_identity_and_shapes_are() -> None:
    def identity(graph: Graph) -> str:
        return str(json.loads(_files(graph)["manifest.json"])["blob"]["identity"])

    assert identity(_trained(1)) == identity(_trained(1, renamed="other_"))
    assert identity(_trained(1)) != identity(_trained(1, filters=5))


def test_a_new_blob_runs_in_older_code(tmp_path: Path) -> None:
    """And gives what its own network gives; NULL, a wrong place and a refused blob do not run."""
    old, new = _trained(1), _trained(2)
    write_folder(_files(old), tmp_path / "out")
    program = host.build(tmp_path / "out")
    x = np.random.default_rng(3).integers(-128, 128, (4, 6, 5, 3)).astype(np.int8)
    for graph in (old, new, old):
        program.blob[:] = np.frombuffer(_files(graph)["net.blob"], np.uint8)
        assert _open(program, program.blob.ctypes.data) == 0
        assert host.run(program, x.tobytes()) == reference.outputs(graph, [x])[0].tobytes()
    assert _open(program, 0) == blob.STATUSES.index("NULL")
    assert _open(program, program.blob.ctypes.data + 4) == blob.STATUSES.index("ALIGNMENT")
    with pytest.raises(edgekc.errors.EdgekcError, match="status 1"):  # what refused blobs leave is not run
        host.run(program, x.tobytes())


def _open(program: host.HostProgram, address: int) -> int:
    return int(program.library.ekc_host_open(ctypes.c_void_p(address), ctypes.c_uint64(program.blob.size)))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"check": True}, "--check does not go with --blob"),
        ({"check_run": True}, "--check-run does not go with --blob"),
        ({"embed": "array"}, "--embed does not go with --blob"),
        ({"packages": ["wasm"]}, "--package does not go with --blob"),
    ],
)
def test_what_does_not_go_together_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edgekc.compile(ROOT / DIGITS, name="digits", blob=True, **options)


@pytest.mark.fast
def test_a_blob_for_older_code_fits_or_says_why_not(tmp_path: Path) -> None:
    write_folder(_files(_trained(1)), tmp_path / "old")
    older = json.loads((tmp_path / "old" / "manifest.json").read_text())
    new = json.loads(_files(_trained(2))["manifest.json"])
    blob.check_fits(new, older, "new.ekc", "old")
    for change, said in (
        ({"layers": new["layers"][:-1]}, "layers, not"),
        ({"layers": [{**new["layers"][0], "kernel": "ek_x"}, *new["layers"][1:]]}, "layer 0, conv2d_0, is ek_x of"),
        ({}, "kernels' sources differ"),
    ):
        other = {**new, **change, "blob": {**new["blob"], "identity": "00" * 16}}
        with pytest.raises(UsageError, match=f"new.ekc: its blob is none for the code in old: .*{said}"):
            blob.check_fits(other, older, "new.ekc", "old")
    other = json.loads(_files(_trained(1, filters=5))["manifest.json"])
    with pytest.raises(UsageError, match=r"layer 0, conv2d_0, is ek_conv2d\w+ of \[1, 6, 5, 5\], not"):
        blob.check_fits(other, older, "new.ekc", "old")


def test_the_command_compiles_for_older_code(tmp_path: Path) -> None:
    edgekc.compile(ROOT / DIGITS, name="digits", blob=True).save(tmp_path / "old")
    again = edgekc.compile(ROOT / DIGITS, name="digits", blob_for=tmp_path / "old")
    assert again.files["digits.blob"] == (tmp_path / "old" / "digits.blob").read_bytes()
    with pytest.raises(UsageError, match="its blob is none for the code"):
        edgekc.compile(ROOT / DIGITS, name="digits", blob_for=tmp_path / "old", board="mps3-an547")
    edgekc.compile(ROOT / DIGITS, name="digits").save(tmp_path / "plain")
    with pytest.raises(UsageError, match="was compiled without --blob"):
        edgekc.compile(ROOT / DIGITS, name="digits", blob_for=tmp_path / "plain")


@pytest.mark.fast
def test_a_damaged_manifest_is_said() -> None:
    manifest = json.loads(blob_nets.files()["manifest.json"])
    with pytest.raises(UsageError, match="without --blob"):
        blob.layout_of({"name": "net"})
    for change in ({"identity": "12"}, {"bytes": 16}, {"sections": []}, {"rules": [[0, "INT8", 0, 10**9, 0, 0, 0]]},
                   {"rules": [[0, "no", 0, 1, 0, 0, 0]]}, {"rules": [["0"]]}):  # fmt: skip
        with pytest.raises(UsageError, match="damaged"):
            blob.layout_of({**manifest, "blob": {**manifest["blob"], **change}}, "manifest.json")


@pytest.mark.fast
def test_a_damaged_blob_of_a_folder_is_said(tmp_path: Path) -> None:
    program = edgekc.compile(ROOT / DIGITS, name="digits", blob=True)
    folder = program.save(tmp_path / "out")
    data = bytearray((folder / "digits.blob").read_bytes())
    data[-40] ^= 1
    (folder / "digits.blob").write_bytes(data)
    with pytest.raises(blob.BlobError, match=r"digits\.blob: a section is damaged"):
        blob.read_blob(folder, program.manifest)
    (folder / "digits.blob").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        blob.read_blob(folder, program.manifest)
    assert zlib.crc32(bytes(data)) != zlib.crc32(program.files["digits.blob"])
