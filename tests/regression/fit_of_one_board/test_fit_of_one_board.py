"""A fit on one board leaves the tables of the others as they were."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest

from edgekc.ops.kernels import cycles

CROSS = Path(__file__).resolve().parents[2] / "cross"


def test_other_tables_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(CROSS))
    import kernel_costs as costs

    table = tmp_path / "cycles.py"
    table.write_text(Path(cycles.__file__).read_text())
    monkeypatch.setattr(costs, "_TABLE", table)
    monkeypatch.setattr(costs, "rows", lambda shapes, board: [])
    for name in ("CYCLES", "TWO_ISSUE"):
        monkeypatch.setattr(cycles, name, copy.deepcopy(getattr(cycles, name)))
    costs.main(["--fit", costs.BOARDS["vec"]])
    written: dict[str, object] = {}
    exec(table.read_text(), written)
    for name in ("CYCLES", "TWO_ISSUE"):
        assert written[name] == getattr(sys.modules[cycles.__name__], name)
    assert written["TWO_ISSUE"] != {k: cycles.CYCLES[k] for k in cycles.TWO_ISSUE}
