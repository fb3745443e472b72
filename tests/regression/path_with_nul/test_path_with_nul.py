"""A path with a NUL byte can name no file: whatever takes paths says so in one line of edgekc's own errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edgekc
from edgekc.files.images import reader

PATH = "a\0b"
MODEL = edgekc.DEMO_DATA / "digits_int8.tflite"
CALLS: dict[str, Callable[[edgekc.Program], Any]] = {
    "load": lambda _: edgekc.load(PATH),
    "compile": lambda _: edgekc.compile(f"{PATH}.ekc"),
    "keep": lambda _: edgekc.compile(MODEL, name="digits", keep=PATH),
    "check": lambda _: edgekc.check(PATH),
    "inspect": lambda _: edgekc.inspect(PATH),
    "open_program": lambda _: edgekc.open_program(PATH),
    "compare_builds": lambda _: edgekc.compare_builds(PATH, PATH),
    "make_report": lambda _: edgekc.make_report(PATH),
    "load_recipe": lambda _: edgekc.load_recipe(f"{PATH}.toml"),
    "save": lambda program: program.save(PATH),
    "verify": lambda program: program.verify(model=PATH, device=False),
    "evaluate": lambda program: program.evaluate(f"{PATH}.npz"),
    "image": lambda _: reader(Path())(PATH),
}


@pytest.fixture(scope="module")
def program() -> edgekc.Program:
    return edgekc.compile(MODEL, name="digits")


@pytest.mark.fast
@pytest.mark.parametrize("name", CALLS)
def test_one_line_of_ours(name: str, program: edgekc.Program) -> None:
    with pytest.raises(edgekc.UsageError, match=r"NUL|null byte"):
        CALLS[name](program)


@pytest.mark.fast
def test_keys() -> None:
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    with pytest.raises(edgekc.UsageError, match="NUL"):
        edgekc.make_keys(PATH)
