"""What a run of a recipe has done so far, in a folder: a killed run resumes behind the last finished step.

A checkpoint is valid for one model, recipe up to that step, and data; one of anything else is not taken. A file that
is there is whole. Files hold arrays, numbers and names (`edgekc.files.records`): nothing in them is run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..data import Dataset
from ..errors import EdgekcError, UsageError
from ..files import records
from ..files.output import write_file
from ..files.place import naming
from ..graph.ir import Graph, dump
from ..ops import legal
from .state import State

if TYPE_CHECKING:
    from ..recipe import Recipe


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A folder of states, one for each step; without a folder nothing is kept."""

    folder: Path | None
    keys: tuple[str, ...]  # of each step: what its result depends on

    @staticmethod
    def open(
        folder: Path | None, graph: Graph, recipe: Recipe, samples: Dataset, validation: Dataset | None = None
    ) -> Checkpoints:
        """The checkpoints of a run; the folder is made where it is not there."""
        if folder is None:
            return Checkpoints(None, ())
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(__version__.encode())
        digest.update(dump(graph).encode())
        for part in (samples, validation):
            for array in () if part is None else (part.x, part.y, part.starts):
                digest.update(b"" if array is None else array.tobytes())
        digest.update(json.dumps(recipe.quantize.model_dump(mode="json"), sort_keys=True).encode())
        keys = []
        for step in recipe.compress:
            digest.update(json.dumps(step.model_dump(mode="json"), sort_keys=True).encode())
            keys.append(digest.hexdigest()[:16])
        return Checkpoints(folder, tuple(keys))

    def load(self, step: int) -> State | None:
        """The state after a step; None where there is none. UsageError where the file is damaged."""
        path = self._path(step)
        return None if path is None or not path.exists() else read_state(path)

    def save(self, step: int, state: State) -> None:
        path = self._path(step)
        if path is not None:
            write_file(path, records.dump(state, State))

    def training(self, step: int) -> Path | None:
        """Where the training of a step keeps its own checkpoint."""
        return None if self.folder is None else self.folder / f"{step:02}-{self.keys[step]}.training"

    def _path(self, step: int) -> Path | None:
        return None if self.folder is None else self.folder / f"{step:02}-{self.keys[step]}.state"


def read_state(path: Path) -> State:
    """The state in a file; UsageError where it holds anything else."""
    try:
        state: State = records.load(path.read_bytes(), State, str(path))
        legal.check(state.model.graph)
    except (EdgekcError, OSError) as error:
        what = error.what if isinstance(error, EdgekcError) else error.strerror
        raise UsageError(f"is no checkpoint of this version ({what})", where=str(path), fix="delete it") from error
    return state
