"""An output folder survives a kill at any step of its writing, and runs that write it at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from unit.cli_command import MODEL, call, snapshot

from edgekc.files.output import build_folder, list_files, read_manifest, write_file, write_folder
from edgekc.files.place import recover

KILLED = 9
STEPS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.chmod", "open", "shutil.rmtree")


def output(content: str) -> dict[str, bytes]:
    """Files as `compile` makes them, as far as writing goes."""
    files = {"src/net.c": content.encode(), "include/net.h": b"//"}
    manifest = {
        "tool": "edgekc test", "name": "net", "board": "b", "needs": [], "inputs": [], "outputs": [], "arena_bytes": 0,
        "sections": [], "layers": [],
    }  # fmt: skip
    return {**files, "manifest.json": list_files(manifest, files)}


def in_a_child(action: Callable[[], object], kill_at: int = 0) -> int:
    """The exit code of the action in a process that is killed at its nth step on the file system; 0: at none."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        seen = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event in STEPS and not str(arguments[0]).endswith((".py", ".pyc")):
                seen += 1
                if seen == kill_at:
                    os._exit(KILLED)

        sys.addaudithook(count)
        action()
        code = 0
    finally:
        os._exit(code)


def kills(action: Callable[[], object], prepare: Callable[[], object], check: Callable[[int], object]) -> int:
    """How many steps the action has; after a kill at each of them `check` looks at what is there."""
    for step in range(1, 500):
        prepare()
        code = in_a_child(action, step)
        assert code in (0, KILLED)
        check(step)
        if code == 0:
            return step
    raise AssertionError("it never ends")


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_survives_a_kill_at_any_step(
    tmp_path: Path, existing: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    old, new, later = output("old"), output("new"), output("later")
    missing = 0

    def prepare() -> None:
        if existing:
            write_folder(old, out)
        elif out.exists():
            (out / "manifest.json").unlink()
            for path in sorted(out.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            out.rmdir()

    def check(step: int) -> None:
        nonlocal missing
        was_missing = existing and not out.exists()
        missing += was_missing
        if existing or out.exists():
            read_manifest(out)  # as verify, build and all others do
            assert snapshot(out) in [{**files, "src": b"(not a file)", "include": b"(not a file)"}
                                     for files in ((old, new) if existing else (new,))], step  # fmt: skip
        assert ("it is back as it was" in capfd.readouterr().err) == was_missing
        write_folder(later, out)
        assert [path.name for path in tmp_path.iterdir()] == ["out"], step
        assert (out / "src" / "net.c").read_bytes() == b"later"

    steps = kills(lambda: write_folder(new, out), prepare, check)
    assert steps > 15
    assert missing == existing  # between the two renames, and nowhere else


def test_a_build_survives_a_kill_at_any_step_and_so_does_what_lies_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "out" / "build" / "board"

    def build(content: str) -> None:
        with build_folder(target, {"tool": "edgekc test", "board": "b"}) as new:
            (new / "image").write_text(content)

    def prepare() -> None:
        build("old")
        (target / "notes.txt").write_text("mine")

    def check(step: int) -> None:
        recover(target)
        assert (target / "image").read_text() in ("old", "new"), step
        assert (target / "notes.txt").read_text() == "mine", step
        assert set(json.loads((target / "firmware.json").read_text())["files"]) == {"image"}

    assert kills(lambda: build("new"), prepare, check) > 10
    build("last")
    assert [path.name for path in target.parent.iterdir()] == ["board"]


def test_a_file_survives_a_kill_at_any_step(tmp_path: Path) -> None:
    path = tmp_path / "x.ekc"

    def check(step: int) -> None:
        assert path.read_bytes() in (b"old", b"new"), step

    assert kills(lambda: write_file(path, b"new"), lambda: write_file(path, b"old"), check) > 3
    write_file(path, b"last")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ekc"]


@pytest.mark.parametrize("command", [("inspect", "out/digits.ekc"), ("verify", "out", "--no-device", "--samples", "1"),
                                     ("compile", MODEL, "-o", "out"), ("compile", "out/digits.ekc", "-o", "new"),
                                     ("build", "out"), ("measure", "out", "--max-flash", "1")])  # fmt: skip
def test_each_command_finds_the_folder_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str | Path, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("compile", MODEL, "-o", "out", "--name", "digits").code == 0
    before = snapshot(tmp_path / "out")
    Path(".out.edgekc-killed1").mkdir()
    Path("out").rename(".out.edgekc-killed1/old")
    result = call(*command)
    assert "out: a run that was killed had moved it away; it is back as it was" in result.err
    assert not Path(".out.edgekc-killed1").exists()
    if command[:2] != ("compile", MODEL):
        assert before.items() <= snapshot(tmp_path / "out").items()


def test_a_compile_cleans_up_behind_a_killed_build(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("compile", MODEL, "-o", out).code == 0
    work = out / "build" / ".mps2-an386.edgekc-killed1"
    (work / "new" / "obj").mkdir(parents=True)
    (work / "new" / "obj" / "x.o").write_bytes(b"half")
    assert call("compile", MODEL, "-o", out).code == 0
    assert not (out / "build").exists()


def test_runs_at_once_take_turns(tmp_path: Path) -> None:
    """Each replaces the folder thirty times; what is there in between and at the end is one of theirs, and whole."""
    out = tmp_path / "out"
    outputs = [output(str(i) * 5000) for i in range(4)]
    write_folder(outputs[0], out)

    def replace(files: dict[str, bytes]) -> None:
        for _ in range(30):
            write_folder(files, out)

    children = []
    for files in outputs:
        child = os.fork()
        if not child:
            code = 1
            try:
                replace(files)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, 0]
    found = {path: data for path, data in snapshot(out).items() if data != b"(not a file)"}
    assert found in outputs
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_work_folder_that_goes_while_it_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run ends between the listing and the look, and has removed its work folder."""
    work = tmp_path / ".out.edgekc-another"
    work.mkdir()
    opened = os.open

    def open_late(path: Path, *arguments: int, **options: int) -> int:
        if Path(path) == work:
            work.rmdir()
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_late)
    write_folder(output("x"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_moved_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is synced before the folder is moved, and the folder that it lies in after."""
    log: list[str] = []
    names: dict[int, str] = {}
    real_open, real_sync, real_replace = os.open, os.fsync, os.replace

    def opened(path: Any, *arguments: Any, **options: Any) -> int:
        handle = real_open(path, *arguments, **options)
        names[handle] = Path(path).name
        return handle

    def synced(handle: int) -> None:
        log.append(names[handle])
        real_sync(handle)

    def replaced(source: Any, target: Any) -> None:
        log.append("move")
        real_replace(source, target)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    write_folder(output("x"), tmp_path / "out")
    move = log.index("move")
    assert {"net.c", "net.h", "manifest.json", "src", "include", "new"} <= set(log[:move])
    assert log[move:] == ["move", tmp_path.name]
    log.clear()
    write_file(tmp_path / "x", b"1")
    assert log == ["new", "move", tmp_path.name]
