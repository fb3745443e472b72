"""Files on disk to what they hold: packed models, compiled folders, firmware, and how two builds differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..files.place import recover
from ..format import inspect as inspect_report
from ..measure import difference
from ..pipeline import read_model
from .compiling import open_program
from .program import Program
from .results import Costs


@dataclass(frozen=True, slots=True)
class Inspection(tables.Shown):
    """What an .ekc file says about itself: `to_dict()` has header, sections, inputs, outputs, layers and metadata."""

    found: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc inspect --json` prints; its keys are a contract, see its `schema`."""
        return dict(self.found)

    def parts(self) -> list[tables.Part]:
        """The same as tables."""
        return inspect_report.parts(dict(self.found))


def inspect(source: Any) -> Inspection:
    """Read an .ekc file and check every byte of it.

    Args:
        source: its path; or a Packed, or the Model or Program of a packed model.

    Raises:
        UsageError: it cannot be read.
        FormatError: it is damaged, or no .ekc file.
    """
    if isinstance(source, (str, Path)):
        return Inspection(inspect_report.report(read_model(Path(source)), str(source)))
    data = source.ekc if hasattr(source, "ekc") else source.data
    return Inspection(inspect_report.report(data, f"{source.name}.ekc"))


@dataclass(frozen=True, slots=True)
class Difference(tables.Shown):
    """Two builds, figure by figure.

    Attributes:
        before, after: what they are called.
        changes: every figure of either, in the order of the report.
    """

    before: str
    after: str
    changes: tuple[difference.Change, ...]

    @property
    def changed(self) -> tuple[difference.Change, ...]:
        """Only the figures that differ, or that one of the two has not."""
        return tuple(c for c in self.changes if c.differs)

    def to_dict(self) -> dict[str, Any]:
        """`rows` is what `edgekc diff --json` prints."""
        rows = [{**asdict(c), "delta": c.delta} for c in self.changes]
        return {"before": self.before, "after": self.after, "rows": rows}

    def parts(self) -> list[tables.Part]:
        """The figures that differ."""
        return self.table(self.changed)

    def table(self, changes: tuple[difference.Change, ...]) -> list[tables.Part]:
        """Some of the figures."""
        if not changes:
            return ["no figure differs"]
        return [difference.changes_sheet(f"{self.before} -> {self.after}", tables.words(""), changes)]


def compare_builds(before: Any, after: Any, *, board: str = "") -> Difference:
    """Two builds: flash by kind and layer, arena, stack, instructions.

    Args:
        before: a compiled folder, a file of `edgekc measure --json`, a Program, or Costs. Folders and programs are
            measured with one inference.
        after: likewise.
        board: for folders. Default: what each was compiled for.

    Raises:
        UsageError: one of them is something else.
        BoardError, CapacityError, ToolError: as `Program.measure`.
    """
    changes = difference.compare_measurements(_figures(before, board), _figures(after, board))
    return Difference(_title(before), _title(after), changes)


def _title(build: Any) -> str:
    if isinstance(build, (str, Path)):
        return str(build)
    return str(getattr(build, "network", "") or build.name)


def _figures(build: Program | Costs | str | Path, board: str) -> dict[str, Any]:
    if isinstance(build, (str, Path)):
        path = Path(build)
        recover(path)
        if not path.is_dir():
            return difference.read_measurement(path)
        build = open_program(path, board=board)
    if isinstance(build, Program):
        build = build.measure(samples=1)
    assert isinstance(build, Costs)
    return json.loads(json.dumps(build.measurement.as_json()))  # type: ignore[no-any-return]
