"""Changes to an older payload: records of offset, bytes and data. ek_slots.c applies the same while it writes.

The records are in the order of their offsets and do not overlap. What lies between them is the older payload's.
"""

from __future__ import annotations

import struct

from .header import UpdateError

_RECORD = struct.Struct("<II")  # offset in the new payload, bytes of data that follow


def difference(old: bytes, new: bytes) -> bytes:
    """The records that make `new` of `old`. Equal stretches shorter than a record's head are sent along."""
    shared = min(len(old), len(new))
    runs: list[list[int]] = []  # [start, end)
    at = 0
    while at < len(new):
        if at < shared and old[at] == new[at]:
            at += 1
            continue
        start = at
        while at < len(new) and (at >= shared or old[at] != new[at]):
            at += 1
        if runs and start - runs[-1][1] <= _RECORD.size:
            runs[-1][1] = at
        else:
            runs.append([start, at])
    return b"".join(_RECORD.pack(start, end - start) + new[start:end] for start, end in runs)


def apply(old: bytes, records: bytes, payload_bytes: int, where: str = "") -> bytes:
    """The new payload; UpdateError where a record is damaged, or leaves a gap that `old` cannot fill."""
    new = bytearray()

    def copy_until(end: int) -> None:
        if end > len(new) and end > len(old):
            raise UpdateError("DELTA_RECORD", where=where)
        new.extend(old[len(new) : end])

    at = 0
    while at < len(records):
        if len(records) - at < _RECORD.size:
            raise UpdateError("DELTA_RECORD", where=where)
        offset, count = _RECORD.unpack_from(records, at)
        at += _RECORD.size
        if count == 0 or offset < len(new) or offset + count > payload_bytes or at + count > len(records):
            raise UpdateError("DELTA_RECORD", where=where)
        copy_until(offset)
        new += records[at : at + count]
        at += count
    copy_until(payload_bytes)
    return bytes(new)
