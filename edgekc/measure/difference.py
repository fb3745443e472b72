"""Turns two measurements into what grew and what shrank: flash by kind and layer, RAM, instructions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..errors import UsageError


@dataclass(frozen=True, slots=True)
class Change:
    what: str
    before: int | None  # None: it was not there
    after: int | None

    @property
    def delta(self) -> int:
        return (self.after or 0) - (self.before or 0)

    @property
    def differs(self) -> bool:
        """Also where one of the two has no such figure."""
        return bool(self.delta) or self.before is None or self.after is None


def read_measurement(path: Path) -> dict[str, Any]:
    """What `edgekc measure --json` printed, from a file.

    Raises:
        UsageError: it is something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        figures(data)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UsageError(
            f"not a measurement ({error})", where=str(path), fix="pass a compiled folder, or a file of `measure --json`"
        ) from error
    return dict(data)


def figures(m: Mapping[str, Any]) -> dict[str, int]:
    """Every figure that two builds can be compared by, in the order of the report."""
    found: dict[str, int] = {"flash of the model": int(m["model_flash_bytes"])}
    kinds: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    for entry in m["ledger"]["flash"]:
        if entry["of_model"]:
            kinds[entry["kind"]] += int(entry["size_bytes"])
    for row in m["by_layer"]:
        layers[row["layer"]] += int(row["size_bytes"])
    found |= {f"flash, {kind}": size for kind, size in kinds.items()}
    found |= {f"flash, layer {layer}": size for layer, size in layers.items()}
    found["arena"] = int(m["arena_bytes"])
    if m.get("state_bytes"):
        found["state"] = int(m["state_bytes"])
    if m["model_ram_bytes"] is not None:
        found["RAM of the model"] = int(m["model_ram_bytes"])
    stack = m["stack_bytes"] if m["stack_bytes"] is not None else m["painted_stack_bytes"]
    if stack is not None:
        found["peak stack"] = int(stack)
    for what in ("instructions", "cycles"):  # of an emulator, of a board
        if m.get(what):
            found[what] = int(m[what][0])
        found |= {f"{what}, layer {y['name']}": int(y[what][0]) for y in m["layers"] if y.get(what)}
    if m.get("speed"):
        found["estimated cycles"] = round(m["speed"]["cycles"]["likely"])
    return found


def compare_measurements(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """All figures of either, those of the first in its order."""
    a, b = figures(before), figures(after)
    return tuple(Change(what, a.get(what), b.get(what)) for what in dict.fromkeys((*a, *b)))


def changes_sheet(title: str, names: tables.Column | str, changes: Iterable[Change]) -> tables.Sheet:
    """A table of changes, a figure each; `names` is the column of what they are."""
    sheet = tables.Sheet(title, names, *map(tables.number, ("before", "after", "change")))
    for c in changes:
        sheet.add(c.what, tables.size(c.before, ""), tables.size(c.after, ""), f"{c.delta:+,}")
    return sheet
