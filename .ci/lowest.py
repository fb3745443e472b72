"""Prints constraints for pip that take each declared dependency at its floor: the lowest versions that must work."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[\w,-]+\])?(?P<versions>[^;]*)(?:;(?P<marker>.*))?")
# Left out of the lowest environment, and why.
OTHERS = {
    "tflite-runtime": "takes the place of ai-edge-litert, with a numpy of its own",
    "torch": "the fast tier is tested without it",
    "tensorflow": "likewise",
}


def requirements(project: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(extra, requirement) for each; the extra of what is always needed is empty."""
    for requirement in project["dependencies"]:
        yield "", requirement
    for extra, rows in project["optional-dependencies"].items():
        for requirement in rows:
            yield extra, requirement


def floors(project: Mapping[str, Any]) -> dict[str, str]:
    """Package to the version that its requirement names after >=; ValueError where one names none, or two differ."""
    found: dict[str, str] = {}
    for extra, requirement in requirements(project):
        match = _REQUIREMENT.fullmatch(requirement.replace(" ", ""))
        assert match is not None, requirement
        name, versions = match["name"].lower(), match["versions"]
        if name == project["name"] or extra == "tflite-runtime" or name in OTHERS:
            continue
        low = re.fullmatch(r">=([\w.]+)", versions)
        if low is None:
            raise ValueError(f"{requirement}: no floor; write NAME>=VERSION")
        if found.setdefault(name, low[1]) != low[1]:
            raise ValueError(f"{requirement}: another floor is {found[name]}")
    return found


def main() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    for name, version in sorted(floors(project).items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
