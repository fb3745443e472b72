"""The pictures of docs/how.md are those that benchmarks/drawings.py draws, and what they say fits into them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("packing", "kernel", "rows", "proof")
SVG = "{http://www.w3.org/2000/svg}"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # one imports the other by its name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawings() -> ModuleType:
    loaded("peer_chart")
    return loaded("drawings")


def test_every_picture_is_here_and_on_the_page(drawings: ModuleType) -> None:
    assert tuple(drawings.PICTURES) == NAMES
    page = (ROOT / "docs" / "how.md").read_text(encoding="utf-8")
    assert re.findall(r"\(how_(\w+)\.svg\)", page) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_current(name: str, drawings: ModuleType) -> None:
    found = (ROOT / "docs" / f"how_{name}.svg").read_text(encoding="utf-8")
    assert found == drawings.PICTURES[name](), "run: python benchmarks/drawings.py"


@pytest.mark.parametrize("name", NAMES)
def test_words_stay_within_the_picture(name: str) -> None:
    """By 0.55 of the font's size a character; DejaVu Sans, which is wide, has 0.52 in these sentences."""
    root = ElementTree.fromstring((ROOT / "docs" / f"how_{name}.svg").read_text(encoding="utf-8"))
    wide, high = float(root.attrib["width"]), float(root.attrib["height"])
    for word in root.iter(f"{SVG}text"):
        x, y, words = float(word.attrib["x"]), float(word.attrib["y"]), word.text or ""
        length = 0.55 * float(word.attrib["font-size"]) * len(words)
        begin = {"middle": x - length / 2, "end": x - length}.get(word.attrib.get("text-anchor", ""), x)
        assert begin >= 0 and begin + length <= wide and 0 < y <= high, words


def test_the_page_says_the_numbers_of_the_plan(drawings: ModuleType) -> None:
    """The arenas, and the rows between the two layers, are those that the compiler finds."""
    group, arena, fastest = drawings.digits()
    page = " ".join((ROOT / "docs" / "how.md").read_text(encoding="utf-8").split())
    assert f"falls from {fastest:,} to {arena:,} bytes" in page
    room, height = group.tensors[1].room, group.tensors[1].height
    assert (room, height) == (5, 8) and "never holds more than five of eight rows" in page
