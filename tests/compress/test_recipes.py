"""The recipes that come with the project are valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekc import recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "examples" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_valid(path: Path) -> None:
    loaded = recipe.load(path)
    assert loaded.compress
    assert recipe.parse(recipe.dump(loaded)) == loaded


def test_there_are_some() -> None:
    assert len(RECIPES) >= 2
