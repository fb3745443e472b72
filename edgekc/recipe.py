"""A recipe (TOML) to validated settings: which layers are compressed how, and how the rest is quantised.

A key that does not exist, a value of the wrong type and a layer that the model does not have are errors that
name the nearest valid one; nothing is ignored and nothing is guessed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, Field, ValidationError

from .compression.steps.cluster import Cluster
from .compression.steps.codebook import Codebook
from .compression.steps.dominant import Dominant
from .compression.steps.gap import Gap
from .compression.steps.pairs import Pairs
from .compression.steps.statistics import Statistics
from .compression.steps.svd import Svd
from .errors import UsageError
from .files.sections import Section
from .files.toml_file import parse_toml, read_toml
from .names import nearest
from .quantize.settings import Quantize
from .train.steps.prune import Prune
from .train.steps.reconstruct import Reconstruct
from .train.steps.retrain import Retrain

VERSION = 1  # of the recipe's keys; a recipe that states another one is refused

# Every step that there is; the parser, its errors and `docs/compression.md` follow this list.
Step: TypeAlias = Cluster | Codebook | Pairs | Svd | Dominant | Gap | Prune | Reconstruct | Statistics | Retrain


class Recipe(Section):
    """How a float model becomes small and int8: steps that compress it, then its quantisation."""

    version: Literal[1] = Field(default=1, description="of the recipe's keys")
    compress: Annotated[
        tuple[Annotated[Step, Field(discriminator="method")], ...],
        Field(strict=False, description="steps, in the order in which they are applied"),
    ] = ()
    quantize: Quantize = Quantize()

    @property
    def trains(self) -> bool:
        """Whether a step trains on all samples."""
        return any(step.trains for step in self.compress)

    @property
    def text(self) -> str:
        """What a packed model says of its recipe: JSON of the keys that are no defaults."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)

    @property
    def needs_trainer(self) -> bool:
        """Whether a step computes with a trainer."""
        return any(step.needs_trainer for step in self.compress)

    @property
    def samples_wanted(self) -> int | None:
        """How many samples it makes use of; None: all, because it trains."""
        if self.trains:
            return None
        return max([self.quantize.samples, *(step.samples_wanted() for step in self.compress)])


def read(path: Path | None) -> Recipe:
    """The recipe of a file; without one, post-training quantisation alone."""
    return Recipe() if path is None else load(path)


def load(path: Path) -> Recipe:
    """Read and validate a recipe. UsageError names the file, the key and the nearest valid one."""
    return _checked(read_toml(path, UsageError), str(path))


def parse(text: str, where: str = "recipe") -> Recipe:
    """TOML text to a recipe; `where` names it in errors."""
    return _checked(parse_toml(text, where, UsageError), where)


def from_table(table: dict[str, Any], where: str = "recipe") -> Recipe:
    """A table with a recipe's keys, as TOML has them, to a recipe; `where` names it in errors."""
    return _checked(table, where)


def _checked(table: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise _usage_error(error, table, where) from None


def dump(recipe: Recipe) -> str:
    """TOML text with every key written out; `parse` makes the same recipe of it."""
    lines = [f"version = {recipe.version}", "", "[quantize]", *_pairs(recipe.quantize)]
    for step in recipe.compress:
        lines += ["", "[[compress]]", *_pairs(step)]
    return "\n".join(lines) + "\n"


def _pairs(section: BaseModel) -> list[str]:
    values = section.model_dump()
    # Strings, numbers, booleans and lists are written by JSON as TOML writes them.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]


def _usage_error(error: ValidationError, table: dict[str, Any], where: str) -> UsageError:
    """The first defect that pydantic found, as one line."""
    first = error.errors()[0]
    steps = {str(get_args(s.model_fields["method"].annotation)[0]): s for s in get_args(Step)}
    # Of a step pydantic names the method between index and key; the user's file has no such level.
    location = first["loc"]
    shown = [part for i, part in enumerate(location) if not (i == 2 and location[0] == "compress" and part in steps)]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in shown).lstrip(".")
    at = f"{where}: {place}" if place else where
    kind, context = first["type"], first.get("ctx", {})
    value = first.get("input")
    if kind == "extra_forbidden":
        section: type[BaseModel] = Recipe
        if location[0] == "quantize" and len(location) > 1:
            section = Quantize
        elif location[0] == "compress" and len(location) > 3:
            section = steps[str(location[2])]
        return UsageError("unknown key", where=at, fix=nearest(str(location[-1]), list(section.model_fields), "keys"))
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = str(value.get("method", "")) if isinstance(value, dict) else ""
        what = f"unknown method {tag!r}" if tag else "has no method"
        return UsageError(what, where=at, fix=nearest(tag, list(steps), "methods"))
    if kind == "literal_error":
        return UsageError(f"{value!r} is not {context['expected']}", where=at)
    if kind == "missing":
        return UsageError("is missing", where=at)
    if kind == "value_error":
        return UsageError(str(context["error"]), where=at)
    message = first["msg"].removeprefix("Input ").removesuffix(" or instance of Quantize")
    message = message[0].lower() + message[1:]
    words = (("tuple", "list"), ("dictionary or object to extract fields from", "table"), ("dictionary", "table"))
    for python, toml in words:
        message = message.replace(python, toml)
    return UsageError(f"{value!r}: {message}", where=at)
