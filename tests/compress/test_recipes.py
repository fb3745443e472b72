"""The recipes that come with the project are valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

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


def test_the_table_of_methods_has_every_step_and_none_of_its_keys_is_made_up() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "compression.md").read_text()
    table = page.split("## The methods")[1].split("\n\n")[1].splitlines()[2:]
    rows = {re.findall(r"`(.+?)`", cells[1])[0]: cells[-2] for cells in (line.split("|") for line in table)}
    steps = {get_args(step.model_fields["method"].annotation)[0]: step for step in get_args(recipe.Step)}
    assert rows.keys() == steps.keys()
    for method, keys in rows.items():
        named = set(re.findall(r"`(.+?)`", keys)) - {"retrain"}  # whose keys those of `prune` are too
        assert named <= steps[method].model_fields.keys(), method
    assert sum("`bits`" in keys for keys in rows.values()) == 2
