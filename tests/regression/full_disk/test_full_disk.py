"""A full, read-only or over-quota disk: the file is named, exit code 2, nothing half-written, what was there stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from unit.cli_command import MODEL, call, complaint, real, snapshot

import edgekc.compression.walk

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))  # as write() has it: without a file's name

    return fail


@pytest.mark.parametrize("number", FULL)
@pytest.mark.parametrize("step", [(Path, "write_bytes"), (os, "fsync"), (os, "replace"), (Path, "mkdir")])
@pytest.mark.parametrize("existing", [False, True])
def test_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: tuple[Any, str], existing: bool
) -> None:
    out = tmp_path / "a" / "out"
    if existing:
        assert call("compile", MODEL, "-o", out, "--name", "before").code == 0
    before = snapshot(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(*step, failing(number))
        said = complaint(call("compile", MODEL, "-o", out, "--name", "digits"))
    assert said.startswith(str(out))
    assert f"cannot be written: {os.strerror(number)}" in said
    assert ".edgekc-" not in said
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("step", [(Path, "write_bytes"), (os, "fsync"), (os, "replace")])
def test_compress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[Any, str]) -> None:
    monkeypatch.setattr(edgekc.compression.walk, "run", lambda *_, **__: (b"", SimpleNamespace(as_json=dict)))
    with monkeypatch.context() as patch:
        patch.setattr(*step, failing(errno.ENOSPC))
        said = complaint(call("compress", MODEL, "-o", tmp_path / "x.ekc"))
    assert said.startswith(f"{tmp_path}/x.ekc: cannot be written: No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_dumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", failing(errno.ENOSPC))
        said = complaint(call("compile", MODEL, "-o", tmp_path / "out", "--keep", tmp_path / "keep"))
    assert said.startswith(f"{tmp_path}/keep/10-import.txt: cannot be written: No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert call("compile", MODEL, "-o", out, "--name", "digits").code == 0
    before = snapshot(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", failing(errno.ENOSPC))
        result = call("build", out)
    if "no compiler" in result.err:
        pytest.skip("no compiler for Arm")
    assert "harness.c: cannot be written: No space left on device" in complaint(result)
    assert snapshot(tmp_path) == before


def test_a_limit_of_the_system_itself(tmp_path: Path) -> None:
    """Not a stand-in: the kernel takes no file of more than 3,000 bytes from this process."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"
    said = complaint(real("compile", MODEL, "-o", tmp_path / "out", "--name", "digits", before=limit))
    assert said.startswith(f"{tmp_path}/out/digits.ekc: cannot be written: File too large")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
@pytest.mark.parametrize("command", [("boards",), ("boards", "--json"), ("doctor", "--json"), ("--version",)])
def test_standard_output(command: tuple[str, ...]) -> None:
    """Said once, by the exit code too; with Python's buffer, of which the rest is written at the end."""
    full = "import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1)"
    said = complaint(real(*command, before=full, env={"PYTHONUNBUFFERED": ""}))
    assert said == "standard output: cannot be written: No space left on device"


def test_a_folder_without_permission(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "closed").mkdir(mode=0o500)
    said = complaint(call("compile", MODEL, "-o", tmp_path / "closed" / "out"))
    assert said.startswith(f"{tmp_path}/closed/out: cannot be written: Permission denied")
