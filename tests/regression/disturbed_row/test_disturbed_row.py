"""A timing that other work on the machine disturbed is measured again, and in no file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def litert(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import litert as module

    return module


def flagged(value: Any) -> Iterator[Any]:
    """Every record in a result, however deep, that is marked."""
    if isinstance(value, dict):
        if value.get("disturbed"):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from flagged(item)


def test_no_committed_result_was_disturbed() -> None:
    files = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert len(files) > 10
    assert {p.name: list(flagged(json.loads(p.read_text()))) for p in files} == {p.name: [] for p in files}


def test_a_disturbed_row_is_measured_again_and_never_written(
    litert: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    good = litert.Timing("ic", 1, 1.0, 2.0, 0.5, 1.0, 2.0, 0.5, disturbed=False)
    seen: dict[str, int] = {}

    def compare(model: Path, dense: Path, name: str, folder: Path) -> Any:
        seen[name] = seen.get(name, 0) + 1
        return replace(good, model=name, disturbed=name == "kws" or (name == "ad" and seen[name] < 3))

    result = tmp_path / "litert.json"
    result.write_text(
        json.dumps({"models": [asdict(replace(good, model=n, disturbed=n == "vww")) for n in ("kws", "vww")]})
    )
    monkeypatch.setattr(litert, "RESULT", result)
    monkeypatch.setattr(litert, "compare", compare)
    monkeypatch.setattr(litert, "models", lambda *_: ((n, tmp_path, tmp_path) for n in ("ic", "kws", "ad")))
    monkeypatch.setattr(sys, "argv", ["litert.py", "--json"])
    assert litert.main() == 1
    assert seen == {"ic": 1, "kws": 3, "ad": 3}
    assert [row["model"] for row in json.loads(result.read_text())["models"]] == ["ic", "ad"]
    said = capsys.readouterr()
    assert "DISTURBED" in said.out and "in no file: kws" in said.err

    # With --only what the file says of others stays, but for what was disturbed.
    result.write_text(
        json.dumps({"models": [asdict(replace(good, model=n, disturbed=n == "vww")) for n in ("kws", "vww")]})
    )
    monkeypatch.setattr(litert, "models", lambda *_: iter([("ic", tmp_path, tmp_path)]))
    monkeypatch.setattr(sys, "argv", ["litert.py", "--json", "--only", "ic"])
    assert litert.main() == 0
    assert [row["model"] for row in json.loads(result.read_text())["models"]] == ["ic", "kws"]
