"""The header of an update as a record and as bytes. docs/updates.md has the table; ek_update.c reads the same."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import FormatError
from .status import TEXTS

MAGIC = b"EKUP"
VERSION = 1
HEADER_BYTES = 192
SIGNED_BYTES = 128
NETWORK_BYTES = 16
DELTA = 1  # flag
LARGEST = 2**32 - 1  # of a number
# Magic, format, bytes of the header; seven numbers; network, hash of the payload, hash of the base; reserved zeros.
_LAYOUT = struct.Struct("<4sHH7I16s32s32s12s")
assert _LAYOUT.size == SIGNED_BYTES


class UpdateError(FormatError):
    """A file is no update, or is not what it says.

    Args:
        status: name of the status that a device gives for it.
    """

    def __init__(self, status: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(TEXTS[status], where=where, fix=fix)
        self.status = status


@dataclass(frozen=True, slots=True)
class Header:
    """What an update says about itself.

    Attributes:
        sequence: of two valid slots the higher one runs; 1 to 2^32 - 1.
        security_counter: a device never takes a lower one than it runs.
        key: id of the key that signed it.
        least_key: keys with lower ids are revoked from this update on.
        update_bytes: that follow the header.
        payload_bytes: of what will run: the same, but for a delta.
        network: identity of the network, 16 bytes.
        payload_hash: SHA-256 of what will run.
        base_hash: SHA-256 of the payload that a delta changes; else 32 zeros.
        delta: what follows are changes.
    """

    sequence: int
    security_counter: int
    key: int
    least_key: int
    update_bytes: int
    payload_bytes: int
    network: bytes
    payload_hash: bytes
    base_hash: bytes = bytes(32)
    delta: bool = False

    def pack(self) -> bytes:
        """The 128 bytes that are signed."""
        return _LAYOUT.pack(
            MAGIC, VERSION, HEADER_BYTES, DELTA if self.delta else 0, self.sequence, self.security_counter, self.key,
            self.least_key, self.update_bytes, self.payload_bytes, self.network, self.payload_hash, self.base_hash,
            bytes(12),
        )  # fmt: skip


def parse(data: bytes, where: str = "") -> Header:
    """The header at the start of an update; UpdateError where magic, format or a number cannot be true."""
    if data[: len(MAGIC)] != MAGIC:
        raise UpdateError("MAGIC", where=where)
    if len(data) < HEADER_BYTES:
        raise UpdateError("TRUNCATED", where=where)
    _, version, size, flags, *numbers, network, payload_hash, base_hash, reserved = _LAYOUT.unpack_from(data)
    sequence, counter, key, least_key, update_bytes, payload_bytes = numbers
    if version != VERSION:
        raise UpdateError("FORMAT", where=where, fix=f"this edgekc knows format {VERSION}")
    plain = update_bytes == payload_bytes and not any(base_hash)
    if (
        size != HEADER_BYTES
        or flags > DELTA
        or sequence == 0
        or payload_bytes == 0
        or least_key > key
        or not (flags or plain)
        or any(reserved)
    ):
        raise UpdateError("FIELDS", where=where)
    return Header(
        sequence, counter, key, least_key, update_bytes, payload_bytes, network, payload_hash, base_hash, bool(flags)
    )
