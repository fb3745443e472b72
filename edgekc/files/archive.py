"""A zip archive read strictly: each member once, of a kind that can be read, and never more than it may unpack to.

Python's zipfile raises a dozen kinds of error for a damaged archive and takes sizes on trust. Here all of that becomes
one error of the caller's kind, which names the member.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ..errors import EdgekcError
from . import limits

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive and its files by name, folders left out; use it in a `with` statement."""

    file: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]
    where: str
    kind: type[EdgekcError]

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.file.close()


def open_archive(source: Path | BinaryIO, where: str, kind: type[EdgekcError], what: str) -> Archive:
    """Open a zip.

    Args:
        kind: of the errors.
        what: it should be, for the error where it is no zip: `is not {what}`.

    Raises:
        kind: it cannot be read, is no zip, or has two members of one name (also where only case, or the form of
            accents, tells them apart: readers disagree on which of them a name means).
    """
    try:
        file = zipfile.ZipFile(source)
    except OSError as error:
        raise kind(f"cannot be read: {error.strerror or error}", where=where) from error
    except Exception as error:  # zipfile, struct and codecs, each in its own words
        raise kind(f"is not {what} ({_line(error)})", where=where) from error
    members: dict[str, zipfile.ZipInfo] = {}
    seen: dict[str, str] = {}
    for info in file.infolist():
        folded = unicodedata.normalize("NFKC", info.filename).casefold()
        if folded in seen:
            file.close()
            raise kind(
                f"holds {seen[folded][:80]!r} and {info.filename[:80]!r}, which some readers mix up", where=where
            )
        seen[folded] = info.filename
        if not info.filename.endswith("/"):
            members[info.filename] = info
    return Archive(file, members, where, kind)


def read(archive: Archive, name: str, limit: int | None = None) -> bytes:
    """The content of a member, unpacked in pieces.

    Args:
        limit: bytes that it may have; None: `limits.unpacked_bytes()`.

    Raises:
        archive.kind: it is too large, encrypted, packed by an unknown method, or damaged.
    """
    info = archive.members[name]
    where = f"{archive.where}: {name[:200]}"
    allowed = limits.unpacked_bytes() if limit is None else limit
    if info.file_size > allowed:
        raise archive.kind(
            f"unpacks to {info.file_size:,} bytes, more than the {allowed:,} that are allowed",
            where=where,
            fix=limits.RAISE_LIMIT if limit is None else "",
        )
    if info.flag_bits & _ENCRYPTED:
        raise archive.kind("is encrypted", where=where, fix="pass an archive without a password")
    if info.compress_type not in _METHODS:
        raise archive.kind(
            f"is packed by method {info.compress_type}; stored and deflated members can be read",
            where=where,
            fix="pack the archive again, for example with `zip -r`",
        )
    try:
        # In pieces: one read of everything would unpack all that follows before it looks at the size.
        with archive.file.open(info) as file:
            pieces = []
            while piece := file.read(_CHUNK):
                pieces.append(piece)
    except Exception as error:  # zipfile, zlib, struct, EOFError, NotImplementedError of odd headers
        raise archive.kind(f"cannot be unpacked ({_line(error)})", where=where) from error
    data = b"".join(pieces)
    if len(data) != info.file_size:
        raise archive.kind(f"has {len(data):,} bytes, its header says {info.file_size:,}", where=where)
    return data


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}".removesuffix(": ")
