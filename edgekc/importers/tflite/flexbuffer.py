"""Bytes of a flexbuffer to the numbers of its map: how .tflite files hold the options of custom operators."""

from __future__ import annotations

import struct

from .flatbuffer import DamagedError

_INT, _UINT, _FLOAT, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _BOOL = 1, 2, 3, 6, 7, 8, 9, 26
_KINDS = {
    (_INT, 1): "b", (_INT, 2): "h", (_INT, 4): "i", (_INT, 8): "q",
    (_UINT, 1): "B", (_UINT, 2): "H", (_UINT, 4): "I", (_UINT, 8): "Q",
    (_FLOAT, 2): "e", (_FLOAT, 4): "f", (_FLOAT, 8): "d",
}  # fmt: skip
_DIRECT = {_INT: _INT, _UINT: _UINT, _FLOAT: _FLOAT, _BOOL: _UINT}
_INDIRECT = {_INDIRECT_INT: _INT, _INDIRECT_UINT: _UINT, _INDIRECT_FLOAT: _FLOAT}
_MOST = 1000  # entries; custom operators have some ten options
_LONGEST = 100  # bytes of a name


def numbers(data: bytes) -> dict[str, int | float]:
    """The numbers and truth values of the map that the buffer is, by name; what is something else is left out.

    Raises:
        DamagedError: the bytes are no map.
    """
    if not data:
        return {}
    if len(data) < 3 or data[-2] >> 2 != _MAP:
        raise DamagedError("custom options that are no map")
    start = _follow(data, len(data) - 2 - data[-1], data[-1])
    width = 1 << (data[-2] & 3)
    count = _number(data, start - width, _UINT, width)
    keys = _follow(data, start - 3 * width, width)
    key_width = _number(data, start - 2 * width, _UINT, width)
    if count > _MOST or _number(data, keys - key_width, _UINT, key_width) != count:
        raise DamagedError(f"custom options of {count} entries")
    found = {}
    for i in range(count):
        packed = _byte(data, start + count * width + i)
        value = _value(data, start + i * width, width, packed)
        if value is not None:
            found[_name(data, _follow(data, keys + i * key_width, key_width))] = value
    return found


def _value(data: bytes, at: int, width: int, packed: int) -> int | float | None:
    kind = packed >> 2
    if kind in _DIRECT:
        return _any(data, at, _DIRECT[kind], width)
    if kind in _INDIRECT:
        return _any(data, _follow(data, at, width), _INDIRECT[kind], 1 << (packed & 3))
    return None


def _any(data: bytes, at: int, kind: int, width: int) -> int | float:
    letter = _KINDS.get((kind, width))
    if letter is None or not 0 <= at <= len(data) - width:
        raise DamagedError(f"custom options with a number of {width} bytes at {at} of {len(data)}")
    value: int | float = struct.unpack_from(f"<{letter}", data, at)[0]
    return value


def _number(data: bytes, at: int, kind: int, width: int) -> int:
    return int(_any(data, at, kind, width))


def _follow(data: bytes, at: int, width: int) -> int:
    return at - _number(data, at, _UINT, width)


def _byte(data: bytes, at: int) -> int:
    return _number(data, at, _UINT, 1)


def _name(data: bytes, at: int) -> str:
    end = data.find(b"\0", at, at + _LONGEST) if at >= 0 else -1
    if end < 0:
        raise DamagedError(f"custom options with a name at {at} of {len(data)}")
    return data[at:end].decode("utf-8", "replace")
