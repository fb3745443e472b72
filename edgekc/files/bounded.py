"""A user's file to its bytes, of which there may be a most."""

from __future__ import annotations

from pathlib import Path

from ..errors import EdgekcError, UsageError

_PIECE = 1 << 20  # bytes


def check_path(path: Path) -> Path:
    """The path; UsageError where no file can have it: Python's calls on paths answer a NUL byte in several ways."""
    if "\0" in str(path):
        raise UsageError("has a NUL byte, which no path may have", where=str(path))
    return path


def read_file(
    path: Path, most: int | None, kind: type[EdgekcError] = UsageError, why: str = "which no such file needs"
) -> bytes:
    """The bytes of a file; errors are of `kind`: it cannot be read, or has more than `most` bytes.

    Args:
        most: None: any number, where whoever takes the bytes has limits of its own.
    """
    where = str(check_path(path))
    try:
        with path.open("rb") as file:
            held = bytearray()
            while (most is None or len(held) <= most) and (piece := file.read(_PIECE)):  # read(n) asks for n at once
                held += piece
            data = bytes(held)
    except OSError as error:
        raise kind(f"cannot be read: {error.strerror}", where=where) from error
    if most is not None and len(data) > most:
        raise kind(f"has more than {most:,} bytes, {why}", where=where)
    return data
