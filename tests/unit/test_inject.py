"""`edgekc inject` and `edgekc.inject`: what they print, and bad input. tests/cross/test_faults.py has the faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_command import MODEL, call, complaint

import edgekc

pytest.importorskip("unicorn", reason="unicorn is not installed")
BOARD = "rpi-pico"
FEW = ("--runs", "3", "--samples", "2", "--seed", "4", "--fault", "registers")


def test_the_table_and_its_json_say_the_same(tmp_path: Path) -> None:
    out = edgekc.compile(MODEL, board=BOARD, check=True).save(tmp_path / "out")
    try:
        record = edgekc.inject(out, faults=("weights", "registers", "stack"), runs=3, samples=2, seed=4)
    except edgekc.ToolError as error:
        pytest.skip(str(error))
    weights, registers, stack = record.rows
    assert (weights.injected, weights.detected, stack.detected) == (3, {"check": 3}, {"stack": 2})
    assert registers.injected == sum(registers.detected.values()) + registers.harmless + registers.wrong == 3
    text = str(record)
    assert "wrong in silence" in text and "NAME_check 3" in text and "painted stack 2" in text
    result = call("inject", out, *FEW, "--json")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert (found["board"], found["seed"], found["check"], len(found["instructions"])) == (BOARD, 4, True, 2)
    (row,) = found["rows"]
    assert (row["detected"], row["silent"]) == (registers.detected, list(registers.silent))
    assert "a bit of a core register" in call("inject", out, *FEW).out


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    out = edgekc.compile(MODEL, board=BOARD).save(tmp_path / "out")
    for words, said in (
        ((MODEL, "--fault", "weight"), "did you mean 'weights'?"),
        ((MODEL, "--board", "rpi5"), "edgekc boards --reach unicorn"),
        ((MODEL, "--board", "mps3-an547"), "edgekc boards --reach unicorn"),
        ((MODEL, "--board", "rpi-pica"), "did you mean 'rpi-pico'?"),
        ((out, "--fault", "state"), "need a state"),
        ((out, "--fault", "late-tables"), "need a check"),
        ((out, "--data", tmp_path / "none.npz"), "none.npz"),
        ((out, "--check"), "compile it with --check"),
        ((out, "--check-run"), "compile it with --check-run"),
        ((tmp_path / "none.ekc",), "none.ekc"),
        ((tmp_path,), "manifest"),
    ):
        assert said in complaint(call("inject", *words)), words
    for option in ("--runs", "--samples"):
        assert call("inject", out, option, "0").code == 2
    with pytest.raises(edgekc.UsageError, match="runs is 0"):
        edgekc.inject(out, runs=0)
    with pytest.raises(edgekc.UsageError, match="leave board out"):
        edgekc.inject(edgekc.open_program(out), board=BOARD)
