"""gdb's `load` into an emulated board of qemu: what it reads back is what was built, and the program then runs."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest, write_folder
from edgekc.firmware.build import Image, build_image
from edgekc.pipeline import compile_model, target_of

_MODEL = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data" / "digits_int8.tflite"
_TIMEOUT_S = 60


@pytest.fixture(params=["netduinoplus2", "mps2-an385"])
def built(request: pytest.FixtureRequest, tmp_path: Path) -> Image:
    for program in ("gdb-multiarch", "qemu-system-arm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    board = load_board(request.param)
    write_folder(compile_model(_MODEL, "digits", target_of(board)).files, tmp_path / "out")
    try:
        return build_image(tmp_path / "out", board, tmp_path / "build")
    except ToolError as error:
        pytest.skip(str(error))


def gdb(image: Image, folder: Path, *commands: str) -> str:
    """What gdb printed on an empty, halted board of qemu, whose files are in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    qemu = ["qemu-system-arm", "-M", str(image.board.machine), "-nographic", "-monitor", "none", "-serial", "none",
            "-semihosting-config", "enable=on,target=native", "-S", "-gdb", f"tcp:127.0.0.1:{port}"]  # fmt: skip
    connect = ["set confirm off", "set tcp auto-retry on", f"target remote 127.0.0.1:{port}"]
    words = [word for command in (*connect, *commands) for word in ("-ex", command)]
    with subprocess.Popen(qemu, cwd=folder, stdin=subprocess.DEVNULL) as process:
        try:
            done = subprocess.run(
                ["gdb-multiarch", "-nx", "-batch", *words, str(image.elf)],
                cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
        finally:
            process.terminate()
    return done.stdout + done.stderr


def test_load_compare_and_run(built: Image, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inputs = host.samples(read_manifest(out), 2, 0)
    (tmp_path / "input.bin").write_bytes(inputs)
    # The board came up without a program: gdb sets what a reset would have loaded.
    start = ["set $sp = *(unsigned *)&ek_vectors", "set $pc = ek_reset", "continue"]
    said = gdb(built, tmp_path, "load", "compare-sections", *start)
    assert said.count("matched.") >= 1 and "MIS-MATCHED" not in said, said
    assert (tmp_path / "output.bin").read_bytes() == host.run(host.build(out), inputs), said


def test_a_changed_byte_is_seen(built: Image, tmp_path: Path) -> None:
    changed = tmp_path / "changed.elf"
    data = bytearray(built.elf.read_bytes())
    at = data.rindex(b"report.txt\0")  # a string of the harness; qemu's flash cannot be written but by load
    data[at] ^= 1
    changed.write_bytes(data)
    said = gdb(built, tmp_path, f"load {changed}", "compare-sections")
    assert "MIS-MATCHED" in said, said
