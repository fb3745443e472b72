"""What helps a user of the command line: help, examples, completion, progress, and lists for eyes and for pipes."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from cli_command import MODEL, call, complaint, real
from typer.main import get_command

import edgekc
from edgekc.boards.board import list_boards, load_board
from edgekc.cli.guide import GUIDE
from edgekc.cli.main import app
from edgekc.cli.way import complete_board, complete_recipe
from edgekc.terminal import console, say
from edgekc.train.bars import bars

COMMANDS: dict[str, Any] = dict(get_command(app).commands)  # type: ignore[attr-defined]
HEAVY = ("numpy", "jinja2", "elftools", "torch", "tensorflow", "sklearn")  # typer itself may import pydantic


# ---- help ----


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_h_is_help(command: str) -> None:
    words = [command] if command else []
    short, long = call(*words, "-h"), call(*words, "--help")
    assert (short.code, short.err) == (0, "")
    assert short.out == long.out
    assert "Usage:" in short.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom edgekc.cli.main import run\n"
        "for words in [[c, '-h'] for c in sys.argv[1:]]:\n"
        "    sys.argv = ['edgekc', *words]\n"
        "    try:\n        run()\n    except SystemExit:\n        pass\n"
        f"print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *COMMANDS], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_right(name: str) -> None:
    command = COMMANDS[name]
    examples = re.findall(r"^\$ (.+)$", command.epilog, re.MULTILINE)
    assert examples
    for line in examples:
        assert len(line) <= 78  # on one line of a terminal
        program, used, *words = shlex.split(line)
        assert (program, used) == ("edgekc", name)
        command.make_context(name, list(words))  # complains about options and values that do not exist


@pytest.mark.parametrize("name", COMMANDS)
def test_metavars_say_what_goes_there(name: str) -> None:
    for parameter in COMMANDS[name].params:
        assert parameter.param_type_name == "argument" or parameter.help, parameter.name
        if not getattr(parameter, "is_flag", False):
            assert parameter.metavar and parameter.metavar not in ("TEXT", "PATH", "INTEGER", "FLOAT"), parameter.name


def test_alone_it_says_which_command_is_for_whom() -> None:
    result = real()
    assert (result.code, result.err) == (2, "")
    assert result.out.splitlines() == list(GUIDE)
    assert max(map(len, GUIDE)) <= 80
    named = set(re.findall(r"edgekc (\w[\w-]*)", result.out)) - {"turns", "COMMAND"}
    assert named <= set(COMMANDS)
    assert {"demo", "compile", "compress", "fit", "verify", "evaluate", "measure", "flash", "doctor"} <= named


# ---- completion ----


def completed(line: str) -> list[str]:
    words = line.split(" ")
    env = {
        **os.environ,
        "_EDGEKC_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    code = (
        "import sys\nfrom edgekc.cli.main import app\n"
        "try:\n    app(prog_name='edgekc')\n"
        f"finally:\n    print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert done.stderr.strip() == "", "completion must be at once"
    return done.stdout.split()


def test_the_shell_completes() -> None:
    assert completed("edgekc meas") == ["measure"]
    assert completed("edgekc compile net.tflite --board nucleo-f4") == ["nucleo-f412zg", "nucleo-f446re"]
    assert completed("edgekc compress net.onnx --recipe clus") == ["cluster4"]
    assert set(complete_board("")) == set(list_boards())
    assert "cluster4" in complete_recipe("")


def test_completion_can_be_installed() -> None:
    shown = call("--help").out
    assert "--install-completion" in shown and "--show-completion" in shown


# ---- boards ----


def test_a_pipe_gets_a_line_of_tabs_for_each_board() -> None:
    result = call("boards")
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert [row[0] for row in rows] == list_boards()
    assert {len(row) for row in rows} == {5}
    row = next(row for row in rows if row[0] == "nucleo-f446re")
    assert row == ["nucleo-f446re", "cortex-m4f", "524288", "131072", "pyocd,openocd,stlink,unicorn"]
    assert next(row for row in rows if row[0] == "rpi5")[2:4] == ["", ""]


def test_boards_are_chosen_by_core_and_by_what_reaches_them() -> None:
    def names(*words: str) -> set[str]:
        return {row["name"] for row in json.loads(call("boards", "--json", *words).out)}

    every = [load_board(name) for name in list_boards()]
    assert names("--core", "cortex-m4f") == {b.name for b in every if b.core.name == "cortex-m4f"}
    assert names("--core", "cortex-m*", "--reach", "qemu") == {
        b.name for b in every if b.core.name.startswith("cortex-m") and "qemu" in b.emulators
    }
    assert names("--reach", "ssh") == {"rpi4", "rpi5"}
    assert "did you mean 'cortex-m4f'?" in complaint(call("boards", "--core", "cortex-m4"))
    assert "no board has the way to reach it 'jlink'" in complaint(call("boards", "--reach", "jlink"))


def test_one_board_has_its_notes() -> None:
    for name in list_boards():
        text = " ".join(call("boards", name).out.split())
        board = load_board(name)
        assert board.description in text and " ".join(board.note.split()) in text and board.core.name in text
    assert json.loads(call("boards", "rpi-pico", "--json").out)["name"] == "rpi-pico"
    assert "did you mean 'rpi-pico'?" in complaint(call("boards", "rpi-pica"))


# ---- progress ----


# Commands that show no progress, and why: nothing in them takes two seconds.
SHORT = {
    "boards": "reads the boards' files",
    "check-signature": "hashes one file",
    "demo": "edgekc/demo/walk.py shows it",
    "export-onnx": "reads a packed model, and writes it",
    "graph": "reads a model, and writes it",
    "inspect": "reads a packed model",
    "keygen": "draws a key",
    "sign": "hashes one file",
    "simulate": "serves until it is ended",
}


def test_commands_that_take_long_show_progress() -> None:
    shows = {name for name in COMMANDS if "with bars(" in inspect.getsource(inspect.unwrap(COMMANDS[name].callback))}
    assert shows.isdisjoint(SHORT) and shows | set(SHORT) == set(COMMANDS)


def test_a_terminal_sees_what_is_being_done() -> None:
    file = io.StringIO()
    with bars(console(file=file, force_terminal=True, width=100)) as shown:
        shown.progress("build for cortex-m4f\n", 3, 20)
    assert "build for cortex-m4f\\n" in file.getvalue() and "3 of 20" in file.getvalue()
    file = io.StringIO()
    with bars(console(file=file, force_terminal=True, width=100)) as shown:
        now = SimpleNamespace(
            epoch=0, epochs=2, step=4, steps=5, loss=0.5, accuracy=None, seconds_left=61, unit="epoch"
        )
        shown.training("compress[0]: retrain", now)  # type: ignore[arg-type]
    assert "compress[0]: retrain" in file.getvalue() and "epoch 1 of 2: loss 0.5000, 1:01 left" in file.getvalue()


def test_what_goes_to_standard_output_stays_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where standard error is a terminal, as in `edgekc demo > report.txt`."""
    file = io.StringIO()
    with bars(console(file=file, force_terminal=True, width=100)) as shown:
        shown.progress("count", 0, 0)
        say("a result")
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in file.getvalue()


def test_a_pipe_sees_the_epochs_only() -> None:
    file = io.StringIO()
    with bars(console(file=file)) as shown:
        shown.progress("build for cortex-m4f", 3, 20)
        now = SimpleNamespace(
            epoch=0, epochs=2, step=4, steps=5, loss=0.5, accuracy=None, seconds_left=61, unit="epoch"
        )
        shown.training("compress[0]: retrain", now)  # type: ignore[arg-type]
    assert file.getvalue() == "compress[0]: retrain: epoch 1 of 2: loss 0.5000, 1:01 left\n"


def test_long_work_says_each_step() -> None:
    said: list[tuple[str, int, int]] = []
    program = edgekc.compile(MODEL, board="nucleo-f446re", name="digits")
    try:
        program.verify(samples=4, progress=lambda *step: said.append(step))
        program.measure(samples=1, progress=lambda *step: said.append(step))
        edgekc.find_boards(MODEL, ["microbit", "nucleo-f446re"], progress=lambda *step: said.append(step))
    except edgekc.ToolError as error:
        pytest.skip(str(error))
    steps = [what for what, _, _ in said]
    for wanted in (
        "run the numpy reference", "compare with the file that was compiled", "build and run on the host",
        "compare every layer on nucleo-f446re", "run 4 samples on nucleo-f446re", "build the program",
        "count 1 inferences on nucleo-f446re",
    ):  # fmt: skip
        assert wanted in steps
    assert ("build for cortex-m0, microbit", 0, 2) in said and ("build for cortex-m4f, nucleo-f446re", 1, 2) in said
