"""Ed25519 keys (RFC 8032) as PEM files: PKCS #8 for the private one, SubjectPublicKeyInfo for the public one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ToolError, UsageError
from ..files.bounded import check_path, read_file
from ..files.place import naming

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_KEY_FILE_LIMIT = 1 << 16  # bytes; a key has some hundred


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ToolError("keys need the package cryptography", fix="pip install 'edgekc[update]'") from None


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes that a device holds."""
    return key.public_bytes_raw()


def generate(path: Path) -> Ed25519PublicKey:
    """Makes a key pair: the private key at `path`, readable by its owner alone, and the public one at `path`.pub.

    Raises:
        UsageError: one of the two files exists, or cannot be written; then neither is left.
        ToolError: the package cryptography is missing.
    """
    _need_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    beside = check_path(path).with_name(path.name + ".pub")
    if beside.exists() or beside.is_symlink():
        raise UsageError("exists", where=str(beside), fix="a key is never overwritten: name another file")
    _create(path, private, 0o600)
    try:
        _create(beside, public, 0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return key.public_key()


def _create(path: Path, data: bytes, mode: int) -> None:
    """A new file with these permissions from its first moment on, whole or not there."""
    with naming(path):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            raise UsageError("exists", where=str(path), fix="a key is never overwritten: name another file") from None
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def load_private(path: Path) -> Ed25519PrivateKey:
    """The key that signs; UsageError where the file holds no private Ed25519 key without a password."""
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read_file(path, _KEY_FILE_LIMIT)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        fix = "pass the file that `edgekc keygen` wrote, without .pub"
        raise UsageError("holds no private Ed25519 key that could be read", where=str(path), fix=fix)
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """The key that checks, from its own file or from that of the private key; UsageError where there is none."""
    _need_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    data = read_file(path, _KEY_FILE_LIMIT)
    if b"PRIVATE KEY" in data:
        return load_private(path).public_key()
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        fix = "pass the .pub file that `edgekc keygen` wrote"
        raise UsageError("holds no public Ed25519 key that could be read", where=str(path), fix=fix)
    return key
