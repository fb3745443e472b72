"""Writes what development is pinned to: .ci/requirements.txt, and .ci/edgekc.cdx.json, the wheel's bill of materials.

    python .ci/pins.py    # with pip 25.1 or newer and the package `packaging`, on Linux x86-64, CPython 3.11

pip says which file of each package it would install, with its SHA-256 (`--dry-run --report`). The pins name that one
file. The bill names what a user's environment may get: the dependencies of edgekc and of each extra for users.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PINS, BILL = ROOT / ".ci" / "requirements.txt", ROOT / ".ci" / "edgekc.cdx.json"
EXTRAS = ("dev", "docs", "release", "search", "benchmarks")  # as .ci/run has them; the others are in these
FOR_USERS = ("arm", "demo", "litert", "flash", "data", "compress", "search", "onnx", "update", "fuzz", "torch", "keras")
LARGE = ("torch", "keras")  # extras of gigabytes: named in the bill, not pinned, without what they need themselves
# Words that say which licence it is; others are passed on as they are.
SPDX = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    **{word: word for word in ("MIT", "BSD-3-Clause", "MPL-2.0 AND MIT")},  # of the older field License
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
}
HEADER = """\
# What development and its checks are pinned to, on Linux x86-64 with CPython 3.11; made by `python .ci/pins.py`.
# pip install --require-hashes -r .ci/requirements.txt && pip install --no-deps --no-build-isolation -e .
"""


def report(*words: str) -> list[dict[str, Any]]:
    """What pip would install into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", str(path), *words], check=True, cwd=folder)
        rows: list[dict[str, Any]] = json.loads(path.read_text())["install"]
    return [row for row in rows if canonicalize_name(row["metadata"]["name"]) != "edgekc"]


def name_of(row: Mapping[str, Any]) -> str:
    return canonicalize_name(row["metadata"]["name"])


def pins(rows: Iterable[Mapping[str, Any]]) -> str:
    lines = []
    for row in sorted(rows, key=name_of):
        digest = row["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name_of(row)}=={row['metadata']['version']} --hash=sha256:{digest}\n")
    return HEADER + "".join(lines)


def needed(requirements: Iterable[str], extras: Iterable[str] = ("",)) -> dict[str, Requirement]:
    """Requirements that count here, by name; those of extras of a package where the extra is asked for."""
    found = {}
    for requirement in map(Requirement, requirements):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            found[canonicalize_name(requirement.name)] = requirement
    return found


def closure(start: Mapping[str, Requirement], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Each package that these need, to those that it needs itself."""
    found: dict[str, set[str]] = {}
    todo = {name: ("", *requirement.extras) for name, requirement in start.items()}
    while todo:
        name, extras = todo.popitem()
        if name in found or name not in rows:
            continue
        below = needed(rows[name]["metadata"].get("requires_dist", ()), extras)
        found[name] = set(below)
        todo |= {other: ("", *requirement.extras) for other, requirement in below.items() if other not in found}
    return found


def licence(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a package states of its licence, in CycloneDX's words."""
    named = [c.rpartition(" :: ")[2] for c in metadata.get("classifier", ()) if c.startswith("License :: ")]
    if not named:
        named = [str(metadata.get("license") or "not stated").splitlines()[0][:60]]
    expression = metadata.get("license_expression") or (SPDX.get(named[0]) if len(named) == 1 else None)
    if expression is None:
        return [{"license": {"name": name}} for name in named]
    return [{"expression": expression} if " " in expression else {"license": {"id": expression}}]


def bill(project: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The wheel's bill: each component with its version here, its licence, and the extras that bring it."""
    sys.path.insert(0, str(ROOT))
    from edgekc.packages.bom import LICENSE, document

    optional = project["optional-dependencies"]
    direct = {"": needed(project["dependencies"])}
    for extra in FOR_USERS:
        plain = [word for word in optional[extra] if not word.startswith("edgekc[")]
        direct[extra] = needed(plain)
    brought = {extra: closure(start, rows) for extra, start in direct.items()}
    stated = {name: requirement for start in direct.values() for name, requirement in start.items()}
    reference = {name: f"pkg:pypi/{name}@{row['metadata']['version']}" for name, row in rows.items()}
    parts, depends = [], {}
    for name in sorted(set().union(*brought.values())):
        extras = [extra for extra in FOR_USERS if name in brought[extra]]
        properties = [{"name": "edgekc:extra", "value": extra} for extra in extras if name not in brought[""]]
        if name in stated:
            properties.append({"name": "edgekc:requirement", "value": str(stated[name])})
        parts.append(
            {
                "type": "library",
                "bom-ref": reference[name],
                "name": name,
                "version": rows[name]["metadata"]["version"],
                "purl": reference[name],
                "scope": "required" if name in brought[""] else "optional",
                "licenses": licence(rows[name]["metadata"]),
                "properties": properties,
            }
        )
        below = set().union(*(found.get(name, set()) for found in brought.values()))
        depends[reference[name]] = sorted(reference[other] for other in below if other in rows)
    about = {
        "type": "library",
        "bom-ref": f"pkg:pypi/edgekc@{project['version']}",
        "name": "edgekc",
        "version": project["version"],
        "purl": f"pkg:pypi/edgekc@{project['version']}",
        "licenses": [{"license": {"id": LICENSE}}],
    }
    depends[about["bom-ref"]] = sorted({reference[name] for name in stated if name in rows})
    return document(about, parts, depends=depends, complete=False)


def main() -> None:
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = whole["project"]
    development = report(f"{ROOT}[{','.join(EXTRAS)}]", *whole["build-system"]["requires"])
    PINS.write_text(pins(development))
    large = report("--no-deps", *(word for extra in LARGE for word in project["optional-dependencies"][extra]))
    BILL.write_bytes(bill(project, {name_of(row): row for row in (*large, *development)}))


if __name__ == "__main__":
    main()
