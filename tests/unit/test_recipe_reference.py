"""docs/recipe.md and docs/recipe.schema.json are those of the recipe's classes.

`python tests/unit/test_recipe_reference.py` writes both anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

from edgekc.quantize.settings import Quantize
from edgekc.recipe import Recipe, Step

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from schema_tables import bare, same_words, table

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = """# The recipe's keys

A recipe is a TOML file. `edgekc compress --recipe FILE` reads it. [Compression](compression.md) says what each method
does, and [Quantising](quantising.md) what the table `quantize` does. A key that is not listed here is an error.

Editors can check a recipe by [the JSON schema](recipe.schema.json). It has types and ranges. edgekc also checks which
keys go together.

`python tests/unit/test_recipe_reference.py` writes this page and the schema from the classes that read a recipe.
"""


def page() -> str:
    top = (
        "## The whole file\n\n| key | meaning |\n|---|---|\n| `version` | of the recipe's keys; it is 1 |\n"
        "| `[[compress]]` | a step; steps are applied in the order of the file |\n"
        "| `[quantize]` | how the rest becomes int8 |\n"
    )
    parts = [HEAD, top, f"## `[quantize]`\n\n{table(Quantize)}\n"]
    for step in get_args(Step):
        method = get_args(step.model_fields["method"].annotation)[0]
        parts.append(f'## `method = "{method}"`\n\n{table(step)}\n')
    return "\n".join(parts)


def schema() -> str:
    return json.dumps(Recipe.model_json_schema(), indent=1, sort_keys=True) + "\n"


@same_words
def test_page_is_current() -> None:
    assert (DOCS / "recipe.md").read_text(encoding="utf-8") == page(), f"run python {Path(__file__).name}"


@same_words
def test_schema_is_current() -> None:
    assert (DOCS / "recipe.schema.json").read_text(encoding="utf-8") == schema(), f"run python {Path(__file__).name}"


def test_every_key_has_a_meaning() -> None:
    keys = [key for section in (Quantize, *get_args(Step)) for key in bare(section)]
    assert [key for key in keys if not key.endswith(".method")] == []


if __name__ == "__main__":
    (DOCS / "recipe.md").write_text(page(), encoding="utf-8")
    (DOCS / "recipe.schema.json").write_text(schema(), encoding="utf-8")
