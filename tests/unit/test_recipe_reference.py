"""docs/recipe.md and docs/recipe.schema.json are those of the recipe's classes.

`python tests/unit/test_recipe_reference.py` writes both anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pydantic
import pytest
from pydantic import BaseModel

from edgekc.quantize.settings import Quantize
from edgekc.recipe import Recipe, Step

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = """# The recipe's keys

A recipe is a TOML file. `edgekc compress --recipe FILE` reads it. [Compression](compression.md) says what each method
does, and [Quantising](quantising.md) what the table `quantize` does. A key that is not listed here is an error.

Editors can check a recipe by [the JSON schema](recipe.schema.json). It has types and ranges. edgekc also checks which
keys go together.

`python tests/unit/test_recipe_reference.py` writes this page and the schema from the classes that read a recipe.
"""
RANGES = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def kind(field: dict[str, Any], defs: dict[str, Any]) -> str:
    """Type and range of one key, from its JSON schema."""
    if "$ref" in field:
        return kind(defs[field["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in field:
        return " or ".join(kind(one, defs) for one in field["anyOf"] if one.get("type") != "null")
    if "const" in field or "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        if "prefixItems" in field:
            return f"list of {len(field['prefixItems'])}: " + ", ".join(kind(one, defs) for one in field["prefixItems"])
        return f"list of {kind(field['items'], defs)}"
    ranges = "".join(f" {sign} {field[key]}" for key, sign in RANGES.items() if key in field)
    return f"{field.get('type', 'table')}{ranges}"


def table(section: type[BaseModel]) -> str:
    """A row for each key: name, type and range, default, meaning."""
    schema = section.model_json_schema()
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in schema["properties"].items():
        needed = key in schema.get("required", [])
        default = (
            "needed" if needed else f"`{json.dumps(field['default'])}`" if field.get("default") is not None else ""
        )
        meaning = field.get("description", "") or ("which step it is" if key == "method" else "")
        cells = (f"`{key}`", kind(field, schema.get("$defs", {})), default, meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows)


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


# Older releases of pydantic write the same schema in other words, as a reference within allOf.
same_words = pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 11), reason="this pydantic words a JSON schema otherwise"
)


@same_words
def test_page_is_current() -> None:
    assert (DOCS / "recipe.md").read_text(encoding="utf-8") == page(), f"run python {Path(__file__).name}"


@same_words
def test_schema_is_current() -> None:
    assert (DOCS / "recipe.schema.json").read_text(encoding="utf-8") == schema(), f"run python {Path(__file__).name}"


def test_every_key_has_a_meaning() -> None:
    bare = [
        f"{section.__name__}.{key}"
        for section in (Quantize, *get_args(Step))
        for key, field in section.model_json_schema()["properties"].items()
        if key != "method" and not field.get("description")
    ]
    assert not bare


if __name__ == "__main__":
    (DOCS / "recipe.md").write_text(page(), encoding="utf-8")
    (DOCS / "recipe.schema.json").write_text(schema(), encoding="utf-8")
