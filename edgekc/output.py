"""The output folder of `compile`: written completely or not at all, and read back with its manifest checked."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError

BUILD = "build"  # folder below an output folder for what was built from it, by board
FIRMWARE_FILE = "firmware.json"  # lists the files of such a build


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an output folder of `edgekc compile`; UsageError where it is missing or damaged."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            "no manifest.json in it", where=str(folder), fix="pass the folder that `edgekc compile -o` wrote"
        ) from None
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
        dtype: Literal["int8", "uint8", "int16", "int32"]
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

    class Manifest(BaseModel):
        model_config = strict
        name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]  # of files in the folder
        board: str
        needs: list[str]
        inputs: list[Edge]
        outputs: list[Edge]
        arena_bytes: int
        sections: list[Section]
        layers: list[Layer]
        files: dict[str, str]

    try:
        Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UsageError(f"damaged (key {key}: {first['msg']})", where=where, fix="compile the model again") from None
    return dict(manifest)


def check_output(target: Path, keep: Path | None = None) -> None:
    """UsageError where writing the output folder would destroy something that is not an earlier output."""
    where = str(target)
    fix = "name a new or empty folder"
    if keep is not None and target.resolve() in (keep.resolve(), *keep.resolve().parents):
        raise UsageError("--keep names the output folder, or one below it", where=where)
    if not target.is_dir():
        if target.exists():
            raise UsageError("exists and is not a folder", where=where, fix=fix)
        return
    present = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    if not present:
        return
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        ours = {"manifest.json", *manifest["files"]} if manifest["tool"].startswith("edgekc ") else set()
        ours |= _built(target)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        ours = set()
    foreign = sorted(present - ours)
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UsageError(f"has other files in it, {foreign[0]}{more}", where=where, fix=fix)


def _built(target: Path) -> set[str]:
    """Files that `edgekc build` and `edgekc flash` put below an output folder: they can be made again."""
    found: set[str] = set()
    for listing in (target / BUILD).glob(f"*/{FIRMWARE_FILE}"):
        place = listing.parent.relative_to(target).as_posix()
        data = json.loads(listing.read_text(encoding="utf-8"))
        names = ("readback.bin", "chip.bin", "image.uf2", FIRMWARE_FILE, *data["files"])
        found |= {f"{place}/{name}" for name in names}
    return found


def write_folder(files: Mapping[str, bytes], target: Path) -> None:
    """Write an output folder completely or not at all.

    An existing folder is replaced only if it is empty or an earlier output, see `check_output`.
    """
    check_output(target)
    target = target.resolve()  # where a link leads, so that the link stays
    made = [folder for folder in target.parents if not folder.exists()]
    work = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        for path, data in files.items():
            (work / "new" / path).parent.mkdir(parents=True, exist_ok=True)
            (work / "new" / path).write_bytes(data)
        _swap(work / "new", target, work / "old")
    except BaseException:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # not there, or somebody else put something into it
                folder.rmdir()
        raise
    shutil.rmtree(work, ignore_errors=True)


def _swap(new: Path, target: Path, old: Path) -> None:
    """Move `new` to `target`, and what was there to `old`; an interruption leaves `target` as it was."""
    try:
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    except BaseException:
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise


def check_writable(path: Path) -> None:
    """UsageError where `write_file` could not write: to be said before hours of work, not behind them."""
    if path.is_dir():
        raise UsageError("is a folder", where=str(path), fix="name a file")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir():
        raise UsageError(f"cannot be written: {there} is not a folder", where=str(path))
    if not os.access(there, os.W_OK):
        raise UsageError(f"cannot be written: no permission in {there}", where=str(path))


def write_file(path: Path, data: bytes) -> None:
    """Write one file completely or not at all."""
    if path.is_dir():
        raise UsageError("is a folder", where=str(path), fix="name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
