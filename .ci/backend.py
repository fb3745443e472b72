"""Builds wheel and sdist by setuptools, then writes their archives anew: the same tree, the same bytes.

The wheel gets its bill of materials too (PEP 770).

setuptools puts the times and modes of files into both, the owner and the current time into the sdist, and the files in
the order in which it met them. pyproject.toml names this file as the build backend (PEP 517, in-tree, `backend-path`).
What is left are the versions of setuptools and zlib: a compressor may give other bytes in another version.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (  # the other hooks, which a frontend looks for here
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

BILL = Path(__file__).resolve().parent / "edgekc.cdx.json"  # made by pins.py
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that zip knows
_EPOCH_S = 315532800  # the same in seconds of Unix
_UNIX, _FILE, _FOLDER = 3, 0o100644, 0o755
_LEVEL = 9


def build_wheel(folder: str, settings: Any = None, metadata: str | None = None) -> str:
    """The hook of PEP 517: a wheel in `folder`; its file name."""
    name: str = build_meta.build_wheel(folder, settings, metadata)
    bill = BILL.read_bytes()
    _rewrite(Path(folder) / name, lambda data: plain_zip(data, {f"sboms/{BILL.name}": bill}))
    return name


def build_sdist(folder: str, settings: Any = None) -> str:
    """The hook of PEP 517: a source archive in `folder`; its file name."""
    name: str = build_meta.build_sdist(folder, settings)
    _rewrite(Path(folder) / name, plain_tar)
    return name


def plain_zip(data: bytes, more: Mapping[str, bytes]) -> bytes:
    """A wheel with its files by name, without time and owner; *.dist-info comes last, RECORD at its end (PEP 427).

    Args:
        more: files below *.dist-info, by their path there; `sboms/` is the folder of PEP 770.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        files = {name: old.read(name) for name in old.namelist() if not name.endswith("/")}
    (record,) = (name for name in files if name.endswith(".dist-info/RECORD"))
    for name, content in more.items():
        path = f"{record.removesuffix('RECORD')}{name}"
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        files[record] = f"{path},sha256={digest},{len(content)}\n".encode() + files[record]
        files[path] = content
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(files, key=_place):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, _UNIX, _FILE << 16
            new.writestr(info, files[name], compresslevel=_LEVEL)
    return out.getvalue()


def _place(name: str) -> tuple[bool, bool, str]:
    return ".dist-info/" in name, name.endswith(".dist-info/RECORD"), name


def plain_tar(data: bytes) -> bytes:
    """A .tar.gz with its members by name, without time and owner."""
    tar = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as old,
        tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            if not (member.isfile() or member.isdir()):
                raise ValueError(f"{member.name}: neither a file nor a folder")
            info = tarfile.TarInfo(member.name)
            info.type, info.mtime = member.type, _EPOCH_S
            info.mode = _FOLDER if member.isdir() else _FILE & 0o777
            info.size = 0 if member.isdir() else member.size
            new.addfile(info, old.extractfile(member))
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=_EPOCH_S, compresslevel=_LEVEL) as packed:
        packed.write(tar.getvalue())
    return out.getvalue()


def _rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    work = path.with_name(f"{path.name}.new")
    work.write_bytes(change(path.read_bytes()))
    os.chmod(work, path.stat().st_mode & 0o777)
    os.replace(work, path)
