"""What a project's samples were used for, in a file beside its models: a test part that has chosen judges no more.

The file says of each run which parts it had, by hash, and of which model and recipe. It holds no samples and no time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import UsageError
from .files.output import write_file
from .parts import Part

FILE = "edgekc-data.json"
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Use:
    """What one run did with one part.

    Attributes:
        part: `train`, `validation` or `test`; `data` is what both were split off from.
        sha256: see `parts.Part`.
        where: what it was called.
        run: hash of the float model and the recipe.
        output: the network's name.
    """

    part: str
    sha256: str
    where: str
    run: str
    output: str


def read(folder: Path) -> tuple[Use, ...]:
    """The uses so far; none without a file. UsageError where the file is something else."""
    path = folder / FILE
    try:
        found = json.loads(path.read_bytes())
        if found["schema"] != _SCHEMA:
            raise ValueError
        return tuple(Use(**{key: str(each[key]) for key in Use.__dataclass_fields__}) for each in found["uses"])
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise UsageError("is no record of what samples were used for", where=str(path), fix="move it away") from error


def flags(uses: Sequence[Use], test: Part, run: str) -> list[str]:
    """What speaks against a test part: earlier runs that learned from it, or were compared by it."""
    same = [use for use in uses if use.sha256 == test.sha256]
    found = []
    if learned := sorted({use.output for use in same if use.part != "test"}):
        found.append(f"the test samples of {test.where} trained or chose in earlier runs here ({', '.join(learned)})")
    if others := {use.run for use in same if use.part == "test"} - {run}:
        count = f"{len(others)} other model" + ("s" if len(others) > 1 else "")
        found.append(
            f"the test samples of {test.where} have judged {count} here: whichever of them is kept was "
            "chosen by its own test, which flatters it"
        )
    return found


def add(folder: Path, parts: Sequence[tuple[str, Part]], run: str, output: str) -> None:
    """Record a run's parts, once each. UsageError where the file cannot be written."""
    known = list(read(folder))
    known += [use for part, each in parts if (use := Use(part, each.sha256, each.where, run, output)) not in known]
    found: dict[str, Any] = {"schema": _SCHEMA, "uses": [asdict(use) for use in dict.fromkeys(known)]}
    write_file(folder / FILE, (json.dumps(found, indent=1) + "\n").encode())
