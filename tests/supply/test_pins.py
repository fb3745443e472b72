"""What development is pinned to, and the wheel's bill of materials, against what pyproject.toml asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_bom import valid

pytest.importorskip("packaging", reason="requirements are read by the package packaging")
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgekc import __version__
from edgekc.files.toml_file import tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = PROJECT["project"]["optional-dependencies"]
# The environment that the pins are for.
PLACE = {"python_version": "3.11", "python_full_version": "3.11.7", "sys_platform": "linux", "extra": ""}
NOT_PINNED = ("torch", "keras", "tflite-runtime")  # gigabytes; and another numpy than all others
FOR_DEVELOPERS = ("dev", "docs", "release", "benchmarks", "tflite-runtime")
LINE = re.compile(r"([a-z0-9-]+)==(\S+) --hash=sha256:([0-9a-f]{64})")

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """Package to version."""
    lines = (ROOT / ".ci" / "requirements.txt").read_text().splitlines()
    found = [LINE.fullmatch(line) for line in lines if not line.startswith("#")]
    assert all(found), "a line is no pin of one file"
    names = [match[1] for match in found if match]
    assert names == sorted(set(names))
    return {match[1]: match[2] for match in found if match}


@pytest.fixture(scope="module")
def bill() -> dict[str, dict[str, object]]:
    """Package to its component."""
    document = json.loads((ROOT / ".ci" / "edgekc.cdx.json").read_bytes())
    assert document["metadata"]["component"]["purl"] == f"pkg:pypi/edgekc@{__version__}"
    return {part["name"]: part for part in document["components"]}


def asked(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for by itself and in extras, where the pins are for."""
    words = [*PROJECT["project"]["dependencies"], *(word for extra in extras for word in OPTIONAL[extra])]
    found = (Requirement(word) for word in words if not word.startswith("edgekc["))
    return [each for each in found if each.marker is None or each.marker.evaluate(PLACE)]


def test_the_pins_are_what_pyproject_asks_for(pins: dict[str, str]) -> None:
    wanted = asked(*(extra for extra in OPTIONAL if extra not in NOT_PINNED))
    wanted += map(Requirement, PROJECT["build-system"]["requires"])
    assert len(wanted) > 30
    for requirement in wanted:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not pinned: python .ci/pins.py"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} and not {version}"


def test_the_bill_names_what_a_user_may_get(pins: dict[str, str], bill: dict[str, dict[str, object]]) -> None:
    core = {canonicalize_name(each.name) for each in asked()}
    for requirement in asked(*(extra for extra in OPTIONAL if extra not in FOR_DEVELOPERS)):
        name = canonicalize_name(requirement.name)
        part = bill[name]
        assert requirement.specifier.contains(str(part["version"]))
        assert (part["scope"] == "required") or name not in core
    assert {name for name, part in bill.items() if part["scope"] == "required"} >= core
    assert "pytest" not in bill
    for name, part in bill.items():
        assert part["purl"] == f"pkg:pypi/{name}@{part['version']}"
        assert part["licenses"], name
        assert pins.get(name, part["version"]) == part["version"], "made at different times: python .ci/pins.py"


def test_the_schema_of_cyclonedx_takes_it() -> None:
    valid((ROOT / ".ci" / "edgekc.cdx.json").read_bytes())
