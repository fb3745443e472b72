"""The same tree gives the same bytes: on another day, in another folder, for another user, in another language."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a shell gives a program that could end in a file: of each the two runs have another one.
ONE = {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1", "USER": "ada", "LOGNAME": "ada", "COLUMNS": "80"}
OTHER = {"LC_ALL": "C.UTF-8", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "2", "USER": "b c", "LOGNAME": "b c"}
# The clock of the second run: Python imports this file from PYTHONPATH when it starts.
LATER = "import time\nnow = time.time\ntime.time = lambda: now() + 12345678.9\n"


def tracked() -> list[str]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: cannot tell the project's files from leftovers")
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def copy_tree(names: list[str], target: Path, mask: int, time_s: int) -> None:
    """The tree in another folder, as another user's umask and clock would have written it."""
    for name in names:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, path)
        path.chmod(0o666 & ~mask)
        os.utime(path, (time_s, time_s))


def as_another_user() -> list[str]:
    """A command before a command: its process has another user's number. Empty where the kernel does not allow it."""
    command = ["unshare", "--user", "--map-user=4321"]
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run([*command, sys.executable, "-c", "import numpy"], capture_output=True, check=False)
    return command if done.returncode == 0 else []


def started(
    tree: Path, work: Path, inputs: tuple[Path, Path], variables: dict[str, str], mask: int, before: list[str]
) -> subprocess.Popen[str]:
    """`make_everything.py` of a tree, with a home and a cache of its own."""
    kept = ("PATH", "LD_LIBRARY_PATH")
    environment = {key: os.environ[key] for key in kept if key in os.environ}
    environment |= {"HOME": str(work / "home"), "XDG_CACHE_HOME": str(work / "cache"), "TMPDIR": str(work / "tmp")}
    for folder in ("home", "cache", "tmp", "clock"):
        (work / folder).mkdir(parents=True)
    if variables is OTHER:
        (work / "clock" / "sitecustomize.py").write_text(LATER)
    path = os.pathsep.join([str(tree), str(work / "clock")])
    environment |= {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
    command = [*before, sys.executable, "tests/supply/make_everything.py", str(work / "out"), *map(str, inputs)]
    return subprocess.Popen(
        command, cwd=tree, env=environment, umask=mask, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def float_model(folder: Path) -> tuple[Path, Path]:
    """A small float network as ONNX, and samples for it."""
    onnx = pytest.importorskip("onnx", reason="the float model of this test is ONNX")
    rng, helper = np.random.default_rng(5), onnx.helper
    constants = {"w": rng.normal(0, 0.4, (8, 1, 3, 3)), "v": rng.normal(0, 0.4, (6, 8, 3, 3))}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("Conv", ["b", "v"], ["y"], name="second"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 6, 6, 6])],
        [onnx.numpy_helper.from_array(np.float32(v), name) for name, v in constants.items()],
    )
    model, data = folder / "net.onnx", folder / "data.npz"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(model))
    np.savez(data, x=rng.normal(0, 1, (64, 1, 8, 8)).astype(np.float32))
    return model, data


@pytest.mark.slow
def test_two_machines_make_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the recipe of this test clusters")
    for tool in ("arm-none-eabi-gcc", "unshare"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    inputs = float_model(tmp_path)
    names, before = tracked(), as_another_user()
    one, other = tmp_path / "one", tmp_path / "another folder" / "with a längere name"
    copy_tree(names, one / "tree", 0o022, 1_000_000_000)
    copy_tree(names[::-1], other / "tree", 0o077, 1_700_000_001)
    runs = [
        started(one / "tree", one / "work", inputs, ONE, 0o022, []),
        started(other / "tree", other / "work", inputs, OTHER, 0o077, before),
    ]
    for run in runs:
        text, _ = run.communicate(timeout=300)
        assert run.returncode == 0, text[-4000:]
    first, second = hashes(one / "work" / "out"), hashes(other / "work" / "out")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    (wheel,) = (one / "work" / "out" / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (bill,) = (name for name in archive.namelist() if ".dist-info/sboms/" in name)
        assert archive.read(bill) == (ROOT / ".ci" / "edgekc.cdx.json").read_bytes()
    kinds = {Path(name).suffix for name in first}
    assert {".ekc", ".c", ".h", ".elf", ".o", ".map", ".zip", ".pack", ".wasm", ".whl", ".gz", ".json"} <= kinds


# ---- the archives by themselves ----


@pytest.fixture(scope="module")
def backend() -> ModuleType:
    pytest.importorskip("setuptools", reason="the build backend needs setuptools")
    spec = importlib.util.spec_from_file_location("backend", ROOT / ".ci" / "backend.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = {"pkg/b.py": b"b = 1\n", "pkg/a.py": b"", "pkg.dist-info/RECORD": b"r", "pkg.dist-info/METADATA": b"m"}


@pytest.mark.fast
def test_a_wheel_forgets_time_mode_and_order(backend: ModuleType) -> None:
    archives = []
    for names, year, mode in ((list(FILES), 2001, 0o600), (sorted(FILES), 2020, 0o755)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                info = zipfile.ZipInfo(name, (year, 2, 3, 4, 5, 6))
                info.external_attr = mode << 16
                archive.writestr(info, FILES[name])
        archives.append(out.getvalue())
    assert archives[0] != archives[1]
    made = [backend.plain_zip(data, {"sboms/x.json": b"{}"}) for data in archives]
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        below = [f"pkg.dist-info/{name}" for name in ("METADATA", "sboms/x.json", "RECORD")]
        assert archive.namelist() == ["pkg/a.py", "pkg/b.py", *below]
        found = {name: archive.read(name) for name in archive.namelist()}
    digest = (
        "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"  # printf {} | openssl dgst -sha256 -binary | basenc --base64url
    )
    assert found["pkg.dist-info/RECORD"] == f"pkg.dist-info/sboms/x.json,sha256={digest},2\nr".encode()
    assert found == {**FILES, below[1]: b"{}", below[2]: found[below[2]]}


@pytest.mark.fast
def test_a_source_archive_forgets_time_mode_owner_and_order(backend: ModuleType) -> None:
    archives = []
    for names, time_s, owner in ((list(FILES), 5, "ada"), (sorted(FILES), 10**9, "bob")):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size, info.mtime, info.uname, info.mode = len(FILES[name]), time_s, owner, 0o600 + time_s % 2
                archive.addfile(info, io.BytesIO(FILES[name]))
        archives.append(gzip.compress(tar.getvalue(), mtime=time_s))
    assert archives[0] != archives[1]
    made = [backend.plain_tar(data) for data in archives]
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0]), mode="r:gz") as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == sorted(FILES)
        assert {(member.uname, member.uid, member.mode) for member in members} == {("", 0, 0o644)}
        files = {member.name: archive.extractfile(member) for member in members}
        assert {name: file.read() for name, file in files.items() if file} == FILES
