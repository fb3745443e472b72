"""Update files: a signed header, and behind it the payload or the changes that make it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..format.blob import layout_of
from . import delta
from .header import HEADER_BYTES, LARGEST, NETWORK_BYTES, SIGNED_BYTES, Header, UpdateError, parse

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def network_identity(manifest: Mapping[str, Any]) -> bytes:
    """16 bytes that name a network by what its firmware relies on: its name, inputs and outputs.

    They are the start of the SHA-256 of these as JSON. A network that was trained again keeps its identity. Where code
    takes its constants from blobs, it is the identity of their layout.
    """
    if "blob" in manifest:
        return layout_of(manifest).identity
    edges = {
        side: [{key: edge[key] for key in ("name", "shape", "dtype")} for edge in manifest[side]]
        for side in ("inputs", "outputs")
    }
    text = json.dumps({"name": manifest["name"], **edges}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()[:NETWORK_BYTES]


def sign(
    payload: bytes, key: Ed25519PrivateKey, *, sequence: int, security_counter: int, network: bytes, key_id: int = 1,
    least_key: int = 0, base: bytes | None = None,
) -> bytes:  # fmt: skip
    """An update file of the payload.

    Args:
        payload: what the device will run, at least one byte.
        base: what it runs now; then the file holds the changes to that.

    Raises:
        UsageError: a number that no header holds, or an empty or too large payload.
    """
    numbers = {"sequence": sequence, "security counter": security_counter, "key id": key_id, "least key": least_key}
    for name, number in numbers.items():
        if not 0 <= number <= LARGEST or (name == "sequence" and number == 0):
            raise UsageError(f"{name} {number} is not between {int(name == 'sequence')} and {LARGEST}")
    if least_key > key_id:
        raise UsageError(f"least key {least_key} would revoke the key {key_id} that signs", fix="sign with a newer key")
    if not payload or len(payload) > LARGEST:
        raise UsageError(f"a payload of {len(payload)} bytes cannot be sent")
    body = payload if base is None else delta.difference(base, payload)
    header = Header(
        sequence, security_counter, key_id, least_key, len(body), len(payload), network,
        hashlib.sha256(payload).digest(), bytes(32) if base is None else hashlib.sha256(base).digest(),
        base is not None,
    )  # fmt: skip
    signed = header.pack()
    return signed + key.sign(signed) + body


def check(data: bytes, key: Ed25519PublicKey, *, base: bytes | None = None, where: str = "") -> tuple[Header, bytes]:
    """The header, and the payload that a device would run, in the order in which a device refuses.

    Args:
        base: what the device runs now; needed for a delta's payload, which is empty without it.

    Raises:
        UpdateError: a device that knows the key and the network would refuse the file.
    """
    from cryptography.exceptions import InvalidSignature

    header = parse(data, where)
    try:
        key.verify(data[SIGNED_BYTES:HEADER_BYTES], data[:SIGNED_BYTES])
    except InvalidSignature:
        raise UpdateError("SIGNATURE_WRONG", where=where, fix="sign it again, or pass the key that signed it") from None
    body = data[HEADER_BYTES:]
    if header.delta and base is not None and hashlib.sha256(base).digest() != header.base_hash:
        raise UpdateError("DELTA_BASE", where=where)
    if len(body) != header.update_bytes:
        status = "TRUNCATED" if len(body) < header.update_bytes else "TOO_LONG"
        raise UpdateError(status, where=where)
    if header.delta and base is None:
        return header, b""
    payload = delta.apply(base or b"", body, header.payload_bytes, where) if header.delta else body
    if hashlib.sha256(payload).digest() != header.payload_hash:
        raise UpdateError("HASH_WRONG", where=where)
    return header, payload
