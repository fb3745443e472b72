"""`edgekc` and `python FILE` for documents' commands, forked from a process that has loaded all of edgekc.

Loading it takes most of a short command's time, and torch more. A command here differs from one of its own process in
that alone: it has its arguments, environment, folder and files, and ends as Python does. That each command loads what
it uses is tested elsewhere (`tests/regression/terminal_text`).
"""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_WIDTH = 8  # bytes of a length
# What a command runs instead of Python: it hands over what it was given, and ends as the other does. It imports nothing
# that takes time.
_CLIENT = """
import array, json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
data = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode("utf-8")
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))]
line.sendmsg([len(data).to_bytes(8, "little")], rights)
line.sendall(data)
code = line.recv(16)
if not code:
    os.kill(os.getpid(), 9)  # as the other was
sys.exit(int(code))
"""


@cache
def _server() -> tuple[Path, Path]:
    """The socket of this process's server, which ends with it, and the file of the client."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}  # no threads where it forks
    command = [sys.executable, __file__, str(folder / "socket")]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    atexit.register(process.communicate)  # closes its input, with which it ends
    assert process.stdout.readline() == "ready\n"
    (folder / "client.py").write_text(_CLIENT, encoding="utf-8")
    return folder / "socket", folder / "client.py"


def programs(folder: Path) -> None:
    """Writes `edgekc` and `python` into a folder; with words other than those of a file, `python` is Python itself."""
    place, client = _server()
    folder.mkdir(exist_ok=True)
    served = f'exec "{sys.executable}" -IS "{client}" "{place}"'
    for name, text in {
        "edgekc": f'{served} edgekc "$@"',
        "python": f'case "$1" in *.py) {served} "$@" ;; esac\nexec "{sys.executable}" "$@"',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


# ---- the server ----


def _load() -> None:
    """All modules of edgekc, with what they import at their top."""
    import edgekc

    for module in pkgutil.walk_packages(edgekc.__path__, "edgekc."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):  # of a package that is not installed
                __import__(module.name)
    with suppress(ImportError):  # what torch and onnx load when they are first used
        import onnx  # noqa: F401
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.export.export(torch.nn.ReLU(), (torch.zeros(1),)).run_decompositions()


def _received(line: socket.socket) -> tuple[list[str], str, dict[str, str], list[int]]:
    """Arguments, folder, environment, and the three files of a command."""
    files = array.array("i")
    size, rights, _, _ = line.recvmsg(_WIDTH, socket.CMSG_LEN(3 * files.itemsize))
    for _, _, data in rights:
        files.frombytes(data)
    wanted, data = int.from_bytes(size, "little"), b""
    while len(data) < wanted:
        data += line.recv(wanted - len(data))
    arguments, folder, environment = json.loads(data)
    return arguments, folder, environment, list(files)


def _become(folder: str, environment: dict[str, str], files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)


def _run(arguments: list[str]) -> None:
    """As `python -m edgekc` or `python FILE` does, to the same end."""
    program, *rest = arguments
    if program == "edgekc":
        sys.argv = ["edgekc", *rest]
        sys.path.insert(0, os.getcwd())
        from edgekc.cli.main import run

        run()
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(program).resolve().parent))
        runpy.run_path(program, run_name="__main__")


def _run_to_the_end(arguments: list[str]) -> int:
    """The exit code, after all that Python does at its end but free each object: of thousands of modules it is long."""
    code = 0
    try:
        _run(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.current_thread():
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    return code


def _serve(place: str) -> None:
    """A child for each command, which becomes it, and says at its end with which code."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    sys.path.remove(str(Path(__file__).parent))
    _load()
    gc.collect()
    gc.freeze()  # the collector of a child does not look at it, and so does not copy it
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        with suppress(ChildProcessError):
            while os.waitpid(-1, 0 if sys.stdin in ready else os.WNOHANG)[0]:
                pass
        if sys.stdin in ready:  # whoever started this ends
            return
        line, _ = listener.accept()
        if os.fork():
            line.close()
            continue
        listener.close()
        arguments, folder, environment, files = _received(line)
        _become(folder, environment, files)
        code = _run_to_the_end(arguments)
        line.sendall(b"%d" % code)
        os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
