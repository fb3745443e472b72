"""The answers to findings of static analysis: what .ci/static.py compares them with, without the tools themselves."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edgekc.assets import RUNTIME_C

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def static() -> ModuleType:
    spec = importlib.util.spec_from_file_location("static", ROOT / ".ci" / "static.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["static"] = module
    spec.loader.exec_module(module)
    return module


def test_each_answer_is_about_a_file_and_has_a_reason(static: ModuleType) -> None:
    told = static.tomllib.loads(static.ANSWERS.read_text())
    assert told["versions"].keys() == {"gcc", "clang-tidy", "cppcheck"}
    keys = [(answer["tool"], answer["check"], file) for answer in told["answer"] for file in answer["files"]]
    assert len(set(keys)) == len(keys)
    known = {path.name for path in RUNTIME_C.rglob("*.[ch]")}
    assert {file for _, _, file in keys} <= known
    assert all(answer["tool"] in told["versions"] and answer["reason"].endswith(".") for answer in told["answer"])


@pytest.mark.parametrize(
    ("line", "check", "text"),
    [
        ("a/x.c:3:7: warning: leak of 'p' [CWE-401] [-Wanalyzer-malloc-leak]", "Wanalyzer-malloc-leak", "[CWE-401]"),
        (
            "/b/x.c:3:7: warning: narrow [bugprone-narrowing-conversions,cert-x]",
            "bugprone-narrowing-conversions",
            "nar",
        ),
        (
            "x.c:3:7: warning: Condition 'k>=n' is always true [knownConditionTrueFalse]",
            "knownConditionTrueFalse",
            "k>",
        ),
    ],
)
def test_lines_of_each_tool_are_read(static: ModuleType, line: str, check: str, text: str) -> None:
    tool = static.Tool("t", "1", [(sys.executable, "-c", f"print({line!r})")])
    (found,) = static.findings(tool)
    assert (found.tool, found.check, found.file, found.line) == ("t", check, "x.c", 3)
    assert text in found.text


def test_findings_without_answers_and_answers_without_findings(static: ModuleType) -> None:
    found = {static.Finding("t", "c", "x.c", 3, "bad"), static.Finding("t", "c", "y.c", 4, "bad")}
    answers = [{"tool": "t", "check": "c", "files": ["x.c", "z.c"]}]
    new, stale = static.unanswered(found, answers)
    assert [finding.file for finding in new] == ["y.c"]
    assert stale == ["t c z.c"]


def test_a_tool_that_fails_is_no_clean_run(static: ModuleType) -> None:
    tool = static.Tool("t", "1", [(sys.executable, "-c", "raise SystemExit('no such option')")])
    with pytest.raises(SystemExit, match="no such option"):
        static.findings(tool)
