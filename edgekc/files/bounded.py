"""A user's file to its bytes, of which there is a most."""

from __future__ import annotations

from pathlib import Path

from ..errors import EdgekcError, UsageError

_PIECE = 1 << 20  # bytes


def read_file(
    path: Path, most: int, kind: type[EdgekcError] = UsageError, why: str = "which no such file needs"
) -> bytes:
    """The bytes of a file; errors are of `kind`: it cannot be read, or has more than `most` bytes."""
    where = str(path)
    try:
        with path.open("rb") as file:
            pieces, left = [], most + 1
            while left > 0 and (piece := file.read(min(left, _PIECE))):  # read(n) asks for n bytes of memory at once
                pieces.append(piece)
                left -= len(piece)
            data = b"".join(pieces)
    except OSError as error:
        raise kind(f"cannot be read: {error.strerror}", where=where) from error
    except ValueError as error:  # a path with a NUL
        raise kind(f"cannot be read: {error}", where=where) from error
    if len(data) > most:
        raise kind(f"has more than {most:,} bytes, {why}", where=where)
    return data
