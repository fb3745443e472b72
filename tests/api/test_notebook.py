"""The notebook runs from top to bottom, and its last records are what it promises."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import edgekc
from edgekc.firmware.toolchain import arm_compiler

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "notebook" / "digits.ipynb"
CELLS = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
_LINES = 15  # of edgekc in it


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """The value of a cell's last expression, as a notebook shows it."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)  # type: ignore[attr-defined]


def test_it_holds_no_outputs_and_is_short() -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS)
    lines = [line for cell in CELLS for line in cell["source"] if line.strip()]
    after = next(i for i, line in enumerate(lines) if "edgekc.load" in line)
    assert len(lines) - after <= _LINES


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    pytest.importorskip("unicorn", reason="unicorn is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        pytest.skip("no C compiler on this machine")
    try:
        arm_compiler(edgekc.load_board("nucleo-f446re"))
    except edgekc.ToolError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = []
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in CELLS:
            value = run_cell("".join(cell["source"]), names)
            if hasattr(value, "_repr_html_"):
                shown.append(type(value))
                assert "<table" in value._repr_html_() or "<p>" in value._repr_html_()
    assert shown == [edgekc.Packed, edgekc.Verification, edgekc.Evaluation, edgekc.Costs]
    found, costs = names["program"].evaluate(names["x"][300:], names["y"][300:]), names["costs"]
    assert found.right >= 54  # of 60
    assert found.right == names["packed"].report.packed_accuracy.right
    assert costs.flash_bytes < 32 * 1024 and costs.ram_bytes < 16 * 1024
    assert (tmp_path / "digits" / "src" / "digits.c").is_file()
