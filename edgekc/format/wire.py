"""Numbers, names and metadata to the variable-length bytes of .ekc sections, and back under checks."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from ..errors import FormatError, ModelError
from . import fields

T = TypeVar("T")
U32_MAX = 2**32 - 1
I32_MIN, I32_MAX = -(2**31), 2**31 - 1


def varint(value: int) -> bytes:
    """LEB128: seven bits a byte, low ones first, the top bit set on all bytes but the last."""
    assert 0 <= value <= U32_MAX
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def svarint(value: int) -> bytes:
    """A signed number as the varint of its zigzag: 0, -1, 1, -2 become 0, 1, 2, 3."""
    assert I32_MIN <= value <= I32_MAX
    return varint(value * 2 if value >= 0 else -value * 2 - 1)


def f32(value: float) -> bytes:
    return struct.pack("<f", value)


def has_control(name: str) -> bool:
    """C0, DEL or C1 characters: they would let a file write what it likes into listings and C comments."""
    return any(c < " " or "\x7f" <= c <= "\x9f" for c in name)


def name_bytes(name: str) -> bytes:
    """UTF-8 of a name that may be stored; ModelError for any other."""
    try:
        raw = name.encode()
    except UnicodeEncodeError as error:
        raise ModelError("the name is not valid Unicode", where=ascii(name)) from error
    if not 0 < len(raw) <= fields.MAX_NAME_BYTES or has_control(name):
        what = f"the name is empty, longer than {fields.MAX_NAME_BYTES} bytes, or has control characters"
        raise ModelError(what, where=ascii(name[:80]))
    return raw


def shared_prefix(a: bytes, b: bytes) -> int:
    """Length of the longest prefix of both."""
    limit = min(len(a), len(b))
    return next((i for i in range(limit) if a[i] != b[i]), limit)


def metadata_bytes(metadata: Mapping[str, str]) -> bytes:
    """Sorted, compact, ASCII JSON; ModelError where a value is not valid text."""
    for key, value in metadata.items():
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in key + value):
            raise ModelError(f"metadata {key!a} is not valid text")
    return json.dumps(dict(metadata), sort_keys=True, separators=(",", ":")).encode("ascii")


class Cursor:
    """A position in `data`; every read checks that the bytes are there and that the value is the shortest form."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where, self.at = data, where, 0

    def fail(self, what: str) -> NoReturn:
        raise FormatError(what, where=f"{self.where}, byte {self.at}")

    def take(self, count: int, what: str) -> bytes:
        if count > len(self.data) - self.at:
            self.fail(f"{what} needs {count} bytes, {len(self.data) - self.at} are left")
        out = self.data[self.at : self.at + count]
        self.at += count
        return out

    def u8(self, what: str) -> int:
        return self.take(1, what)[0]

    def varint(self, what: str, limit: int = U32_MAX) -> int:
        value = 0
        for shift in range(0, 35, 7):
            byte = self.u8(what)
            value |= (byte & 127) << shift
            if byte < 128:
                if shift and byte == 0:
                    self.fail(f"{what} is not in its shortest form")
                if value > limit:
                    self.fail(f"{what} is {value}, at most {limit} is possible")
                return value
        self.fail(f"{what} is longer than 5 bytes")

    def svarint(self, what: str) -> int:
        zigzag = self.varint(what)
        return -(zigzag + 1) // 2 if zigzag & 1 else zigzag // 2

    def f32(self, what: str) -> float:
        return float(struct.unpack("<f", self.take(4, what))[0])

    def list(self, what: str, read: Callable[[], T], limit: int = U32_MAX) -> list[T]:
        """A count and that many items; an item has at least one byte, so a count past the end is refused first."""
        count = self.varint(f"number of {what}", min(limit, len(self.data) - self.at))
        return [read() for _ in range(count)]

    def end(self) -> None:
        if self.at != len(self.data):
            self.fail(f"{len(self.data) - self.at} bytes are left over")
