"""No command reaches for a network unless it is asked to: its processes run where none is, and each try is noted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_reproducible import float_model

ROOT = Path(__file__).resolve().parents[2]
# Python imports this file when it starts, the Python of every child process too. An audit hook (PEP 578) cannot be
# taken away again, and sees what any library asks of `socket`. Sockets that are files of this machine may be used.
WATCH = """
import os, socket, sys

TRIES = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")

def watch(event, arguments):
    if event in NAMES or event in TRIES and arguments[0].family != getattr(socket, "AF_UNIX", None):
        with open(os.environ["EDGEKC_TRIES"], "a") as file:
            print(event, *arguments[-1:], file=file)
        raise OSError("a test forbids the network")

sys.addaudithook(watch)
"""


def without_network() -> list[str]:
    """A command before a command, whose processes then have no network; empty where the kernel does not allow it."""
    command = ["unshare", "--map-root-user", "--net"]
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if done.returncode == 0 else []


def run(folder: Path, *command: str, before: list[str]) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """A program under watch, and what it tried."""
    watch, tries = folder / "watch", folder / "tries"
    watch.mkdir(exist_ok=True)
    (watch / "sitecustomize.py").write_text(WATCH)
    environment = {**os.environ, "EDGEKC_TRIES": str(tries), "PYTHONPATH": f"{watch}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [*before, sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    return done, tries.read_text().splitlines() if tries.exists() else []


@pytest.mark.slow
def test_commands_work_without_a_network_and_try_none(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the recipe of this test clusters")
    if not any(shutil.which(name) for name in ("arm-none-eabi-gcc", "zig", "python-zig")):
        pytest.skip("there is no compiler for a board")
    model, data = float_model(tmp_path)
    script = ROOT / "tests" / "supply" / "run_commands.py"
    done, tries = run(tmp_path, str(script), "out", str(model), str(data), before=without_network())
    assert tries == []
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "every byte equal" in done.stdout
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    assert (tmp_path / "out" / "app" / "README.md").is_file()


TRY = "import subprocess, sys, socket\nsubprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("import socket; socket.create_connection(('192.0.2.1', 9), 1)", "socket.getaddrinfo"),
        ("import socket; socket.socket().connect(('192.0.2.1', 9))", "socket.connect"),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))", "socket.sendto"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "socket.bind"),
    ],
)
def test_a_try_of_a_child_is_seen(code: str, event: str, tmp_path: Path) -> None:
    done, tries = run(tmp_path, "-c", TRY, code, before=[])
    assert done.returncode != 0
    assert [line.split()[0] for line in tries] == [event]


@pytest.mark.fast
def test_sockets_of_this_machine_s_files_are_none(tmp_path: Path) -> None:
    done, tries = run(tmp_path, "-c", "import socket; socket.socket(socket.AF_UNIX).bind('here')", before=[])
    assert (done.returncode, tries) == (0, []), done.stderr


@pytest.mark.fast
def test_there_is_none_without_network() -> None:
    before = without_network()
    if not before:
        pytest.skip("unshare --net is not allowed here")
    code = "import socket; socket.socket().connect(('192.0.2.1', 9))"
    done = subprocess.run([*before, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


@pytest.mark.fast
def test_only_known_modules_import_sockets() -> None:
    """Those that are asked to: flashing over a server, consoles, the simulated board, workers of a search."""
    words = ("import socket", "import http", "from http", "import urllib", "from urllib", "import requests", "grpc")
    found = {
        path.relative_to(ROOT / "edgekc").as_posix()
        for path in sorted((ROOT / "edgekc").rglob("*.py"))
        if any(line.strip().startswith(words) or "import grpc" in line for line in path.read_text().splitlines())
    }
    assert found == {
        "console/lines.py", "console/session.py", "flashing/gdb.py", "simulate/server.py", "study/worker.py",
    }  # fmt: skip
