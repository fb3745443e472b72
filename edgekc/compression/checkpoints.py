"""What a run of a recipe has done so far, in a folder: a killed run resumes behind the last finished step.

A checkpoint is valid for one model, recipe up to that step, and data; one of anything else is not taken. A file that
is there is whole. Files hold arrays, numbers and names (`edgekc.files.records`): nothing in them is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..data import Dataset
from ..errors import EdgekcError, UsageError
from ..files import records
from ..files.classes import OnDisk
from ..files.output import write_file
from ..files.place import naming
from ..graph.ir import Graph, dump
from ..ops import legal
from .state import State

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..train.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """A folder of states, one for each step; without a folder nothing is kept."""

    folder: Path | None
    keys: tuple[str, ...]  # of each step: what its result depends on
    trainer: Trainer | None = None  # of several processes the first one reads and writes, for all

    @staticmethod
    def open(
        folder: Path | None, graph: Graph, recipe: Recipe, samples: Dataset, validation: Dataset | None = None,
        trainer: Trainer | None = None,
    ) -> Checkpoints:  # fmt: skip
        """The checkpoints of a run; the folder is made where it is not there."""
        if folder is None:
            return Checkpoints(None, (), trainer)
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(__version__.encode())
        digest.update(dump(graph).encode())
        for part in (samples, validation):
            for array in () if part is None else (part.x, part.y, part.starts):
                held = array.digest() if isinstance(array, OnDisk) else b"" if array is None else array.tobytes()
                digest.update(held)
        digest.update(json.dumps(recipe.quantize.model_dump(mode="json"), sort_keys=True).encode())
        keys = []
        for step in recipe.compress:
            digest.update(json.dumps(step.model_dump(mode="json"), sort_keys=True).encode())
            keys.append(digest.hexdigest()[:16])
        return Checkpoints(folder, tuple(keys), trainer)

    def load(self, step: int) -> State | None:
        """The state after a step; None where there is none. UsageError where the file is damaged."""
        path = self._path(step)
        if path is None:
            return None
        if self._agree is None:
            return read_state(path) if path.exists() else None
        data = self._agree(lambda: path.read_bytes() if path.exists() else b"")
        return state_of(data, path) if data else None

    def save(self, step: int, state: State) -> None:
        path = self._path(step)
        if path is not None and self.first:
            write_file(path, records.dump(state, State))

    @property
    def first(self) -> bool:
        """Whether this process does what is done once."""
        return self.trainer is None or self.trainer.first

    def shared(self, state: State) -> State:
        """The state behind a step, on every process as the first one has it."""
        if self._agree is None:
            return state
        return state_of(self._agree(lambda: records.dump(state, State)), Path("first process"))

    @property
    def _agree(self) -> Callable[[Callable[[], bytes]], bytes] | None:
        return None if self.trainer is None else self.trainer.agree

    def training(self, step: int) -> Path | None:
        """Where the training of a step keeps its own checkpoint."""
        return None if self.folder is None else self.folder / f"{step:02}-{self.keys[step]}.training"

    def _path(self, step: int) -> Path | None:
        return None if self.folder is None else self.folder / f"{step:02}-{self.keys[step]}.state"


def read_state(path: Path) -> State:
    """The state in a file; UsageError where it holds anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        what = f"is no checkpoint of this version ({error.strerror})"
        raise UsageError(what, where=str(path), fix="delete it") from error
    return state_of(data, path)


def state_of(data: bytes, path: Path) -> State:
    """The state in the bytes of a file; UsageError where they hold anything else."""
    try:
        state: State = records.load(data, State, str(path))
        legal.check(state.model.graph)
    except EdgekcError as error:
        what = f"is no checkpoint of this version ({error.what})"
        raise UsageError(what, where=str(path), fix="delete it") from error
    return state
