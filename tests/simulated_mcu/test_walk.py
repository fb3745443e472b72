"""The walk of docs/using.md: a .tflite is flashed, verified and measured on the simulated and the emulated boards.

And by OpenOCD, with the program's files by semihosting through the debugger, as docs/testing.md has it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="unicorn is not installed")

from unit.cli_command import call

from edgekc.assets import BOARDS
from edgekc.boards.board import list_boards, load_board
from edgekc.emulate import host, unicorn_core
from edgekc.errors import ToolError
from edgekc.files.output import read_manifest
from edgekc.firmware.build import build_image
from edgekc.firmware.toolchain import arm_compiler, qemu_name
from simulated_mcu.bench import OPENOCD_CONFIG, need_openocd, need_pyocd, run

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
_CLI = "from edgekc.cli.main import run; run()"
_TIMEOUT_S = 180
_SAMPLES = 3
# A tick is counted when its block of code is entered, at both ends of a call.
_BLOCK = 64


@contextmanager
def simulator() -> Iterator[tuple[str, str]]:
    """`edgekc simulate` in a process of its own; the ports of pyOCD and OpenOCD."""
    command = [sys.executable, "-c", _CLI, "simulate", "--port", "0", "--openocd-port", "0", "--serial-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"remote:localhost:(\d+), OpenOCD remote_bitbang port (\d+)", said)
            assert found, said
            yield found[1], found[2]
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 128 + signal.SIGTERM


def edgekc(*arguments: str | Path) -> str:
    """The command as a user types it; what it printed."""
    status, said = run([sys.executable, "-c", _CLI, *map(str, arguments)], ROOT)
    assert status == 0, said
    return said


@pytest.fixture(scope="module")
def board_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The board with semihosting for its console, which both tools serve by themselves."""
    text = (BOARDS / "nucleo-f412zg" / "board.toml").read_text()
    changed = re.sub(r"links = \[.*\]", 'links = ["semihosting"]', text)
    assert changed != text
    path = tmp_path_factory.mktemp("board") / "board.toml"
    path.write_text(changed)
    try:
        arm_compiler(load_board(path))
    except ToolError as error:
        pytest.skip(str(error))
    return path


def wait_for_report(process: subprocess.Popen[bytes], folder: Path) -> dict[str, list[int]]:
    """The numbers of report.txt, once the program has written its end."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        text = (folder / "report.txt").read_text() if (folder / "report.txt").is_file() else ""
        if text.endswith("done\n"):
            numbers: dict[str, list[int]] = {}
            for key, value in (line.split(" ") for line in text.splitlines()[:-1]):
                numbers.setdefault(key, []).append(int(value))
            return numbers
        time.sleep(0.05)
    raise AssertionError("no report")


def documented(name: str) -> list[list[str]]:
    """The words of each command of a block of docs/using.md."""
    found = re.search(rf"<!-- command: {name} -->\n```\n(.*?)```", (ROOT / "docs" / "using.md").read_text(), re.DOTALL)
    assert found is not None
    return [shlex.split(line) for line in found[1].splitlines()]


def follow(
    commands: list[list[str]], replaced: dict[str, str], command: Callable[[list[str]], tuple[int, str]]
) -> list[str]:
    """Runs them as they are written, with some words replaced; what they said.

    Args:
        command: runs edgekc with such words; its exit code, and all that it printed.
    """
    said = []
    for program, *words in commands:
        assert program == "edgekc"
        words = [replaced.get(word, word) for word in words]
        status, text = command(words)
        assert status == 0, (words, text)
        said.append(" ".join(text.split()))  # whatever the width of the terminal
    return said


def in_this_process(words: list[str]) -> tuple[int, str]:
    """On one board commands are processes of their own, as a user's; on the others they need not load all again."""
    result = call(*words)
    return result.code, result.out + result.err


def test_the_documented_commands_on_the_simulated_board(tmp_path: Path) -> None:
    need_pyocd()
    need_arm("nucleo-f412zg")
    commands = documented("board")
    assert [words[1] for words in commands] == ["compile", "flash", "verify", "measure"]
    (start,) = documented("simulator")
    assert start[-4:] == ["edgekc", "simulate", "--port", "5555"]
    with simulator() as (port, _):
        replaced = {"remote:localhost:5555": f"remote:localhost:{port}", str(MODEL.relative_to(ROOT)): str(MODEL)}
        _, flashed, verified, measured = follow(
            commands, replaced, lambda words: run([sys.executable, "-c", _CLI, *words], tmp_path)
        )
    assert "read back and equal" in flashed and "by pyocd" in flashed
    assert "reference = host = nucleo-f412zg (over rtt), 2 samples, 9 layers, every byte equal" in verified
    assert (
        "instructions (a simulated core, by its DWT), not cycles" in measured
        and "frames of the deepest calls" in measured
    )


EMULATED = [name for name in list_boards() if load_board(name).flash_tools == ("gdb",)]


@pytest.mark.parametrize("name", EMULATED)
def test_the_documented_commands_on_each_emulated_board(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("gdb-multiarch", qemu_name(load_board(name))):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    need_arm(name)
    commands = documented("emulated")
    assert [words[1] for words in commands] == ["compile", "flash", "verify", "measure"]
    replaced = {"mps2-an386": name, str(MODEL.relative_to(ROOT)): str(MODEL)}
    monkeypatch.chdir(tmp_path)
    _, flashed, verified, measured = follow(commands, replaced, in_this_process)
    assert "read back and equal" in flashed
    assert f"reference = host = {name} (over semihosting), 16 samples, 9 layers, every byte equal" in verified
    assert "Flash" in measured and "all that the ELF loads" in measured


def need_arm(name: str) -> None:
    """Skips where no compiler for the board is here."""
    try:
        arm_compiler(load_board(name))
    except ToolError as error:
        pytest.skip(str(error))


def test_openocd_runs_the_program_with_its_files_by_semihosting(board_file: Path, tmp_path: Path) -> None:
    need_openocd()
    out, work = tmp_path / "out", tmp_path / "work"
    work.mkdir()
    edgekc("compile", MODEL, "-o", out, "--name", "digits", "--board", board_file)
    manifest = read_manifest(out)
    inputs = host.samples(manifest, _SAMPLES, 0)
    (work / "input.bin").write_bytes(inputs)
    with simulator() as (_, openocd_port):
        config = tmp_path / "simulated.cfg"
        config.write_text(f"set PORT {openocd_port}\nsource {OPENOCD_CONFIG}\n")
        probe = ["--tool", "openocd", "--openocd-config", str(config)]
        ports = "gdb_port disabled; tcl_port disabled; telnet_port disabled"
        start = "init; poll_period 5; arm semihosting enable; reset run"
        command = ["openocd", "-c", ports, "-f", str(config), "-c", start]
        said = edgekc("flash", out, "--board", board_file, *probe)
        assert "read back and equal" in said
        with (work / "said.txt").open("wb") as log, subprocess.Popen(
            command, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        ) as process:  # fmt: skip
            try:
                report = wait_for_report(process, work)
            except AssertionError as error:
                raise AssertionError((work / "said.txt").read_text()) from error
            finally:
                process.terminate()
    assert (work / "output.bin").read_bytes() == host.run(host.build(out), inputs)
    assert report["samples"] == [_SAMPLES]

    image = build_image(out, load_board(board_file), tmp_path / "counted")
    (tmp_path / "counted" / "input.bin").write_bytes(inputs)
    counted, failure = unicorn_core.run(image, tmp_path / "counted", timeout_s=_TIMEOUT_S, count=True)
    assert not failure and counted is not None
    assert np.abs(np.array(counted) - report["ticks"]).max() < _BLOCK


def test_the_documented_commands_are_those_of_the_test() -> None:
    text = (ROOT / "docs" / "testing.md").read_text()
    section = text[text.index("## A simulated board") :]
    commands = [shlex.split(line) for line in section.splitlines() if line.startswith("    ")]
    assert [words[:2] for words in commands[:4]] == [
        ["edgekc", "simulate"], ["edgekc", "compile"], ["edgekc", "flash"], ["openocd", "-f"],
    ]  # fmt: skip
    assert "--board" in commands[1] and commands[2][-2:] == ["--probe", "remote:localhost:5555"]
    status, said = run([sys.executable, "-c", _CLI, "simulate", "--help"], ROOT)
    assert status == 0
    options = set(re.findall(r"`(--[a-z-]+)", section)) & set(re.findall(r"--[a-z-]+", said))
    assert {"--protected", "--stuck", "--device-id", "--unplug-after"} <= options
