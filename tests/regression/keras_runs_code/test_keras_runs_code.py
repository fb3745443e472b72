"""Keras files with code, links or bombs are refused before Keras reads them."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.errors import EdgekcError, ModelError
from edgekc.importers.keras.file import check_keras
from edgekc.importers.keras.hdf5 import check_h5

LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}
DENSE = {"module": "keras.layers", "class_name": "Dense", "registered_name": None, "config": {"units": 2}}


def network(*layers: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}, "registered_name": None}


CASES = {
    "lambda": (network(LAMBDA), "'Lambda' holds code, which is not run"),
    "function": (network({**DENSE, "config": {"activation": {"class_name": "function"}}}), "holds code"),
    "module": (network({**DENSE, "module": "os"}), "a class of module 'os'"),
    "builtins": (network({**DENSE, "module": "builtins"}), "a class of module 'builtins'"),
    "custom": (network({**DENSE, "registered_name": "own>Dense"}), "the custom class 'own>Dense'"),
    "unknown": (network({**DENSE, "class_name": "Exec"}), "'Exec' is not supported"),
    "no name": (network({**DENSE, "class_name": ["Dense"]}), "is not supported"),
}


def archive(path: Path, config: Any, weights: bytes = b"", **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("config.json", json.dumps(config))
        made.writestr("metadata.json", "{}")
        made.writestr("model.weights.h5", weights)
        for name, data in more.items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize("name", CASES)
def test_code(name: str, tmp_path: Path) -> None:
    config, expected = CASES[name]
    with pytest.raises(EdgekcError, match=expected):
        check_keras(archive(tmp_path / "net.keras", config))


def test_other_members(tmp_path: Path) -> None:
    with pytest.raises(EdgekcError, match=r"holds 'assets'; supported: config\.json"):
        check_keras(archive(tmp_path / "net.keras", network(DENSE), assets=b""))


def test_data(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="Keras files need h5py, which comes with tensorflow")

    def h5(change: Any) -> bytes:
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file["w"] = np.zeros(4)
            file.attrs["model_config"] = json.dumps(network(LAMBDA if change == "code" else DENSE))
            if change == "link":
                file["x"] = h5py.ExternalLink("other.h5", "/x")
            if change == "external":
                file.create_dataset("x", (4,), external=[("other.bin", 0, 32)])
            if change == "bomb":
                file.create_dataset("x", (1 << 30,), "f8", chunks=(1 << 16,), compression="gzip")
        return buffer.getvalue()

    for change, expected in (
        ("code", "'Lambda' holds code"), ("link", "'x' is a link out of its group"),
        ("external", "'x' lies in another file"), ("bomb", "unpack to arrays of 8,589,934,624"), (None, None),
    ):  # fmt: skip
        path = tmp_path / "net.h5"
        path.write_bytes(h5(change))
        packed = archive(tmp_path / "net.keras", network(DENSE), h5(change))
        for file in (path, packed) if change != "code" else (path,):
            if expected is None:
                check_keras(file)
                continue
            with pytest.raises(EdgekcError, match=expected):
                check_keras(file)
    path.write_bytes(b"no hdf5")
    with pytest.raises(EdgekcError, match="cannot be read"):
        check_keras(path)


def test_bytes_that_are_no_hdf5() -> None:
    """The process that reads them says so; without h5py it says that, and nobody's file is blamed."""
    has_h5py = importlib.util.find_spec("h5py") is not None
    with pytest.raises(ModelError if has_h5py else RuntimeError, match="cannot be read" if has_h5py else "h5py"):
        check_h5(b"not an HDF5 file", "net.h5")


def test_no_module_comes_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("h5py", "json", "edgekc"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ModelError, RuntimeError)):
        check_h5(b"not an HDF5 file", "net.h5")
    assert not (tmp_path / "ran").exists()
