"""`edgekc inspect`: the JSON's keys are a contract, the tables show the same."""

from __future__ import annotations

import json
from pathlib import Path

import graphs
import pytest
import typer
from typer.testing import CliRunner

from edgekc.cli.inspect import inspect
from edgekc.errors import FormatError
from edgekc.format.inspect import report
from edgekc.format.pack import pack

APP = typer.Typer()
APP.command()(inspect)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.ekc"
    path.write_bytes(pack(graphs.tiny()))
    return path


def test_json(file: Path) -> None:
    result = CliRunner().invoke(APP, [str(file), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert list(found) == [
        *("schema", "format", "name", "file_bytes", "constant_bytes", "overhead_bytes", "macs"),
        *("sections", "inputs", "outputs", "layers", "metadata"),
    ]
    assert (found["schema"], found["format"], found["name"]) == (1, "1.0", "net")
    assert found["file_bytes"] == file.stat().st_size == found["constant_bytes"] + found["overhead_bytes"]
    assert [s["kind"] for s in found["sections"]] == ["weights", "bias", "requant", "graph", "metadata"]
    assert found["inputs"] == [
        {"name": "input", "dtype": "int8", "shape": [1, 4, 5, 3], "scale": 0.5, "zero_point": -1}
    ]
    assert found["metadata"] == graphs.METADATA
    conv = found["layers"][0]
    assert (conv["name"], conv["op"], conv["macs"]) == ("conv", "conv2d", 4 * 5 * 4 * 27)
    assert [c["role"] for c in conv["constants"]] == ["weights", "bias", "requant", "requant"]
    assert conv["constant_bytes"] == 4 * 27 + 16 + 16 + 4
    assert sum(layer["constant_bytes"] for layer in found["layers"]) == found["constant_bytes"]


def test_tables(file: Path) -> None:
    result = CliRunner(env={"COLUMNS": "140"}).invoke(APP, [str(file)])
    assert result.exit_code == 0
    for word in ("net", "weights", "depthwise", "1x4x5x3", "source_sha256", "zero point"):
        assert word in result.stdout


@pytest.mark.usefixtures("holder_op")
def test_compressed_constants_say_their_bits() -> None:
    (layer,) = report(pack(graphs.compressed()), "x")["layers"]
    assert [c.get("bits") for c in layer["constants"]] == [None, None, 3, None, None]
    assert [c["bytes"] for c in layer["constants"]] == [54, 36, 14, 140, 24]


def test_damaged(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])
    assert isinstance(CliRunner().invoke(APP, [str(file)]).exception, FormatError)
