"""Bytes to the tables of a flatbuffer, with every offset and every length held against the bytes that are there."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from ...graph.ir import Array

# How often the bytes of a file may be read: vectors can be shared, and a small file must not ask for hours of work.
_READS = 64


class DamagedError(Exception):
    """The bytes do not hold what they say that they hold."""


@dataclass(slots=True)
class _Source:
    data: bytes
    left: int  # bytes of vectors that may still be read

    def number(self, kind: str, at: int) -> int | float:
        size = struct.calcsize(kind)
        if not 0 <= at <= len(self.data) - size:
            raise DamagedError(f"{size} bytes at {at} of {len(self.data)}")
        value: int | float = struct.unpack_from(f"<{kind}", self.data, at)[0]
        return value

    def whole(self, kind: str, at: int) -> int:
        return int(self.number(kind, at))


@dataclass(frozen=True, slots=True)
class Table:
    """A record whose fields are numbered as in the schema; each may be left out."""

    source: _Source
    at: int
    fields: int  # where the offsets of the fields are
    count: int  # of them

    def number(self, field: int, kind: str, default: int | float = 0) -> int | float:
        """A number of a kind that `struct` knows by that letter."""
        at = self.place(field)
        return default if at is None else self.source.number(kind, at)

    def whole(self, field: int, kind: str, default: int = 0) -> int:
        return int(self.number(field, kind, default))

    def table(self, field: int) -> Table | None:
        at = self.place(field)
        return None if at is None else _table_at(self.source, _follow(self.source, at))

    def tables(self, field: int) -> list[Table]:
        start, count = self._vector(field, 4)
        return [_table_at(self.source, _follow(self.source, start + 4 * i)) for i in range(count)]

    def numbers(self, field: int, dtype: str) -> Array:
        """A vector of numbers, as a view of the file; empty where it is left out."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self._vector(field, kind.itemsize)
        return np.frombuffer(self.source.data, kind, count, start if count else 0)

    def text(self, field: int) -> str:
        return self.numbers(field, "uint8").tobytes().decode("utf-8", "replace")

    def place(self, field: int) -> int | None:
        """Where in the file a field lies; None where it is left out."""
        if field >= self.count:
            return None
        offset = self.source.whole("H", self.fields + 2 * field)
        return self.at + offset if offset else None

    def _vector(self, field: int, size: int) -> tuple[int, int]:
        """Where the elements start, and how many there are."""
        at = self.place(field)
        if at is None:
            return 0, 0
        start = _follow(self.source, at)
        count = self.source.whole("I", start)
        if count * size > len(self.source.data) - start - 4:
            raise DamagedError(f"{count} elements of {size} bytes at {start} of {len(self.source.data)}")
        self.source.left -= count * size
        if self.source.left < 0:
            raise DamagedError("its vectors lie over each other")
        return start + 4, count


def root(data: bytes) -> Table:
    """The table that the file is about. DamagedError, here and from all that is read from it."""
    source = _Source(data, _READS * len(data))
    return _table_at(source, _follow(source, 0))


def _follow(source: _Source, at: int) -> int:
    return at + source.whole("I", at)


def _table_at(source: _Source, at: int) -> Table:
    fields = at - source.whole("i", at)
    size = source.whole("H", fields)
    if size < 4 or fields + size > len(source.data):
        raise DamagedError(f"a table of {size} bytes at {fields} of {len(source.data)}")
    return Table(source, at, fields + 4, (size - 4) // 2)
