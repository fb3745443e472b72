"""Hostile .pt2 files: whatever is put where torch would run it, nothing is run; the file is refused or loaded clean."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekc.errors import EdgekcError

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
from edgekc.importers.torch.importer import import_torch  # noqa: E402 - needs torch

pytestmark = pytest.mark.filterwarnings("ignore")
Members = dict[str, bytes]
PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """The members of a sound file, without the folder that they lie in."""
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"

    class Net(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x)

    dims = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(Net(3, 2).eval(), (torch.zeros(2, 3),), dynamic_shapes=dims)
    torch.export.save(program, path)
    with zipfile.ZipFile(path) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.mkdir, (str(self.marker),)


def saved(payload: object, path: Path) -> bytes:
    torch.save(payload, path)
    return path.read_bytes()


def program(members: Members, change: Callable[[dict[str, Any]], None]) -> Members:
    found = json.loads(members[PROGRAM])
    change(found)
    return members | {PROGRAM: json.dumps(found).encode()}


def node(found: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = found["graph_module"]["graph"]["nodes"][0]
    return first


def hostile(how: str, members: Members, marker: Path) -> Members:
    """The members with code in them that makes `marker`."""
    source = f"__import__('os').mkdir({str(marker)!r})"
    pickled = saved(Payload(marker), marker.parent / "payload")

    def edit(found: dict[str, Any]) -> None:
        graph, first = found["graph_module"]["graph"], node(found)
        if how == "evaluated size":
            graph["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = source
        if how == "operator":
            first["target"] = "torch.serialization.os.mkdir"
            first["inputs"] = [{"name": "", "arg": {"as_string": str(marker)}, "kind": 1}]
        if how == "file operator":
            first["target"] = "torch.ops.aten.from_file.default"
            first["inputs"] = [{"name": "filename", "arg": {"as_string": str(marker)}, "kind": 1},
                               {"name": "shared", "arg": {"as_bool": True}, "kind": 1},
                               {"name": "size", "arg": {"as_int": 8}, "kind": 1}]  # fmt: skip
        if how == "name of an input":
            text = json.dumps(found).replace('"name": "x"', json.dumps({"name": f"x, y={source}"})[1:-1])
            found.clear()
            found.update(json.loads(text.replace('"x": {"dtype"', json.dumps(f"x, y={source}") + ': {"dtype"')))
        if how == "name of a parameter":
            spec = found["graph_module"]["signature"]["input_specs"][0]["parameter"]
            spec["parameter_name"] = f'weight", {source}, "'
        if how == "container":
            entry = found["graph_module"]["module_call_graph"][0]["signature"]
            context = json.dumps([{"__enum__": True, "fqn": "antigravity:x", "name": "x"}])
            entry["in_spec"] = entry["in_spec"].replace(json.dumps("[]"), json.dumps(context))
            assert "antigravity" in entry["in_spec"]
        if how == "guard":
            found["guards_code"] = [source]

    if how == "sample inputs":
        return members | {"data/sample_inputs/model.pt": pickled}
    if how == "legacy weights":
        return members | {"data/weights/model.pt": pickled}
    if how == "pickled weight":
        config = json.loads(members[WEIGHTS])
        record = config["config"]["weight"]
        record["use_pickle"] = True
        return members | {WEIGHTS: json.dumps(config).encode(), f"data/weights/{record['path_name']}": pickled}
    if how == "opaque object":
        record = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        config = {"config": {"x": record}}
        object_ = pickle.dumps(Payload(marker))
        return members | {CONSTANTS: json.dumps(config).encode(), "data/constants/opaque_obj_0": object_}
    if how == "similar names":
        return members | {"data/Sample_inputs/model.pt": pickled}
    return program(members, edit)


LOADED = ("sample inputs", "guard")  # what is left out; everything else is refused
HOW = (*LOADED, "evaluated size", "operator", "file operator", "name of an input", "name of a parameter", "container",
       "legacy weights", "pickled weight", "opaque object", "similar names")  # fmt: skip


def write(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"net/{name}", data)
    return path


@pytest.mark.parametrize("how", HOW)
def test_nothing_is_run(how: str, sound: Members, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = write(tmp_path / "net.pt2", hostile(how, sound, marker))
    assert path.read_bytes() != write(tmp_path / "sound.pt2", sound).read_bytes()
    if how in LOADED:
        assert len(import_torch(path, "net").nodes) == 1
    else:
        with pytest.raises(EdgekcError) as caught:
            import_torch(path, "net")
        assert "\n" not in str(caught.value)
    assert not marker.exists()


def test_a_second_entry_of_one_name(sound: Members, tmp_path: Path) -> None:
    """Python's zipfile reads the last of two entries with one name, torch the first, or any with another case."""
    path = write(tmp_path / "net.pt2", sound)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("net/data/sample_inputs/model.pt", saved(Payload(tmp_path / "marker"), tmp_path / "payload"))
    with pytest.raises(EdgekcError, match="which some readers mix up"):
        import_torch(path, "net")
    assert not (tmp_path / "marker").exists()


def test_sizes_that_the_data_does_not_hold(sound: Members, tmp_path: Path) -> None:
    for sizes, strides, expected in (
        ([1 << 40, 3], [3, 1], "need .* bytes, its data has 24"),
        ([1 << 40, 3], [0, 1], "weights of .* bytes more than the file holds"),
        ([-1, 3], [3, 1], "its sizes or strides are"),
    ):
        config = json.loads(sound[WEIGHTS])
        meta = config["config"]["weight"]["tensor_meta"]
        meta["sizes"], meta["strides"] = [{"as_int": n} for n in sizes], [{"as_int": n} for n in strides]
        path = write(tmp_path / "net.pt2", sound | {WEIGHTS: json.dumps(config).encode()})
        with pytest.raises(EdgekcError, match=expected):
            import_torch(path, "net")


def test_constants_of_any_size(tmp_path: Path) -> None:
    class Fill(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x + torch.ones(1 << 15, 1 << 15).sum()

    with pytest.raises(EdgekcError, match=r"computing its constants takes 4,294,967,296 bytes"):
        import_torch(Fill(), "net", (torch.zeros(1, 3),))
