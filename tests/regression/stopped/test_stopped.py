"""Ctrl-C, SIGTERM and SIGHUP: the shell's exit code, no traceback, nothing half-written, nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli_command import MODEL, call, real, snapshot

from edgekc.files.stopping import Stopped, in_threads, orderly_stop, uninterrupted

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
# The process gets the signal in its nth call of a function. The shell that started the tests may ignore signals.
AT = """
import os, pathlib, signal, subprocess, tempfile, edgekc.firmware.build, edgekc.compression.walk
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
def stop_in(owner, name, at, sent=[0]):
    whole = getattr(owner, name)
    def stopped(*arguments, **options):
        sent[0] += 1
        if sent[0] == at:
            os.kill(os.getpid(), signal.{signal})
        return whole(*arguments, **options)
    setattr(owner, name, stopped)
class Report:
    as_json = dict
edgekc.compression.walk.run = lambda *_, **__: (b"EKC", Report)
"""


def stopped(tmp_path: Path, name: str, where: str, *command: str | Path) -> None:
    """Runs the command, which is stopped where it says, and looks at what is left."""
    (tmp_path / "temporary").mkdir(exist_ok=True)
    before = snapshot(tmp_path)
    code = AT.replace("{signal}", name) + where
    result = real(*command, before=code, env={"TMPDIR": str(tmp_path / "temporary")})
    if "no compiler" in result.err:
        pytest.skip("no compiler for Arm")
    assert result.code == CODES[name], result
    assert result.err == "edgekc: interrupted\n"
    assert result.out == ""
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", SIGNALS)
def test_compile_over_an_earlier_output(tmp_path: Path, name: str) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out", "--name", "before").code == 0
    where = "stop_in(pathlib.Path, 'write_bytes', 4)"
    stopped(tmp_path, name, where, "compile", MODEL, "-o", tmp_path / "out")


@pytest.mark.parametrize("where", ["stop_in(tempfile, 'mkdtemp', 1)", "stop_in(os, 'fsync', 3)"])
def test_compile(tmp_path: Path, where: str) -> None:
    stopped(tmp_path, "SIGTERM", where, "compile", MODEL, "-o", tmp_path / "a" / "out")


def test_compress(tmp_path: Path) -> None:
    (tmp_path / "x.ekc").write_bytes(b"")
    stopped(tmp_path, "SIGTERM", "stop_in(os, 'fsync', 1)", "compress", MODEL, "-o", tmp_path / "x.ekc", "--json")


@pytest.mark.parametrize("name", SIGNALS[:2])
def test_build_in_the_middle_of_its_compilers(tmp_path: Path, name: str) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out").code == 0
    stopped(tmp_path, name, "stop_in(edgekc.firmware.build, '_compile', 2)", "build", tmp_path / "out")


def test_measure_and_its_temporary_folders(tmp_path: Path) -> None:
    assert call("compile", MODEL, "-o", tmp_path / "out").code == 0
    stopped(tmp_path, "SIGTERM", "stop_in(edgekc.firmware.build, '_link', 1)", "measure", tmp_path / "out")


def test_a_swap_that_is_begun_is_ended(tmp_path: Path) -> None:
    """The signal comes between the two renames; the process ends behind the second."""
    assert call("compile", MODEL, "-o", tmp_path / "out", "--name", "before").code == 0
    code = AT.replace("{signal}", "SIGTERM") + "stop_in(os, 'replace', 2)"
    result = real("compile", MODEL, "-o", tmp_path / "out", "--name", "after", before=code)
    assert (result.code, result.err) == (143, "edgekc: interrupted\n")
    assert (tmp_path / "out" / "after.ekc").is_file()
    assert not (tmp_path / "out" / "before.ekc").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As under nohup, or in the background of a script."""
    code = AT.replace("{signal}", "SIGHUP") + "signal.signal(signal.SIGHUP, signal.SIG_IGN); stop_in(os, 'fsync', 1)"
    assert real("compile", MODEL, "-o", tmp_path / "out", before=code).code == 0


@pytest.fixture
def taken() -> Iterator[None]:
    """As in a process whose shell ignores no signal."""
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in SIGNALS}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.usefixtures("taken")
def test_no_thread_works_on() -> None:
    """A signal at the start of a thread had its pool forget it, and what it wrote stayed behind."""
    begun, ended = [], []

    def job(item: int) -> None:
        begun.append(item)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.02)
        ended.append(item)

    for _ in range(10):
        begun.clear(), ended.clear()
        with pytest.raises(Stopped), orderly_stop():
            in_threads(job, range(50), workers=3)
        assert sorted(begun) == sorted(ended)
        assert len(begun) < 50


@pytest.mark.usefixtures("taken")
def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
    log = []

    def terminated() -> None:
        with orderly_stop():
            with uninterrupted(), uninterrupted():
                os.kill(os.getpid(), signal.SIGTERM)
                log.append("ended")
            log.append("lost")

    with pytest.raises(Stopped) as end:
        terminated()
    assert (end.value.code, log) == (143, ["ended"])
    assert [signal.getsignal(getattr(signal, name)) for name in SIGNALS] == before
