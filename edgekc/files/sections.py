"""What every table of a recipe is: settings that are frozen, and strict about types and keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

Fraction: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32)]


def _share_or_auto(value: Any) -> float | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(f'{value!r} is neither "auto" nor a number from 0 to 1')
    return float(value)


# What the validator takes, for the reference and for editors: pydantic cannot read it from the function.
_SHARE_SCHEMA = {"anyOf": [dict(type="number", minimum=0, maximum=1), {"const": "auto"}]}
ShareOrAuto: TypeAlias = Annotated[
    float | Literal["auto"], PlainValidator(_share_or_auto), WithJsonSchema(_SHARE_SCHEMA)
]


class Section(BaseModel):
    """A table: its fields are the keys. Strict about types (no "4" for 4) and about keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def exactly_one(section: Section, first: str, second: str) -> None:
    """ValueError unless one of two keys is there, and the other is not."""
    if (getattr(section, first) is None) == (getattr(section, second) is None):
        raise ValueError(f"needs either {first} or {second}")
