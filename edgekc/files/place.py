"""Puts a file or a folder into its place whole: written beside it, synced to the disk, then moved there.

While that goes on there is a work folder `.NAME.edgekc-*` beside NAME, locked by its process. A process that is killed
leaves it behind, in the worst case with what NAME held in it; the next one that needs NAME puts it back.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import UsageError
from ..terminal import say
from .bounded import check_path
from .stopping import in_threads, uninterrupted

_MARK = ".edgekc-"
_OLD = "old"  # in a work folder: what the target held before
_SYNCS = 16  # files at once: a journal takes them in one go
_FIXES = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some of your quota, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "write where you have the permission",
    errno.EPERM: "write where you have the permission",
    errno.EBUSY: "name a folder below it",
    errno.ENAMETOOLONG: "take a shorter name",
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """A system's error as ours, with the file that the user knows."""
    try:
        yield
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UsageError(what, where=str(path), fix=_FIXES.get(error.errno or 0, "")) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone among all edgekc processes in a folder, as far as its file system can lock."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """An empty work folder beside the target, with the folders above it; nothing of it stays, whatever happens."""
    made = [folder for folder in target.parents if not folder.exists()]
    work, handle = None, -1
    try:
        with naming(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with locked(target.parent), uninterrupted():
                _sweep(target)
                work = Path(tempfile.mkdtemp(prefix=f".{target.name}{_MARK}", dir=target.parent))
                handle = os.open(work, os.O_RDONLY)
                with suppress(OSError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield work
    except BaseException:
        _remove(work)
        for folder in made:
            with suppress(OSError):  # not there, or somebody else put something into it
                folder.rmdir()
        raise
    else:
        _remove(work)
    finally:
        if handle >= 0:
            os.close(handle)


def _remove(work: Path | None) -> None:
    if work is not None:
        shutil.rmtree(work, ignore_errors=True)


def swap(new: Path, target: Path, work: Path) -> None:
    """Moves a folder to the target, and what was there into the work folder; at a failure all is as it was.

    The caller holds the lock of the folder that the target lies in.
    """
    old = work / _OLD
    with uninterrupted():
        try:
            if target.is_dir():
                shutil.copymode(target, new)
                os.replace(target, old)
            os.replace(new, target)
        except BaseException:
            if old.exists() and not target.exists():
                os.replace(old, target)
            raise
        sync_folder(target.parent)


def recover(target: Path) -> None:
    """Puts back a file or folder that a killed process had moved away, and says so."""
    check_path(target)
    with suppress(OSError):
        target = target.resolve()
        if not target.exists() and any(_works(target)):
            with locked(target.parent):
                _sweep(target)


def sweep_below(folder: Path) -> None:
    """Recovers and cleans all that killed processes left in a folder."""
    with suppress(OSError):
        names = {path.name[1:].rpartition(_MARK)[0] for path in folder.glob(f".*{_MARK}*")}
        for name in sorted(names):
            with locked(folder):
                _sweep(folder / name)


def _works(target: Path) -> list[Path]:
    return sorted(target.parent.glob(f".{glob.escape(target.name)}{_MARK}*"))


def _sweep(target: Path) -> None:
    """What killed processes left of this target: taken back where the target is missing, else removed."""
    for work in _works(target):
        if work.is_symlink() or not work.is_dir() or _is_at_work(work):
            continue
        if (work / _OLD).exists() and not os.path.lexists(target):
            os.replace(work / _OLD, target)
            sync_folder(target.parent)
            say(f"note: {target}: a run that was killed had moved it away; it is back as it was", err=True)
        shutil.rmtree(work, ignore_errors=True)


def _is_at_work(work: Path) -> bool:
    """Whether the process of a work folder still runs."""
    try:
        handle = os.open(work, os.O_RDONLY)
    except FileNotFoundError:
        return True  # its process has just removed it
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    finally:
        os.close(handle)
    return False


def save(path: Path, data: bytes | str) -> None:
    """Writes one file where nobody else looks yet; an error names it."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)


def sync_tree(folder: Path, shown: Path) -> None:
    """Every file and folder of a tree to the disk; an error names it as it will be called below `shown`."""

    def sync(path: Path) -> None:
        with naming(shown / path.relative_to(folder)):
            sync_file(path)

    entries = [path for path in folder.rglob("*") if not path.is_symlink()]
    in_threads(sync, [path for path in entries if path.is_file()], _SYNCS)
    for path in [*(path for path in entries if path.is_dir()), folder]:
        sync_folder(path)


def sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """The names in a folder to the disk, where its file system knows how."""
    with suppress(OSError):
        sync_file(folder)
