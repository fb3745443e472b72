"""The tests' own order: docs/testing.md names every room, tiers and options choose what they say, floors are told."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import chosen
import pytest
import reached
import started
import tiers

ROOT = Path(__file__).resolve().parents[2]
TESTING = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_no_two_files_have_a_name() -> None:
    """pytest imports a file by its name alone, but in a folder that is a package."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    names = Counter(path.name for path in files)
    assert [str(path.relative_to(ROOT)) for path in sorted(files) if names[path.name] > 1] == []


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def item(path: str, name: str = "test_it", *marks: str, **params: str) -> pytest.Item:
    """What `chosen` looks at of a test."""
    made: Any = SimpleNamespace(
        path=ROOT / "tests" / path, name=name, originalname=name, nodeid=f"tests/{path}::{name}"
    )
    made.get_closest_marker = lambda mark: mark if mark in marks else None
    made.listchain = lambda: [SimpleNamespace(nodeid=f"tests/{path}"), made]
    if params:
        made.callspec = SimpleNamespace(params=params)
    return cast(pytest.Item, made)


def test_a_file_that_starts_a_program_is_told() -> None:
    report: Any = SimpleNamespace(nodeid="tests/a/test_b.py::test_c", user_properties=[])

    def reports(watch: started.Watch) -> Any:
        wrapper = watch.pytest_runtest_makereport()
        next(wrapper)
        with pytest.raises(StopIteration) as stop:
            wrapper.send(report)
        return stop.value.value

    watch = started.Watch()
    assert started.file_of(reports(watch)) is None
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert started.file_of(reports(watch)) == "tests/a/test_b.py"
    report.user_properties.clear()
    assert started.file_of(reports(watch)) is None


def test_every_room_is_described() -> None:
    rooms = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("*.*"))}
    named = set(re.findall(r"^\| `tests/(\w+)/` \| \S", TESTING, re.MULTILINE))
    assert named == rooms - {"__pycache__"}


def test_every_option_and_variable_is_described() -> None:
    options = re.findall(r'addoption\("(--[\w-]+)"', (ROOT / "tests" / "conftest.py").read_text())
    assert len(options) >= 3
    assert [option for option in options if f"`{option}" not in TESTING] == []
    used = set()
    for path in [*(ROOT / "tests").rglob("*.py"), *(ROOT / "edgekc").rglob("*.py"), ROOT / ".ci" / "run"]:
        used |= set(re.findall(r"\bEDGEKC_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
    shipped = set(re.findall(r"^\| `(\w+)` \|", TESTING, re.MULTILINE))
    assert {name for name in used if name.startswith("EDGEKC_TEST_")} <= shipped


def test_fast_rooms_exist_and_slow_tests_are_not_among_them() -> None:
    assert chosen.is_fast(item("unit/test_arena.py"))
    assert not chosen.is_fast(item("unit/test_arena.py", "test_it", "slow"))
    assert not chosen.is_fast(item("wheel/test_wheel.py"))
    for name in (*tiers.FAST, *tiers.NOT_FAST, *tiers.SLOW, *tiers.SWEEPS):
        path, _, test = name.partition("::")
        assert (ROOT / "tests" / path).exists(), name
        assert not test or f"def {test.partition('[')[0]}" in (ROOT / "tests" / path).read_text(encoding="utf-8"), name
    assert chosen.is_slow(item("ops/test_clustered.py", "test_the_overflow_proof_at_its_bound[clustered_conv2d]"))
    assert not chosen.is_slow(
        item("ops/test_clustered.py", "test_the_overflow_proof_at_its_bound[clustered_depthwise]")
    )
    every = "test_every_case_on_the_core"
    assert chosen.is_slow(item("cross/test_extensions.py", f"{every}[rpi5]"))
    assert chosen.is_slow(item("cross/test_extensions.py", f"{every}[m0plus-an385]"))


def test_tests_of_one_operator() -> None:
    assert chosen.is_about(item("ops/a.py", op="conv2d"), "conv2d")
    assert chosen.is_about(item("ops/a.py", symbol="ek_conv1x1_s8_dsp"), "conv2d")
    assert not chosen.is_about(item("ops/a.py", op="template_conv2d"), "conv2d")
    assert not chosen.is_about(item("ops/a.py", board="mps2-an386"), "conv2d")
    assert chosen.is_about(item("ops/a.py", "test_any_conv2d"), "conv2d")
    assert not chosen.is_about(item("ops/a.py", "test_any_clustered_conv2d"), "conv2d")
    assert chosen.may_be_about(ROOT / "tests/ops/test_properties.py", "add")
    assert not chosen.may_be_about(ROOT / "tests/unit/test_arena.py", "template_conv2d")
    with pytest.raises(pytest.UsageError, match="no such operator; there are: conv2d"):
        chosen.check_operator("conv2")


def test_tests_that_another_run_skipped(tmp_path: Path) -> None:
    with pytest.raises(pytest.UsageError, match="no run of the tests there"):
        chosen.noted_in(tmp_path, "edgekc/skipped", "--skipped-in")
    cache = tmp_path / ".pytest_cache" / "v" / "edgekc"
    cache.mkdir(parents=True)
    (cache / "skipped").write_text(json.dumps(["tests/train/test_net.py", "tests/unit/test_a.py::test_it"]))
    names = chosen.noted_in(tmp_path, "edgekc/skipped", "--skipped-in")
    assert chosen.is_among(item("train/test_net.py", "test_anything"), names)
    assert chosen.is_among(item("unit/test_a.py"), names)
    assert not chosen.is_among(item("unit/test_a.py", "test_other"), names)


def test_modules_are_those_with_functions() -> None:
    found = reached.modules()
    assert {"pipeline.py", "cli/main.py", "train/net.py", "importers/keras/importer.py"} <= found
    assert "errors.py" in found and "importers/tflite/names.py" in found
    assert len(found) > 100


def test_every_dependency_has_a_floor() -> None:
    lowest = script("lowest")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = lowest.floors(project)
    rows = {re.split(r"[\[<>=;]", row)[0].lower() for _, row in lowest.requirements(project)}
    assert rows - set(floors) - {project["name"], *lowest.OTHERS} == set()
    bare = {"name": "x", "dependencies": ["numpy"], "optional-dependencies": {}}
    with pytest.raises(ValueError, match="numpy: no floor"):
        lowest.floors(bare)
    two = {"name": "x", "dependencies": ["numpy>=1.26"], "optional-dependencies": {"a": ["numpy>=2"]}}
    with pytest.raises(ValueError, match=r"another floor is 1\.26"):
        lowest.floors(two)
    printed = subprocess.run([sys.executable, ROOT / ".ci" / "lowest.py"], capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == [f"{name}=={version}" for name, version in sorted(floors.items())]
