"""`edgekc bench`: the table of models on boards, its files, and what became worse; and the GitHub action around it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import edgekc
from edgekc.cli.main import app
from edgekc.measure import matrix

ROOT = Path(edgekc.__file__).resolve().parents[1]
DIGITS = ROOT / "edgekc" / "demo" / "data" / "digits_int8.tflite"
ROW = matrix.Row(
    "a.tflite", "microbit", "speed", "measured", "", 40_000, 8_000, 7_000, 1_000, 1_000_000, 1_200_000, 75.0
)


# ---- what became worse ----


@pytest.mark.fast
@pytest.mark.parametrize(
    ("new", "percent", "expected"),
    [
        (ROW, 0, []),
        (replace(ROW, flash_bytes=40_001), 0, [("flash_bytes", True)]),
        (replace(ROW, flash_bytes=40_400), 1, [("flash_bytes", False)]),
        (replace(ROW, flash_bytes=40_401), 1, [("flash_bytes", True)]),
        (replace(ROW, flash_bytes=1, ram_bytes=9_000), 0, [("flash_bytes", False), ("ram_bytes", True)]),
        (replace(ROW, arena_bytes=9_000), 0, []),  # within RAM, which did not change
        (replace(ROW, instructions=None), 0, [("instructions", True)]),  # what is not known any more may be anything
        (matrix.Row("a.tflite", "microbit", "speed", "too large", "why"), 50, [("outcome", True)]),
        (replace(ROW, board="rpi-pico"), 0, [("outcome", False), ("outcome", False)]),
    ],
)
def test_changes(new: matrix.Row, percent: float, expected: list[tuple[str, bool]]) -> None:
    found = matrix.changes([ROW], [new], percent)
    assert [(change.what, change.worse) for change in found] == expected


@pytest.mark.fast
def test_what_was_unknown_or_too_large_cannot_become_worse() -> None:
    large = matrix.Row("a.tflite", "microbit", "speed", "too large", "why")
    assert [change.worse for change in matrix.changes([large], [ROW], 0)] == [False]
    (change,) = matrix.changes([replace(ROW, ram_bytes=None)], [ROW], 0)
    assert (change.worse, change.percent) == (False, None)


@pytest.mark.fast
@pytest.mark.parametrize(("text", "value"), [("1%", 1.0), ("0.5 %", 0.5), ("2", 2.0), ("0%", 0.0)])
def test_percentages(text: str, value: float) -> None:
    assert matrix.parse_percent(text, "--fail-if-worse") == value


@pytest.mark.fast
@pytest.mark.parametrize("text", ["", "-1%", "one", "nan", "inf%", "%"])
def test_no_percentages(text: str) -> None:
    with pytest.raises(edgekc.UsageError, match="no percentage"):
        matrix.parse_percent(text, "--fail-if-worse")


@pytest.mark.fast
def test_tables_as_files() -> None:
    odd = replace(ROW, model="b|<i>_.tflite")
    found = edgekc.Bench((ROW, odd), matrix.changes([replace(ROW, flash_bytes=30_000)], [ROW], 1), 1)
    assert [row["model"] for row in csv.DictReader(found.written(".csv").splitlines())] == ["a.tflite", odd.model]
    assert "| b\\|&lt;i&gt;\\_.tflite | microbit | 40,000 |" in found.written(".md")
    assert "| flash | 30,000 | 40,000 | +33.33 % | worse |" in found.written(".md")
    assert "b|&lt;i&gt;_.tflite" in found.written(".html")
    assert [change["worse"] for change in json.loads(found.written(".json"))["changes"]] == [True]


# ---- the command ----


def call(*words: str | Path) -> Any:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model on a board that holds it and on one that does not."""
    folder = tmp_path_factory.mktemp("bench")
    small = folder / "small.toml"
    text = edgekc.load_board("nucleo-f446re").path.read_text()
    small.write_text(text.replace('name = "nucleo-f446re"', 'name = "small"').replace("131072", "2048"))
    done = call(DIGITS, "--boards", f"nucleo-f446re,{small}", "-o", folder / "x.json", "-o", folder / "x.md")
    if isinstance(done.exception, edgekc.ToolError):
        pytest.skip(str(done.exception))
    assert done.exit_code == 0, done.output
    return folder / "x.json"


def test_rows_are_what_measure_says(table: Path) -> None:
    large, small = matrix.read_rows(table)
    program = edgekc.compile(DIGITS, board="nucleo-f446re")
    costs = program.measure(1)
    assert (large.flash_bytes, large.ram_bytes, large.instructions, large.estimated_cycles) == (
        costs.flash_bytes, costs.ram_bytes, costs.instructions, costs.estimated_cycles,
    )  # fmt: skip
    assert small.outcome == "too large" and small.flash_bytes is None and "arena" in small.detail
    assert f"| {large.flash_bytes:,} |" in table.with_suffix(".md").read_text()


def test_the_exit_code_says_what_became_worse(table: Path, tmp_path: Path) -> None:
    data = json.loads(table.read_text())
    data["rows"][0]["flash_bytes"] -= 1000
    old = tmp_path / "old.json"
    old.write_text(json.dumps(data))
    words = (DIGITS, "--boards", "nucleo-f446re", "--baseline", old)
    done = call(*words, "--fail-if-worse", "1%", "--json")
    assert done.exit_code == 1
    flash, other = json.loads(done.output)["changes"]
    assert (flash["what"], flash["after"] - flash["before"], flash["worse"]) == ("flash_bytes", 1000, True)
    assert (other["what"], other["board"], other["worse"]) == ("outcome", "small", False)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.tflite", "--fail-if-worse", "1%"], "nothing to be worse than"),
        (["x.tflite", "--fail-if-worse", "much", "--baseline", "b.json"], "no percentage"),
        (["x.tflite", "-o", "x.pdf"], "no kind of table"),
        (["x.tflite", "-o", "none.tflite/x.md"], "x.md"),
        (["x.tflite", "--boards", "none-such"], "none-such"),
        (["x.tflite", "--boards", ","], "no board is named"),
        (["x.tflite", "--optimise", "speed,speed"], "the goal speed is named twice"),
        (["x.tflite", "--optimise", "fast"], "expected speed, size, ram"),
        (["x.tflite", "x.tflite"], "named twice"),
        (["x.tflite"], "x.tflite"),
        ([str(DIGITS), "--baseline", "b.json"], "no table of `edgekc bench`"),
    ],
)
def test_bad_input(words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none.tflite").write_bytes(b"")
    (tmp_path / "b.json").write_text('{"schema": 1, "rows": [{"model": 1}]}')
    done = call(*words)
    assert isinstance(done.exception, (edgekc.EdgekcError, OSError)) and said in str(done.exception)
    assert {path.name for path in tmp_path.iterdir()} == {"none.tflite", "b.json"}


@pytest.mark.fast
@pytest.mark.parametrize(
    "rows",
    ["[]", '{"schema": 2, "rows": []}', '{"schema": 1}', '{"schema": 1, "rows": [{"model": "a"}]}', "{", "\xff",
     json.dumps({"schema": 1, "rows": [{"model": "a", "board": "b", "optimise": "c", "flash_bytes": "12"}]}),
     json.dumps({"schema": 1, "rows": [{"model": "a", "board": "b", "optimise": "c", "outcome": "?"}]})],
)  # fmt: skip
def test_files_that_are_no_table(rows: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(rows.encode("latin-1"))
    with pytest.raises(edgekc.UsageError, match="no table of"):
        matrix.read_rows(path)


# ---- the action ----


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="PyYAML, which reads the action, is not installed")
    found: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return found


def test_the_action_declares_what_its_steps_use(action: dict[str, Any]) -> None:
    assert action["runs"]["using"] == "composite"
    values = {value for step in action["runs"]["steps"] for value in step["env"].values()}
    assert values == {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert all("${{" not in step["run"] and step["shell"] == "bash" for step in action["runs"]["steps"])
    assert all(each["description"] for each in (*action["inputs"].values(), *action["outputs"].values()))


@pytest.mark.slow
def test_the_action_s_script_runs(action: dict[str, Any], table: Path, tmp_path: Path) -> None:
    """With this checkout where the first step installs edgekc: a summary, and the exit code of the command."""
    data = json.loads(table.read_text())
    data["rows"] = data["rows"][:1]
    data["rows"][0].update(model="models/digits.tflite", flash_bytes=1000)
    (tmp_path / "old.json").write_text(json.dumps(data))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "digits.tflite").write_bytes(DIGITS.read_bytes())
    program = tmp_path / "runner" / "edgekc" / "bin" / "edgekc"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m edgekc "$@"\n')
    program.chmod(0o755)
    inputs = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
    inputs |= {"models": "models/digits.tflite", "boards": "nucleo-f446re", "baseline": "old.json"}
    step = next(step for step in action["runs"]["steps"] if step.get("id") == "bench")
    fill: Callable[[str], str] = lambda value: inputs[value.split(".")[1].split()[0]]  # noqa: E731
    environment = {
        **os.environ, **{name: fill(value) for name, value in step["env"].items()}, "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(tmp_path / "runner"), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    assert "| models/digits.tflite | nucleo-f446re | speed | flash | 1,000 |" in (tmp_path / "summary").read_text()
    assert (tmp_path / "output").read_text() == "table=edgekc-bench.json\n"
    assert matrix.read_rows(tmp_path / "edgekc-bench.json")[0].model == "models/digits.tflite"
