"""What a user wrote is never overwritten in silence: every command, every path that it writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from unit.cli_command import MODEL, call, complaint, snapshot

import edgekc.compression.walk
import edgekc.console.session
import edgekc.firmware.build
import edgekc.measure.stack
from edgekc.boards.board import load_board
from edgekc.errors import UsageError
from edgekc.files.output import build_folder, check_writable, write_file
from edgekc.firmware.folder import build_firmware

LISTING = {"tool": "edgekc test", "board": "b"}
EDITS = ["src/digits.c", "include/digits.h", "CMakeLists.txt", "digits.ekc", "manifest.json"]


def compiled(folder: Path) -> Path:
    assert call("compile", MODEL, "-o", folder, "--name", "digits").code == 0
    return folder


def built(target: Path, *, force: bool = False, **files: str) -> None:
    with build_folder(target, LISTING, force=force) as new:
        for name, text in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_text(text)


# ---- folders ----


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_named_and_kept(tmp_path: Path, edit: str) -> None:
    out = compiled(tmp_path / "out")
    clean = snapshot(tmp_path)
    path = out / edit
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n ", 1))
    before = snapshot(tmp_path)
    said = complaint(call("compile", MODEL, "-o", out, "--name", "digits"))
    assert f"{edit} changed since edgekc wrote it" in said
    assert "--force" in said
    assert snapshot(tmp_path) == before
    assert call("compile", MODEL, "-o", out, "--name", "digits", "--force").code == 0
    assert snapshot(tmp_path) == clean


def test_several_are_named(tmp_path: Path) -> None:
    out = compiled(tmp_path / "out")
    paths = sorted((out / "src").glob("ek_*.c"))
    for path in paths:
        path.write_text("mine")
    said = complaint(call("compile", MODEL, "-o", out))
    assert all(f"src/{path.name}" in said for path in paths[:5])
    assert f"and {len(paths) - 5} more changed since edgekc wrote them" in said


def test_a_deleted_file_is_nobodys_loss(tmp_path: Path) -> None:
    out = compiled(tmp_path / "out")
    (out / "src" / "digits.c").unlink()
    compiled(out)


@pytest.mark.parametrize("where", ["src/mine.c", "mine", "build/notes.txt"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_files_of_others_stay_even_with_force(tmp_path: Path, where: str, force: tuple[str, ...]) -> None:
    out = compiled(tmp_path / "out")
    (out / where).parent.mkdir(exist_ok=True)
    (out / where).write_text("hours of work")
    before = snapshot(tmp_path)
    assert f"has other files in it, {where}" in complaint(call("compile", MODEL, "-o", out, *force))
    assert snapshot(tmp_path) == before


def test_links_are_files_of_others(tmp_path: Path) -> None:
    out = compiled(tmp_path / "out")
    (tmp_path / "work").mkdir()
    (out / "work").symlink_to(tmp_path / "work")
    assert "has other files in it, work" in complaint(call("compile", MODEL, "-o", out))
    (out / "work").unlink()
    shutil.copy(out / "src" / "digits.c", tmp_path / "digits.c")
    (out / "src" / "digits.c").unlink()
    (out / "src" / "digits.c").symlink_to(tmp_path / "digits.c")
    assert "src/digits.c changed" in complaint(call("compile", MODEL, "-o", out))


def test_the_demo_asks_too(tmp_path: Path) -> None:
    out = compiled(tmp_path / "out")
    (out / "src" / "digits.c").write_text("mine")
    assert "src/digits.c changed" in complaint(call("demo", "-o", out))
    assert (out / "src" / "digits.c").read_text() == "mine"


# ---- builds ----


def test_a_build_is_whole_and_lists_itself(tmp_path: Path) -> None:
    built(tmp_path / "b", a="1", b="2")
    listing = json.loads((tmp_path / "b" / "firmware.json").read_text())
    assert sorted(listing["files"]) == ["a", "b"]
    built(tmp_path / "b", c="3")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["c", "firmware.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_an_edited_file_of_a_build_is_named_and_kept(tmp_path: Path) -> None:
    built(tmp_path / "b", script="theirs")
    (tmp_path / "b" / "script").write_text("mine")
    with pytest.raises(UsageError, match=r"script changed since edgekc wrote it.*edgekc build --force"):
        built(tmp_path / "b", script="new")
    assert (tmp_path / "b" / "script").read_text() == "mine"
    built(tmp_path / "b", script="new", force=True)
    assert (tmp_path / "b" / "script").read_text() == "new"


def test_files_beside_a_build_are_taken_along(tmp_path: Path) -> None:
    built(tmp_path / "b", image="1")
    (tmp_path / "b" / "deep").mkdir()
    (tmp_path / "b" / "deep" / "notes.txt").write_text("mine")
    (tmp_path / "b" / "link").symlink_to("deep")
    built(tmp_path / "b", image="2")
    assert (tmp_path / "b" / "image").read_text() == "2"
    assert (tmp_path / "b" / "link" / "notes.txt").read_text() == "mine"
    assert sorted(json.loads((tmp_path / "b" / "firmware.json").read_text())["files"]) == ["image"]
    with pytest.raises(UsageError, match=r"notes\.txt: edgekc has to write a file of this name"):
        built(tmp_path / "b", **{"deep/notes.txt": "theirs"})
    assert (tmp_path / "b" / "deep" / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_no_build_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "startup.c").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=r"has other files in it, startup\.c"):
        built(tmp_path, image="1")
    assert snapshot(tmp_path) == before


def test_a_build_that_fails_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = compiled(tmp_path / "out")
    built(out / "build" / "mps2-an386", image="1")
    before = snapshot(tmp_path)

    def failing(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(edgekc.firmware.build, "_compile", failing)
    try:
        build_firmware(out, load_board("mps2-an386"))
    except KeyboardInterrupt:
        assert snapshot(tmp_path) == before
    except Exception as error:
        if "no compiler" in str(error):
            pytest.skip("no compiler for Arm")
        raise


# ---- files ----


@pytest.mark.parametrize("text", [b"mine", b"EKC", b"PK\x03\x04"])
def test_compress_overwrites_nothing_but_an_ekc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("hours of work are begun for nothing")

    monkeypatch.setattr(edgekc.compression.walk, "run", never)
    (tmp_path / "x.ekc").write_bytes(text)
    said = complaint(call("compress", MODEL, "-o", tmp_path / "x.ekc"))
    assert "x.ekc: exists, and edgekc did not write it" in said
    assert (tmp_path / "x.ekc").read_bytes() == text


def test_compress_overwrites_an_ekc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = compiled(tmp_path / "out")
    new = (out / "digits.ekc").read_bytes()
    shown = SimpleNamespace(as_json=dict)
    monkeypatch.setattr(edgekc.compression.walk, "run", lambda *_, **__: (new, shown))
    for earlier in (b"", new[:4] + b"older"):
        (tmp_path / "x.ekc").write_bytes(earlier)
        assert call("compress", MODEL, "-o", tmp_path / "x.ekc", "--json").code == 0
        assert (tmp_path / "x.ekc").read_bytes() == new
    (tmp_path / "link.ekc").symlink_to("x.ekc")
    assert call("compress", MODEL, "-o", tmp_path / "link.ekc", "--json").code == 0
    assert (tmp_path / "link.ekc").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.ekc", "out", "x.ekc"]


def test_run_asks_before_the_board_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the board is asked for nothing")

    monkeypatch.setattr(edgekc.console.session, "on_board", never)
    out = compiled(tmp_path / "out")
    (tmp_path / "outputs").write_bytes(b"mine")
    said = complaint(call("run", out, "-o", tmp_path / "outputs"))
    assert "outputs: exists" in said and "--force" in said
    assert (tmp_path / "outputs").read_bytes() == b"mine"


@pytest.mark.parametrize("path", ["/dev/null", "/dev/full"])
def test_a_device_is_not_replaced_by_a_file(path: str) -> None:
    if not Path(path).is_char_device():
        pytest.skip(f"no {path} here")
    for force in (False, True):
        with pytest.raises(UsageError, match="is not a file that could be replaced"):
            check_writable(Path(path), force=force)
    with pytest.raises(UsageError):
        write_file(Path(path), b"x")
    assert Path(path).is_char_device()


def test_a_files_permissions_stay(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "x").chmod(0o600)
    write_file(tmp_path / "x", b"2")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_dumps_overwrite_dumps_alone(tmp_path: Path) -> None:
    arguments = ("compile", MODEL, "-o", tmp_path / "out", "--keep", tmp_path / "keep")
    for _ in range(2):
        assert call(*arguments).code == 0
    (tmp_path / "keep" / "todo.txt").write_text("mine")
    plan = tmp_path / "keep" / "50-plan.txt"
    dumped = plan.read_text()
    plan.write_text(dumped + "a remark of mine\n")
    before = snapshot(tmp_path)
    assert "50-plan.txt: is not a dump as edgekc wrote it" in complaint(call(*arguments))
    assert snapshot(tmp_path) == before
    assert call(*arguments, "--force").code == 0
    assert plan.read_text() == dumped
    assert (tmp_path / "keep" / "todo.txt").read_text() == "mine"
