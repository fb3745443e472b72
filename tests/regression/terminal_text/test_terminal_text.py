"""Names from files on a terminal: shown as they are, obeyed by nothing, and printable in every encoding."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from unit.cli_command import MODEL, Result, call, complaint

import edgekc
from edgekc.format.pack import unpack
from edgekc.graph.ir import dump
from edgekc.names import visible
from edgekc.terminal import console, lines, say, styled

HERE = Path(__file__).parent
EVIL = HERE / "evil.ekc"
NAMES = ["[/]", "[red]x:bomb:\u202e", "[link=file:///]名"]
SHOWN = ["[/]", "[red]x:bomb:\\u202e", "[link=file:///]名"]
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
SOURCES = Path(edgekc.__file__).parent


def check_text(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in text), ascii(text)


def check(result: Result) -> str:
    assert result.code == 0, result
    check_text(result.out + result.err)
    return result.out


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evil") / "out"
    assert "peak during [" in check(call("compile", EVIL, "-o", folder, "--board", "m0plus-an385", "-v"))
    return folder


def test_inspect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = check(call("inspect", EVIL))
    assert all(f" {name} " in text for name in SHOWN), text
    data = call("inspect", EVIL, "--json").out
    assert data.isascii()
    assert [layer["name"] for layer in json.loads(data)["layers"]] == NAMES


def test_names_stay_the_users_in_the_manifest(out: Path) -> None:
    assert [layer["name"] for layer in json.loads((out / "manifest.json").read_text())["layers"]] == NAMES
    for path in [*out.rglob("*.c"), *out.rglob("*.h"), out / "CMakeLists.txt"]:
        assert path.read_bytes().isascii(), path


def test_dumps_have_one_line_for_each_thing() -> None:
    graph = unpack(EVIL.read_bytes(), "evil.ekc")
    text = dump(replace(graph, name="a\nb\x1b\u2066", metadata={"key": "one\ntwo"}))
    check_text(text)
    assert text.startswith("graph a\\nb\\x1b\\u2066 stage=integer\n  meta key = one\\ntwo\n")
    assert all(f"\n  {name}: " in text for name in SHOWN)


def test_a_difference_in_such_a_layer_is_one_line(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    source = tmp_path / "out" / "src" / "evil.c"
    source.write_text(source.read_text().replace(".out_zero = ", ".out_zero = 1 + "))
    result = call("verify", tmp_path / "out", "--samples", "4", "--no-device")
    if "no C compiler" in result.err:
        pytest.skip("no C compiler on this machine")
    said = complaint(result)
    check_text(said)
    assert any(f"layer {i} {name} (" in said for i, name in enumerate(SHOWN)), said


def test_reports_of_the_linked_image(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = call("measure", out, "--samples", "1", "--ledger")
    if result.code == 2 and ("no compiler" in result.err or "no emulator" in result.err):
        pytest.skip(result.err)
    text = check(result)
    assert all(text.count(name) >= 2 for name in SHOWN), text


@pytest.mark.parametrize("path", ["a\x1b]0;title\x07", "a\nedgekc: all equal", "a\u202eb", "[/]", "a\udcff", "\x9b31m"])
def test_errors(tmp_path: Path, path: str) -> None:
    said = complaint(call("inspect", tmp_path / path))
    check_text(said)
    assert ascii(path)[2:-1].replace("\\n", " ") in said


# ---- the one place that prints ----


@given(st.text())
def test_whatever_is_printed_is_visible(text: str) -> None:
    file = io.StringIO()
    table = Table(title=text)
    table.add_column(text, no_wrap=True)
    table.add_row(text)
    table.add_row(styled(text, "bold"))
    table.add_row(lines(text, text))
    screen = console(file=file, width=2000, force_terminal=False)
    screen.print(text)
    assert file.getvalue().rstrip("\n").rstrip() == visible(text).rstrip()
    screen.print(table)
    screen.rule(text)
    check_text(file.getvalue())


@given(st.text())
def test_a_terminal_gets_the_colours_that_are_ours(text: str) -> None:
    file = io.StringIO()
    console(file=file, width=2000, force_terminal=True, color_system="standard").print(text, highlight=False)
    assert "\x1b" not in file.getvalue()


def test_one_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb\r\x1b[2J\t\u2028c")
    assert capsys.readouterr().out == "a\\nb\\r\\x1b[2J\\t\\u2028c\n"


def is_printing(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        names = {alias.name for alias in node.names}
        module = getattr(node, "module", "") or ""
        return module.startswith("rich.markup") or (module == "rich" and "print" in names) or "rich.markup" in names
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in ("print", "Console", "Text")
    return isinstance(node.func, ast.Attribute) and node.func.attr in ("echo", "secho", "from_markup")


def test_nobody_else_prints() -> None:
    """So that nothing can be printed unescaped; three more print one line each, fixed or escaped."""
    found = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if any(is_printing(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }
    ours = {"terminal.py", "importers/keras/hdf5.py", "files/stopping.py", "cli/main.py"}
    boards = {"api/updatable.py", "boards/board.py", "console/session.py"}  # their Console is the line to a board
    assert found - boards == ours


# ---- any encoding ----


def in_c_locale(commands: list[list[str]], folder: Path) -> list[tuple[int, bytes]]:
    """Exit code and output of each command, in one process whose streams are ASCII, into a pipe."""
    code = (
        "import json, sys\n"
        "from edgekc.cli.main import run\n"
        "assert sys.stdout.encoding.lower() in ('ascii', 'ansi_x3.4-1968', 'us-ascii'), sys.stdout.encoding\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['edgekc', *command]\n"
        "    try:\n"
        "        run()\n"
        "    except SystemExit as end:\n"
        "        print('\\n@@', end.code or 0, flush=True)\n"
    )
    env = {**os.environ, **C_LOCALE}
    env.pop("PYTHONIOENCODING")
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)], cwd=folder, env=env, check=False, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
    parts = done.stdout.split(b"\n@@ ")
    codes = [int(part.split(b"\n", 1)[0]) for part in parts[1:]]
    texts = [parts[0], *(part.split(b"\n", 1)[1] for part in parts[1:-1])]
    return list(zip(codes, texts, strict=True))


def check_c_locale(commands: list[list[str]], folder: Path, skip: Callable[[bytes], bool] = lambda _: False) -> None:
    results = in_c_locale(commands, folder)
    assert len(results) == len(commands)
    for command, (code, text) in zip(commands, results, strict=True):
        assert text.isascii(), (command, text)
        assert b"Traceback" not in text, (command, text)
        assert b"UnicodeEncodeError" not in text, (command, text)
        assert code == 0 or skip(text), (command, text)


def test_commands_without_tools_in_the_c_locale(tmp_path: Path) -> None:
    (tmp_path / "née.ekc").write_bytes(EVIL.read_bytes())
    commands = [
        ["boards"], ["boards", "--json"], ["doctor", "--json"], ["inspect", str(EVIL)],
        ["inspect", str(EVIL), "--json"],
        ["compile", str(EVIL), "-o", "out", "-v", "--keep", "keep", "--board", "m0plus-an385"],
        ["--help"], ["compile", str(MODEL), "-o", "out2", "--name", "digits"],
    ]  # fmt: skip
    check_c_locale(commands, tmp_path)
    assert "名" in (tmp_path / "keep" / "40-packed.txt").read_text(encoding="utf-8")
    ((code, text),) = in_c_locale([["inspect", "née.tflite"]], tmp_path)
    assert code == 2 and text.isascii() and b"Traceback" not in text


@pytest.mark.slow
def test_every_command_in_the_c_locale(tmp_path: Path) -> None:
    from edgekc.cli.main import app

    board = ["--board", "mps2-an386"]
    commands = [
        ["compile", str(EVIL), "-o", "out", *board], ["compile", str(MODEL), "-o", "out2", *board], ["doctor"],
        ["build", "out"], ["build", "out", "--json"], ["verify", "out", "--samples", "2"], ["verify", "out", "--json"],
        ["measure", "out", "--samples", "1", "--ledger"], ["measure", "out", "--samples", "1", "--json"],
        ["fit", str(EVIL), *board], ["fit", str(EVIL), *board, "--json"], ["diff", "out", "out2"],
        ["diff", "out", "out2", "--json"], ["flash", "out", "--dry-run"], ["run", "out", "--layers", "-o", "outputs"],
        ["run", "out", "--json"], ["verify", "out", "--link", "auto", "--samples", "2"], ["demo", "-o", "demo"],
    ]  # fmt: skip
    commands += [[str(command.name), "--help"] for command in app.registered_commands]
    missing = (b"no compiler", b"no emulator", b"not installed", b"needs qemu", b"is not here")
    check_c_locale(commands, tmp_path, lambda text: any(word in text for word in missing))
