"""`edgekc new-app`: every kind's project builds, runs on the emulated board and gives what it says; bad input."""

from __future__ import annotations

import sys
import typing
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from cli_command import MODEL, call, complaint
from new_apps import make, need_tools

from edgekc.apps import APPS
from edgekc.cli import new_app


@pytest.mark.fast
def test_the_command_writes_a_project(tmp_path: Path) -> None:
    out = tmp_path / "first"
    result = call("new-app", "blank", "-o", out)
    assert (result.code, result.err) == (0, "")
    assert "blank app of digits_int8.tflite" in result.out
    for name in ("Makefile", "README.md", "app/main.c", "board/link.ld", "network/net.ekc", "input.bin"):
        assert (out / name).is_file(), name
    assert (out / "expected.txt").read_text().startswith("class ")
    assert "exists already" in complaint(call("new-app", "blank", "-o", out))  # whose files stay


@pytest.mark.slow
def test_a_blank_project_runs_and_tests_itself(tmp_path: Path) -> None:
    need_tools()
    assert call("new-app", "blank", "-o", tmp_path / "first", "--json", "--model", MODEL).code == 0
    said = make(tmp_path / "first", "test")
    assert "which under qemu are instructions:" in said


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("blnk",), "blnk: no such kind of app; did you mean 'blank'?"),
        (("xyz",), "use one of"),
        (("blank", "--board", "nowhere"), "no board is called 'nowhere'"),
        (("blank", "--board", "rpi-pico"), "apps start on Cortex-M boards"),
        (("blank", "--board", "linux-x86"), "board"),
        (("blank", "--name", "1x"), "1x"),
        (("blank", "--name", "startup"), "'startup' is that of a file of the app"),
        (("blank", "--model", "none.tflite"), "none.tflite"),
    ],
)
@pytest.mark.fast
def test_bad_input_is_one_line_and_writes_nothing(words: tuple[str, ...], what: str, tmp_path: Path) -> None:
    assert what in complaint(call("new-app", *words, "-o", tmp_path / "p"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fast
def test_every_kind_is_in_the_help() -> None:
    (argument,) = typing.get_type_hints(new_app.new_app, include_extras=True)["kind"].__metadata__
    for kind in APPS:
        assert f"{kind}:" in argument.help
