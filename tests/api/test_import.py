"""`import edgekc` is at once and pulls nothing in; every public name is there, and says what it takes and raises."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import edgekc

ROOT = Path(edgekc.__file__).parent
_HEAVY = ("torch", "tensorflow", "onnx", "numpy", "rich", "typer", "pydantic", "jinja2", "elftools", "sklearn")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT.parent, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_is_light() -> None:
    found = json.loads(
        python(
            "import sys, time, json; before = time.process_time(); import edgekc; took = time.process_time() - before\n"
            f"print(json.dumps([took, [m for m in {_HEAVY!r} if m in sys.modules]]))"
        )
    )
    assert found[1] == []
    assert found[0] < 0.2


def test_every_name_is_there_and_listed() -> None:
    assert sorted(set(edgekc.__all__)) == sorted(edgekc.__all__)
    for name in edgekc.__all__:
        assert getattr(edgekc, name) is not None, name
    assert set(edgekc.__all__) <= set(dir(edgekc))
    assert set(edgekc._PLACE) <= set(edgekc.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        edgekc.nothing  # noqa: B018


def test_functions_are_there_behind_an_import_of_packages() -> None:
    """No package has the name of a function, in whose place importing it would put it."""
    said = python(
        "import edgekc, inspect\nimport edgekc.compression.walk, edgekc.api.compiling\n"
        "print(*inspect.signature(edgekc.compress).parameters)\n"
        "try:\n    edgekc.compress('none.onnx')\nexcept edgekc.UsageError as error:\n    print(error)\n"
    )
    assert said.startswith(
        "model data recipe validation test against int8 project name checkpoints device workers log on_progress\n"
        "none.onnx: cannot be read"
    )


def test_types_are_published() -> None:
    assert (ROOT / "py.typed").read_text() == ""


def public() -> dict[str, Any]:
    """Functions, classes and their methods, as a user calls them."""
    found: dict[str, Any] = {}
    for name in edgekc.__all__:
        value = getattr(edgekc, name)
        if isinstance(value, (str, ModuleType)):
            continue
        found[name] = value
        if inspect.isclass(value) and not issubclass(value, Exception):
            members = vars(value).items()
            found |= {f"{name}.{k}": v for k, v in members if not k.startswith("_") and callable(getattr(v, "fget", v))}
    return found


@pytest.mark.parametrize("name", sorted(public()))
def test_everything_is_documented(name: str) -> None:
    """Each argument that is not self-evident is named in Args, or in a docstring of one sentence."""
    value = public()[name]
    text = inspect.getdoc(getattr(value, "fget", value))
    assert text and len(text) > 15, name
    if not inspect.isfunction(value):
        return
    parameters = [p for p in inspect.signature(value).parameters if p not in ("self", "cls")]
    if len(parameters) > 1 and value.__module__.startswith("edgekc.api"):
        missing = [p for p in parameters if p not in text]
        assert missing == [], f"{name} says nothing of {missing}"
        assert "Raises:" in text, name
