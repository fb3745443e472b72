"""Tables of a file's keys for the documentation, from the JSON schema of the class that reads the file."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest
from pydantic import BaseModel

# Older releases of pydantic write the same schema in other words, as a reference within allOf.
same_words = pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 11), reason="this pydantic words a JSON schema otherwise"
)

RANGES = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def kind(field: dict[str, Any], defs: dict[str, Any]) -> str:
    """Type and range of one key, from its JSON schema."""
    if "$ref" in field:
        return kind(defs[field["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in field:
        return " or ".join(kind(one, defs) for one in field["anyOf"] if one.get("type") != "null")
    if field.get("type") == "object":
        return "table"
    if "const" in field or "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        if "prefixItems" in field:
            return f"list of {len(field['prefixItems'])}: " + ", ".join(kind(one, defs) for one in field["prefixItems"])
        return f"list of {kind(field['items'], defs)}"
    ranges = "".join(f" {sign} {field[key]}" for key, sign in RANGES.items() if key in field)
    return f"{field['type']}{ranges}"


def table(section: type[BaseModel]) -> str:
    """A row for each key: name, type and range, default, meaning."""
    schema = section.model_json_schema()
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in schema["properties"].items():
        needed = key in schema.get("required", [])
        written = field.get("default") is not None and not isinstance(field["default"], dict)
        default = "needed" if needed else f"`{json.dumps(field['default'])}`" if written else ""
        meaning = field.get("description", "") or ("which step it is" if key == "method" else "")
        cells = (f"`{key}`", kind(field, schema.get("$defs", {})), default, meaning)
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows)


def bare(section: type[BaseModel]) -> list[str]:
    """The keys of a section that have no meaning written beside them."""
    fields = section.model_json_schema()["properties"].items()
    return [f"{section.__name__}.{key}" for key, field in fields if not field.get("description")]
