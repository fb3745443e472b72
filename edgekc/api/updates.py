"""Keys, and files that a device takes as an update of what it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..files.bounded import read_file
from ..files.output import read_manifest, write_file
from ..update import header as headers
from ..update import keys, package

_LARGEST_FILE = 1 << 30  # bytes that are read into memory


@dataclass(frozen=True, slots=True)
class KeyPair(tables.Shown):
    """A key pair on disk.

    Attributes:
        private: its file, for `sign_update` alone.
        public: its file.
        key: the 32 bytes of the public key, which a device holds.
    """

    private: Path
    public: Path
    key: bytes

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc keygen --json` prints."""
        return {"private": str(self.private), "public": str(self.public), "key": self.key.hex()}

    def parts(self) -> list[tables.Part]:
        """The files, and the key in hexadecimal."""
        return [f"{self.private}: keep it secret, and out of repositories", f"{self.public}: {self.key.hex()}"]


@dataclass(frozen=True, slots=True)
class Update(tables.Shown):
    """An update whose signature is right.

    Attributes:
        path: its file.
        file_bytes: of the whole file.
        header: what it says about itself.
        complete: the hash of its payload was checked; False for a delta without the payload that it changes.
    """

    path: Path
    file_bytes: int
    header: headers.Header
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc sign --json` and `edgekc check-signature --json` print."""
        h = self.header
        return {
            "file": str(self.path), "file_bytes": self.file_bytes, "payload_bytes": h.payload_bytes,
            "sequence": h.sequence, "security_counter": h.security_counter, "key_id": h.key, "least_key": h.least_key,
            "network": h.network.hex(), "payload_sha256": h.payload_hash.hex(), "delta": h.delta,
            "base_sha256": h.base_hash.hex() if h.delta else None, "payload_checked": self.complete,
        }  # fmt: skip

    def parts(self) -> list[tables.Part]:
        """A row for each field."""
        h = self.header
        kind = "changes to an older payload" if h.delta else "a whole payload"
        sheet = tables.Sheet(
            f"{self.path}: {tables.size(self.file_bytes)} bytes, {kind}", tables.words(""), tables.words("")
        )
        sheet.add("payload", f"{tables.size(h.payload_bytes)} bytes")
        sheet.add("sequence", str(h.sequence))
        sheet.add("security counter", str(h.security_counter))
        sheet.add("key", f"{h.key}; lower than {h.least_key} are revoked" if h.least_key else str(h.key))
        sheet.add("network", h.network.hex())
        sheet.add("SHA-256", h.payload_hash.hex())
        if h.delta:
            sheet.add("SHA-256 before", h.base_hash.hex())
        sheet.add("checked", "signature and payload" if self.complete else "signature; not the payload")
        return [sheet]


def read_update(path: str | Path) -> bytes:
    """A file of an update or a payload; UsageError where it cannot be read."""
    return read_file(Path(path), _LARGEST_FILE, why="the most that is read")


def make_keys(path: str | Path) -> KeyPair:
    """Make an Ed25519 key pair: the private key at `path`, readable by its owner alone, the public one at `path`.pub.

    Raises:
        UsageError: one of the two is there, or cannot be written.
        ToolError: the package cryptography is missing.
    """
    private = Path(path)
    key = keys.generate(private)
    return KeyPair(private, private.with_name(private.name + ".pub"), keys.public_bytes(key))


def network_of(network: str | Path) -> bytes:
    """The 16 bytes that name a network to a device.

    Args:
        network: a folder of `edgekc compile`, or 32 hexadecimal digits.

    Raises:
        UsageError: neither.
    """
    text = str(network)
    if len(text) == 2 * headers.NETWORK_BYTES and not Path(text).exists():
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    return package.network_identity(read_manifest(Path(network)))


def sign_update(
    payload: str | Path, output: str | Path, *, key: str | Path, sequence: int, network: str | Path,
    security_counter: int = 0, key_id: int = 1, least_key: int = 0, delta_from: str | Path | None = None,
    force: bool = False,
) -> Update:  # fmt: skip
    """Write a file that updates devices to a payload.

    Args:
        payload: a file, such as a .ekc.
        output: where the update goes; an earlier update there is overwritten.
        key: the private key's file.
        sequence: above that of all earlier updates.
        network: a folder of `edgekc compile`, or 32 hexadecimal digits.
        security_counter: devices that run this update refuse lower ones from then on.
        key_id: the number by which devices know the key.
        least_key: keys with lower numbers are revoked from this update on.
        delta_from: the payload's file that devices run now; then only the changes are sent.
        force: over any file.

    Raises:
        UsageError: a file cannot be read or written, a number is out of its range, or the key is none.
        ToolError: the package cryptography is missing.
    """
    target = Path(output)
    private = keys.load_private(Path(key))
    base = None if delta_from is None else read_update(delta_from)
    data = package.sign(
        read_update(payload), private, sequence=sequence, security_counter=security_counter,
        network=network_of(network), key_id=key_id, least_key=least_key, base=base,
    )  # fmt: skip
    found, _ = package.check(data, private.public_key(), base=base, where=str(target))
    write_file(target, data, magic=headers.MAGIC, force=force)
    return Update(target, len(data), found, True)


def check_update(update: str | Path, *, key: str | Path, delta_from: str | Path | None = None) -> Update:
    """Check an update's signature, and the payload that a device would run.

    Args:
        update: the file.
        key: the public key's file.
        delta_from: for a file of changes, the payload that devices run now; without it only the signature is checked.

    Raises:
        FormatError: it is no update, the signature is wrong, or the payload is not what was signed.
        UsageError: a file cannot be read, or the key is none.
        ToolError: the package cryptography is missing.
    """
    path = Path(update)
    public = keys.load_public(Path(key))
    data = read_update(path)
    base = None if delta_from is None else read_update(delta_from)
    found, _ = package.check(data, public, base=base, where=str(path))
    return Update(path, len(data), found, not found.delta or base is not None)
