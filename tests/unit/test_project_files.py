"""CITATION.cff, CHANGELOG.md and pyproject.toml agree, and say what a reader of each looks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edgekc import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_citation_is_valid_and_names_the_papers() -> None:
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert found.keys() >= {"cff-version", "message", "title", "authors"}  # required by version 1.2.0
    assert found["cff-version"] == "1.2.0"
    assert (found["type"], found["version"], found["license"]) == ("software", __version__, "Apache-2.0")
    assert all({"title", "type", "authors"} <= paper.keys() for paper in found["references"])
    assert {paper["type"] for paper in found["references"]} <= {"article", "conference-paper", "thesis"}
    for paper in [found, *found["references"]]:
        assert all(person.keys() in ({"name"}, {"family-names", "given-names"}) for person in paper["authors"])
    # Every paper whose DOI a docstring gives is there.
    source = "".join(p.read_text() for p in sorted((ROOT / "edgekc").rglob("*.py")))
    dois = set(re.findall(r"doi\s+(10\.\d+/[\w./-]*\w)", source))
    assert len(dois) == 3
    assert {paper["doi"] for paper in found["references"]} == dois


def test_changelog_has_a_place_for_what_comes_and_known_headings() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)", text, re.MULTILINE)) <= kinds


def test_versions_agree() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert re.findall(r'^version = "(.+)"$', project, re.MULTILINE) == [__version__]


def test_commands_of_results_have_no_path_of_one_machine() -> None:
    texts = [path.read_text() for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))]
    commands = [data["command"] for data in map(json.loads, texts) if "command" in data]
    assert len(commands) > 5
    assert [command for command in commands if re.search(r"(^|[\s='\"])/", command)] == []
