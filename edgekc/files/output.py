"""What edgekc writes: folders and files, completely or not at all, over nothing that it cannot make again.

A folder of ours has a listing in it, `manifest.json` or `firmware.json`, with the SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .bounded import check_path
from .place import beside, locked, naming, recover, save, swap, sweep_below, sync_file, sync_folder, sync_tree

BUILD = "build"  # folder below an output folder for what was built from it, by board
FIRMWARE_FILE = "firmware.json"  # lists the files of such a build
_MANIFEST = "manifest.json"
_OWN_HASH = "sha256"  # of a listing: of its text without this line
# What `edgekc flash` adds to a build, and an emulated board's updates.
_TOOLS_FILES = ("readback.bin", "chip.bin", "image.uf2", "slots.bin")
_ANYTHING = "anything"  # instead of a hash: the content does not matter
_ANOTHER_FOLDER = "name a new or empty folder"
_NAMED = 5  # files that an error names
_DUMP_LINE = "# Written by edgekc. SHA-256 of what follows: "


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an output folder of `edgekc compile`; UsageError where it is missing or damaged."""
    path = folder / _MANIFEST
    recover(folder)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        what = "no manifest.json in it" if folder.exists() else "there is no such file or folder"
        raise UsageError(what, where=str(folder), fix="pass the folder that `edgekc compile -o` wrote") from None
    except (ValueError, OSError, RecursionError) as error:
        raise UsageError(f"damaged ({error})", where=str(path), fix="compile the model again") from None
    return check_manifest(manifest, str(path))


def check_manifest(manifest: Any, where: str) -> dict[str, Any]:
    """A manifest whose keys have the types that the other commands rely on."""
    from typing import Annotated, Literal

    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    strict = ConfigDict(strict=True)

    class Edge(BaseModel):
        model_config = strict
        name: str
        shape: list[int]
        dtype: Literal["int8", "uint8", "int16", "int32", "float32"]
        offset: int
        bytes: Annotated[int, Field(ge=1, le=1 << 25)]  # samples of it are made in memory
        scale: float
        zero_point: int

    class Layer(BaseModel):
        model_config = strict
        index: int
        name: str
        op: str
        kernel: str
        macs: int
        output_shape: list[int]
        output_bytes: int
        source_lines: list[int]

    class Section(BaseModel):
        model_config = strict
        kind: str
        offset: int
        bytes: int

    class Placed(BaseModel):
        model_config = strict
        name: str
        kind: Literal["activation", "scratch", "rows", "held"]
        offset: Annotated[int, Field(ge=0)]
        bytes: Annotated[int, Field(ge=0)]
        first: Annotated[int, Field(ge=0)]  # of the layers, as `last` is
        last: int
        rows: int = 0
        height: int = 0

    class Manifest(BaseModel):
        model_config = strict
        name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]  # of files in the folder
        board: str
        needs: list[str]
        metadata: dict[str, str] = {}
        inputs: list[Edge]
        outputs: list[Edge]
        arena_bytes: int
        arena: list[Placed] = []  # of folders since there are reports
        state_bytes: int = 0  # of streaming networks
        sections: list[Section]
        layers: list[Layer]
        files: dict[str, str]

    try:
        found = Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(f"damaged (key {key}: {first['msg']})", where=where, fix="compile the model again") from None
    if any(not p.first <= p.last < len(found.layers) for p in found.arena):
        what = "damaged (key arena: a buffer of layers that are not there)"
        raise UsageError(what, where=where, fix="compile the model again")
    return dict(manifest)


def check_output(target: Path, keep: Path | None = None, *, force: bool = False) -> None:
    """UsageError where writing the output folder would lose something that edgekc cannot make again.

    Args:
        keep: the folder of `--keep`, which must lie elsewhere.
        force: files of an earlier output that somebody changed since are no reason; files of others always are.
    """
    if keep is not None and target.resolve() in (keep.resolve(), *keep.resolve().parents):
        raise UsageError("--keep names the output folder, or one below it", where=str(target))
    recover(target)
    sweep_below(target / BUILD)
    with _in_turn(target):
        _check_output(target, force)


@contextmanager
def _in_turn(target: Path) -> Iterator[None]:
    """While no other edgekc replaces the target."""
    parent = target.resolve().parent
    with locked(parent) if parent.is_dir() else nullcontext():
        yield


def _check_output(target: Path, force: bool) -> None:
    if not _is_folder(target):
        return
    ours = _listed(target, _MANIFEST)
    for listing in (target / BUILD).glob(f"*/{FIRMWARE_FILE}"):
        place = listing.parent.relative_to(target).as_posix()
        ours |= {f"{place}/{name}": digest for name, digest in _listed(listing.parent, FIRMWARE_FILE).items()}
    if foreign := _others(target, ours):
        raise UsageError(f"has other files in it, {_some(foreign)}", where=str(target), fix=_ANOTHER_FOLDER)
    if not force:
        _check_unchanged(target, ours, "or overwrite it with --force")


def _is_folder(target: Path) -> bool:
    if not target.is_dir() and os.path.lexists(target):
        raise UsageError("exists and is not a folder", where=str(target), fix=_ANOTHER_FOLDER)
    return target.is_dir()


def _check_unchanged(folder: Path, ours: Mapping[str, str], fix: str) -> None:
    changed = sorted(name for name, digest in ours.items() if not _is_as_written(folder / name, digest))
    if changed:
        raise UsageError(
            f"{_some(changed)} changed since edgekc wrote {'it' if len(changed) == 1 else 'them'}",
            where=str(folder),
            fix=f"move what you want to keep, {fix}",
        )


def _is_as_written(path: Path, digest: str) -> bool:
    if not os.path.lexists(path) or digest == _ANYTHING:
        return True
    return path.is_file() and not path.is_symlink() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _others(folder: Path, ours: Collection[str]) -> list[str]:
    """Files and links in a folder that are not ours, sorted."""
    entries = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted({path.relative_to(folder).as_posix() for path in entries} - set(ours))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def list_files(listing: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """A listing as JSON, with the SHA-256 of each file, and of itself without that line."""
    listing = {**listing, "files": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())}}
    own = hashlib.sha256(_json(listing)).hexdigest()
    return _json({**listing, _OWN_HASH: own})


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()


def _listed(folder: Path, listing: str) -> dict[str, str]:
    """The files that edgekc wrote into a folder, with their SHA-256; none where its listing is not ours."""
    try:
        data = (folder / listing).read_bytes()
        found = json.loads(data)
        if not found["tool"].startswith("edgekc "):
            return {}
        own = found.pop(_OWN_HASH, None)
        files = {str(path): str(digest) for path, digest in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    whole = own is None or data == _json({**found, _OWN_HASH: hashlib.sha256(_json(found)).hexdigest()})
    files[listing] = hashlib.sha256(data).hexdigest() if whole else "changed"
    return files | {name: _ANYTHING for name in _TOOLS_FILES if listing == FIRMWARE_FILE}


def write_folder(files: Mapping[str, bytes], target: Path, *, force: bool = False) -> None:
    """Write an output folder completely or not at all.

    An existing folder is replaced only if it is empty or an earlier output, see `check_output`.
    """
    check_output(target, force=force)
    shown, target = target, target.resolve()  # where a link leads, so that the link stays
    with beside(target) as work:
        new = work / "new"
        for path, data in files.items():
            with naming(shown / path):
                (new / path).parent.mkdir(parents=True, exist_ok=True)
                (new / path).write_bytes(data)
        _put(new, target, work, shown, lambda: _check_output(target, force))


def _put(new: Path, target: Path, work: Path, shown: Path, check: Callable[[], None]) -> None:
    """A finished folder to its place, where `check` looks once more what is there."""
    sync_tree(new, shown)
    with naming(shown), locked(target.parent):
        check()
        swap(new, target, work)


@contextmanager
def build_folder(target: Path, listing: Mapping[str, Any], *, force: bool = False) -> Iterator[Path]:
    """An empty folder to build in, which becomes `target` at the end with a listing of its files, or is gone.

    What others have put beside an earlier build's files is taken along.

    Raises:
        UsageError: the target is no earlier build, or holds files that were changed since and `force` is not given.
    """
    recover(target)
    with _in_turn(target):
        _check_build(target, force)
    shown, target = target, target.resolve()
    with beside(target) as work:
        new = work / "new"
        with naming(shown):
            new.mkdir()
        yield new
        with naming(shown):
            files = {p.relative_to(new).as_posix(): p.read_bytes() for p in sorted(new.rglob("*")) if p.is_file()}
        save(new / FIRMWARE_FILE, list_files(listing, files))

        def take_along() -> None:
            for name in _check_build(target, force):
                _take_along(target / name, new / name)

        _put(new, target, work, shown, take_along)


def _check_build(target: Path, force: bool) -> list[str]:
    """The files of others in a folder of an earlier build."""
    if not _is_folder(target):
        return []
    ours = _listed(target, FIRMWARE_FILE)
    others = _others(target, ours)
    if others and not ours:
        raise UsageError(f"has other files in it, {_some(others)}", where=str(target), fix=_ANOTHER_FOLDER)
    if not force:
        _check_unchanged(target, ours, "then delete the folder, or overwrite it with `edgekc build --force`")
    return others


def _take_along(old: Path, new: Path) -> None:
    """A file of somebody else's from the folder that goes to the one that comes; it is never in neither of them."""
    if os.path.lexists(new):
        raise UsageError("edgekc has to write a file of this name", where=str(old), fix="rename yours")
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new, follow_symlinks=False)
    except (OSError, NotImplementedError):  # a file system without hard links
        shutil.copy2(old, new, follow_symlinks=False)


def check_writable(path: Path, *, magic: bytes | None = None, force: bool = False) -> None:
    """UsageError where `write_file` could not write, or should not: to be said before hours of work, not behind them.

    Args:
        magic: the first bytes by which a file is known as one of ours, which may be overwritten; None: by nothing.
        force: anything may be overwritten.
    """
    where, fix = str(check_path(path)), "name another file"
    if path.is_dir():
        raise UsageError("is a folder", where=where, fix="name a file")
    if path.exists():
        if not path.is_file():
            raise UsageError("is not a file that could be replaced", where=where, fix=fix)
        with path.open("rb") as file:
            head = file.read(max(len(magic or b""), 1))
        if head and not force and magic is None:
            raise UsageError("exists", where=where, fix=f"{fix}, or overwrite it with --force")
        if head and not force and head != magic:
            raise UsageError("exists, and edgekc did not write it", where=where, fix=fix)
    there = next(folder for folder in path.resolve().parents if folder.exists())
    if not there.is_dir():
        raise UsageError(f"cannot be written: {there} is not a folder", where=where)
    if not os.access(there, os.W_OK):
        raise UsageError(f"cannot be written: no permission in {there}", where=where)


def write_file(path: Path, data: bytes, *, magic: bytes | None = None, force: bool = True) -> None:
    """Write one file completely or not at all, over whatever is there; `magic` and `force` as in `check_writable`."""
    check_writable(path, magic=magic, force=force)
    target = path.resolve()  # where a link leads, so that the link stays
    with beside(target) as work, naming(path):
        new = work / "new"
        new.write_bytes(data)
        if target.exists():
            shutil.copymode(target, new)
        sync_file(new)
        with locked(target.parent):
            check_writable(path, magic=magic, force=force)
            os.replace(new, target)
            sync_folder(target.parent)


def write_dump(path: Path, text: str) -> None:
    """Write the dump of a stage, over what is there, below a line by which it is known as unchanged later."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_file(path, f"{_DUMP_LINE}{digest}\n{text}".encode())


def check_dump(path: Path, *, force: bool = False) -> None:
    """UsageError where a dump would overwrite something else, or one that somebody changed."""
    if force or not check_path(path).is_file():
        return
    line, _, text = path.read_bytes().partition(b"\n")
    if line != f"{_DUMP_LINE}{hashlib.sha256(text).hexdigest()}".encode():
        raise UsageError(
            "is not a dump as edgekc wrote it", where=str(path), fix="move it, or overwrite it with --force"
        )
