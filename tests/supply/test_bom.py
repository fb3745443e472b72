"""Bills of materials: of generated folders and of the wheel, against the schema of CycloneDX and against the files."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import edgekc
from edgekc.assets import DEMO, runtime_file
from edgekc.packages import PACKAGES, wasm_package
from edgekc.packages.bom import FILE, document, other

ROOT = Path(__file__).resolve().parents[2]
MODEL = DEMO / "digits_int8.tflite"
WASM = b"\0asm"


def valid(data: bytes) -> None:
    """Skips where the schema is not there."""
    schema = pytest.importorskip("cyclonedx.schema", reason="the schema is in cyclonedx-python-lib")
    validation = pytest.importorskip("cyclonedx.validation.json")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    try:
        error = validator.validate_str(data.decode())
    except Exception as missing:  # MissingOptionalDependencyException is not of every version
        pytest.skip(f"cyclonedx-python-lib[json-validation] is not whole: {missing}")
    assert error is None, str(error)[:2000]


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wasm_package, "module", lambda net: WASM)  # zig takes seconds
        program = edgekc.compile(MODEL, board="rpi-pico", name="digits", sbom=True, packages=list(PACKAGES))
    return dict(program.files)


def bills(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Folder to its bill."""
    return {path.removesuffix(FILE): json.loads(data) for path, data in files.items() if path.endswith(f"/{FILE}")} | {
        "": json.loads(files[FILE])
    }


@pytest.mark.fast
def test_each_folder_has_a_bill_of_all_its_files(files: dict[str, bytes]) -> None:
    found = bills(files)
    assert found.keys() == {"", *(f"packages/{kind}/digits/" for kind in PACKAGES)}
    for folder, bill in found.items():
        here = {path.removeprefix(folder): data for path, data in files.items() if path.startswith(folder)}
        here = {p: d for p, d in here.items() if p not in (FILE, "manifest.json") and not p.startswith("packages/")}
        parts = [part for part in bill["components"] if part["type"] == "file"]
        inside = [part for part in parts if {"name": "edgekc:inside", "value": "as machine code"} in part["properties"]]
        stated = {part["name"]: part["hashes"] for part in parts if part not in inside}
        assert stated == {
            path: [{"alg": "SHA-256", "content": hashlib.sha256(data).hexdigest()}] for path, data in here.items()
        }
        assert bool(inside) == ("wasm" in folder)
        for part in parts:
            (kind,) = (p["value"] for p in part["properties"] if p["name"] == "edgekc:part")
            copy = runtime_file(Path(part["name"]).name).is_file()
            assert (kind == "runtime") == copy
            (terms,) = part["licenses"]
            assert ("id" in terms["license"]) == (kind != "network")
    assert {"digits.ekc", "src/digits_data.c"} == {
        part["name"] for part in found[""]["components"] if {"name": "edgekc:part", "value": "network"} in
        part.get("properties", [])
    }  # fmt: skip


@pytest.mark.fast
def test_the_source_and_parts_of_others_are_named(files: dict[str, bytes]) -> None:
    found = bills(files)
    digest = hashlib.sha256(MODEL.read_bytes()).hexdigest()
    for bill in found.values():
        (source,) = (part for part in bill["components"] if part["type"] == "machine-learning-model")
        assert source["name"] == MODEL.name
        assert source["hashes"] == [{"alg": "SHA-256", "content": digest}]
        (tool,) = bill["metadata"]["tools"]["components"]
        assert tool["purl"] == f"pkg:pypi/edgekc@{edgekc.__version__}"
    theirs = {
        folder: [part["name"] for part in bill["components"] if part["type"] == "library"]
        for folder, bill in found.items()
    }
    assert {folder: names for folder, names in theirs.items() if names} == {
        "packages/rust/digits/": ["cc"],
        "packages/wasm/digits/": ["compiler-rt of Zig"],
    }


@pytest.mark.fast
def test_the_schema_of_cyclonedx_takes_them(files: dict[str, bytes]) -> None:
    for path, data in files.items():
        if path.endswith(FILE):
            valid(data)


@pytest.mark.fast
def test_archives_hold_the_bill(files: dict[str, bytes]) -> None:
    for path, kind in (("digits-0.1.0.zip", "arduino"), ("edgekc.digits.0.1.0.pack", "cmsis-pack")):
        with zipfile.ZipFile(io.BytesIO(files[f"packages/{kind}/{path}"])) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(FILE))
            assert archive.read(name) == files[f"packages/{kind}/digits/{FILE}"]


@pytest.mark.fast
def test_the_manifest_lists_it_and_nobody_gets_one_unasked(files: dict[str, bytes]) -> None:
    listed = json.loads(files["manifest.json"])["files"]
    assert listed[FILE] == hashlib.sha256(files[FILE]).hexdigest()
    plain = edgekc.compile(MODEL, board="rpi-pico", name="digits")
    assert FILE not in plain.files
    alone = edgekc.compile(MODEL, board="rpi-pico", name="digits", sbom=True)
    assert alone.files.keys() == {*plain.files, FILE}
    assert alone.files[FILE] == files[FILE]
    assert "packages" not in alone.manifest


@pytest.mark.fast
def test_a_serial_number_is_of_the_content() -> None:
    about = {"type": "library", "bom-ref": "a", "name": "a"}
    first, again = (json.loads(document(about, [other("b", "MIT")])) for _ in range(2))
    changed = json.loads(document(about, [other("c", "MIT OR Apache-2.0")]))
    assert first == again
    assert first["serialNumber"] != changed["serialNumber"]
    assert first["serialNumber"][23] == "8"  # urn:uuid:xxxxxxxx-xxxx-8
    valid(document(about, [other("c", "MIT OR Apache-2.0")]))
