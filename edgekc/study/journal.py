"""A folder to the storage of its study: a journal that a killed process or a full disk leaves readable."""

from __future__ import annotations

import fcntl
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend

from ..errors import UsageError
from ..files.place import naming
from ..names import visible
from .engine import Identity

FILE = "study.journal"
MODELS = "models"  # folder below the output folder: packed models that were measured here, by key
_LOCK = ".lock"  # of Optuna's own lock beside the journal
_OURS = (FILE, MODELS, "checkpoints", "widths", "sensitivity.json", "costs.json", "edgekc-data.json", "best.ekc",
         "recipe.toml", "pareto.json", "pareto.svg", "report.md")  # fmt: skip
_ELSEWHERE = "name a new or empty folder"
_IDENTITY = "identity"


class _Backend(JournalFileBackend):
    """Optuna's journal, whose failed writes leave nothing behind and name the file."""

    def __init__(self, path: Path) -> None:
        self._journal = path
        super().__init__(str(path))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        size = self._journal.stat().st_size
        try:
            with naming(self._journal):
                super().append_logs(logs)
        except BaseException:
            with suppress(OSError):
                os.truncate(self._journal, size)
            raise


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna says nothing of its own: what matters is said by the study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"optuna(\..*)?", category=FutureWarning)
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def check_folder(folder: Path) -> None:
    """UsageError where the folder holds something that no search wrote."""
    if folder.exists() and not folder.is_dir():
        raise UsageError("exists and is not a folder", where=str(folder), fix=_ELSEWHERE)
    if not folder.is_dir() or (folder / FILE).is_file():
        return
    others = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
    if others:
        raise UsageError(f"has other files in it, {', '.join(others[:5])}", where=str(folder), fix=_ELSEWHERE)


@contextmanager
def opened(folder: Path) -> Iterator[optuna.storages.JournalStorage]:
    """The storage of a folder, which is made; nobody else opens it meanwhile.

    Raises:
        UsageError: another search runs in it, it holds something else, or it cannot be written.
    """
    check_folder(folder)
    path = folder / FILE
    with naming(path):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "another search runs in it", where=str(folder), fix="wait, or name another folder"
            ) from None
        except OSError:  # a file system without locks
            pass
        for stale in folder.glob(f"{FILE}{_LOCK}*"):  # of a process that was killed: this one holds the folder
            stale.unlink(missing_ok=True)
        _mend(path)
        with quiet():
            yield _storage(path)
    finally:
        os.close(handle)


def _mend(path: Path) -> None:
    """Cuts off a line that a killed process did not write to its end: nothing that was finished is in it."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.truncate(path, end)


def _storage(path: Path) -> optuna.storages.JournalStorage:
    try:
        for line in path.read_bytes().splitlines():
            if not isinstance(json.loads(line), dict):
                raise ValueError("not a journal")
        storage = optuna.storages.JournalStorage(_Backend(path))
        every_study(storage)  # a study whose name is no text is listed and not found
        return storage
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise UsageError("is no journal of a search", where=str(path), fix=_ELSEWHERE) from error


def every_study(storage: optuna.storages.BaseStorage) -> list[optuna.Study]:
    """The studies of a storage: one for each budget."""
    names = optuna.get_all_study_names(storage)
    return [optuna.load_study(study_name=name, storage=storage) for name in names]


def check_identity(storage: optuna.storages.BaseStorage, here: Identity, where: str, fix: str = _ELSEWHERE) -> None:
    """UsageError where the studies of a storage are of another model, other data, another board, seed or version."""
    for study in every_study(storage):
        found = study.user_attrs.get(_IDENTITY)
        if found is None and not study.get_trials(deepcopy=False):
            continue  # its process was killed while it made it
        if found != asdict(here):
            raise UsageError(_difference(found, here), where=where, fix=fix)


def _difference(found: Any, here: Identity) -> str:
    if not isinstance(found, Mapping) or set(found) != {field.name for field in fields(Identity)}:
        return "is no search of edgekc"
    for name, value in asdict(here).items():
        if found[name] != value:
            there = visible(str(found[name])[:80])
            what = {
                "edgekc": f"edgekc {there}, here is {value}",
                "model": f"another model (SHA-256 {there[:12]}..., here {str(value)[:12]}...)",
                "data": f"other data (SHA-256 {there[:12]}..., here {str(value)[:12]}...)",
                "board": f"another board ({there}, here {value})",
                "seed": f"another seed ({there}, here {value})",
            }[name]
            return f"is a search of {what}"
    raise AssertionError("they are equal")


def mark(study: optuna.Study, here: Identity) -> None:
    """Says whose figures a study has."""
    if study.user_attrs.get(_IDENTITY) != asdict(here):
        study.set_user_attr(_IDENTITY, asdict(here))
