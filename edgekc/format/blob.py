"""Blobs: what a network's code takes its constants from, as bytes, and everything that such bytes must be.

docs/blobs.md describes the format. ek_blob_check.c refuses the same blobs, with the same statuses, in the same order.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FormatError, UsageError
from ..files.bounded import read_file
from ..graph.bits import packed_bytes, unpack_indices
from ..graph.ir import Array

MAGIC = b"EKB\x1a"
VERSION = 1
ALIGN = 16  # of a blob, and of a section in it
IDENTITY_BYTES = 16
_HEADER = struct.Struct("<4sIII16s")  # magic, version, total bytes, sections, identity
_ENTRY = struct.Struct("<III")  # of a section: offset, bytes, CRC-32
_CRC = struct.Struct("<I")
_HALF_LEAST, _HALF_MOST = 0x3C00, 0x6800  # 1 and 2048 as binary16

# What is wrong; ek_blob.h numbers them alike.
STATUSES = (
    "OK", "NULL", "ALIGNMENT", "LENGTH", "MAGIC", "VERSION", "HEADER", "IDENTITY", "SECTION", "CRC", "RANGE",
)  # fmt: skip
_TEXTS = {
    "LENGTH": "has {found:,} bytes, and every blob of this code has {total:,}",
    "MAGIC": "is no blob",
    "VERSION": "is a blob of a format that is not known here",
    "IDENTITY": "belongs to other code: the network, its kernels or its layout differ",
    "HEADER": "its header is damaged",
    "SECTION": "a section lies outside of it or over another one, or what lies between is not 0",
    "CRC": "a section is damaged",
    "RANGE": "a number in it is out of its range",
}
KINDS = ("INT8", "INT16", "INT32", "BITS", "HALF", "FLOAT", "SHIFTED")  # of rules; ek_blob.h says what they mean


class BlobError(FormatError):
    """Bytes are no blob of this code.

    Args:
        name: of the status that the code gives for it.
    """

    def __init__(self, name: str, what: str, *, where: str = "") -> None:
        super().__init__(what, where=where)
        self.name, self.status = name, STATUSES.index(name)


@dataclass(frozen=True, slots=True)
class Rule:
    """What `count` numbers of a section must be; ek_blob_rule has the same fields."""

    section: int
    kind: str  # of KINDS
    offset: int
    count: int
    low: int
    high: int
    bits: int = 0

    @property
    def nbytes(self) -> int:
        """Of the numbers that it is about."""
        sizes = {"INT8": 1, "INT16": 2, "HALF": 2, "INT32": 4, "FLOAT": 4, "SHIFTED": 4}
        return packed_bytes(self.count, self.bits) if self.kind == "BITS" else sizes[self.kind] * self.count


@dataclass(frozen=True, slots=True)
class Layout:
    """What a network's code knows of all its blobs.

    Attributes:
        sections: the bytes of each, in their order: learned numbers, edges, constants, and constants that are laid out.
        names: of the sections.
        rules: in the order in which they are looked at.
    """

    identity: bytes
    sections: tuple[int, ...]
    names: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where `write` puts each section."""
        found, end = [], self._header_bytes
        for size in self.sections:
            found.append(end + -end % ALIGN)
            end = found[-1] + size
        return tuple(found)

    @property
    def total_bytes(self) -> int:
        """Of every blob, a multiple of 16."""
        end = self.offsets[-1] + self.sections[-1]
        return end + -end % ALIGN

    @property
    def _header_bytes(self) -> int:
        return _HEADER.size + _ENTRY.size * len(self.sections) + _CRC.size

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        sections = zip(self.names, self.offsets, self.sections, strict=True)
        return {
            "bytes": self.total_bytes,
            "identity": self.identity.hex(),
            "sections": [{"name": name, "offset": at, "bytes": size} for name, at, size in sections],
            "rules": [[r.section, r.kind, r.offset, r.count, r.low, r.high, r.bits] for r in self.rules],
        }


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that the code takes: the bytes of each section."""

    layout: Layout
    sections: tuple[bytes, ...]


def layout_of(manifest: Mapping[str, Any], where: str = "") -> Layout:
    """The layout that `compile --blob` wrote into a manifest; UsageError where there is none, or it is damaged."""
    if "blob" not in manifest:
        name = where or str(manifest.get("name", ""))
        raise UsageError("was compiled without --blob", where=name, fix="compile it with --blob first")
    try:
        told = manifest["blob"]
        names, sizes = zip(*((str(s["name"]), int(s["bytes"])) for s in told["sections"]), strict=True)
        layout = Layout(bytes.fromhex(told["identity"]), sizes, names, tuple(_rule(*rule) for rule in told["rules"]))
        whole = all(0 <= r.section < len(sizes) and r.offset >= 0 and r.count >= 0 for r in layout.rules)
        if not whole or any(r.offset + r.nbytes > sizes[r.section] for r in layout.rules):
            raise ValueError("a rule reaches out of its section")
        if len(layout.identity) != IDENTITY_BYTES or layout.to_dict() != {k: told[k] for k in layout.to_dict()}:
            raise ValueError("numbers that contradict each other")
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"damaged (key blob: {error})", where=where, fix="compile the model again") from None
    return layout


def _rule(section: int, kind: str, offset: int, count: int, low: int, high: int, bits: int) -> Rule:
    numbers = (section, offset, count, low, high, bits)
    if kind not in KINDS or any(type(n) is not int for n in numbers) or not (bits == 0 or 1 <= bits <= 8):
        raise ValueError("a rule of no known kind")
    return Rule(section, kind, offset, count, low, high, bits)


def write(layout: Layout, sections: Sequence[bytes]) -> bytes:
    """The blob of these sections. It is read back: BlobError where a number is out of its range."""
    out = bytearray(layout.total_bytes)
    head = _HEADER.pack(MAGIC, VERSION, layout.total_bytes, len(sections), layout.identity)
    for at, section in zip(layout.offsets, sections, strict=True):
        head += _ENTRY.pack(at, len(section), zlib.crc32(section))
        out[at : at + len(section)] = section
    head += _CRC.pack(zlib.crc32(head))
    out[: len(head)] = head
    read(bytes(out), layout)
    return bytes(out)


def read(data: bytes, layout: Layout, where: str = "") -> Blob:
    """The sections of a blob; BlobError exactly where the code refuses it."""

    def refuse(name: str) -> BlobError:
        text = _TEXTS[name].format(found=len(data), total=layout.total_bytes)
        return BlobError(name, text, where=where)

    if len(data) != layout.total_bytes:
        raise refuse("LENGTH")
    magic, version, total, count, identity = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise refuse("MAGIC")
    if version != VERSION:
        raise refuse("VERSION")
    if identity != layout.identity:
        raise refuse("IDENTITY")
    end = _HEADER.size + _ENTRY.size * len(layout.sections)
    if total != layout.total_bytes or count != len(layout.sections) or _word(data, end) != zlib.crc32(data[:end]):
        raise refuse("HEADER")
    entries = [_ENTRY.unpack_from(data, _HEADER.size + _ENTRY.size * i) for i in range(count)]
    end += _CRC.size
    for (offset, size, _), expected in zip(entries, layout.sections, strict=True):
        fits = size == expected and offset % ALIGN == 0 and end <= offset <= total - size
        if not fits or any(data[end:offset]):
            raise refuse("SECTION")
        end = offset + size
    if any(data[end:]):
        raise refuse("SECTION")
    sections = tuple(data[offset : offset + size] for offset, size, _ in entries)
    if any(zlib.crc32(section) != crc for section, (_, _, crc) in zip(sections, entries, strict=True)):
        raise refuse("CRC")
    if not all(holds(rule, sections[rule.section]) for rule in layout.rules):
        raise refuse("RANGE")
    return Blob(layout, sections)


def check_fits(manifest: Mapping[str, Any], older: Mapping[str, Any], where: str, folder: str) -> None:
    """UsageError where the code of an older folder would refuse the blob of a new one; says what differs.

    Args:
        manifest: of the new folder.
        older: that of the older one.
        where: what was compiled anew, as errors call it.
        folder: the older folder, as errors call it.
    """
    new, old = layout_of(manifest, where), layout_of(older, folder)
    if new.identity == old.identity:
        return
    layers = [(str(m["name"]), str(m["kernel"]), list(m["output_shape"])) for m in manifest["layers"]]
    before = [(str(m["name"]), str(m["kernel"]), list(m["output_shape"])) for m in older["layers"]]
    pairs = zip(layers, before, strict=False)
    at, apart = next(((i, p) for i, p in enumerate(pairs) if p[0][1:] != p[1][1:]), (0, None))
    if apart is not None:
        (name, *here), (_, *there) = apart
        what = f"layer {at}, {name}, is {here[0]} of {here[1]}, not {there[0]} of {there[1]}"
    elif len(layers) != len(before):
        what = f"it has {len(layers)} layers, not {len(before)}"
    elif new.sections != old.sections:
        what = "its constants have other sizes"
    else:
        what = "its buffers, options or kernels' sources differ"
    fix = "compile with the options of that folder, or put new code on the device"
    raise UsageError(f"its blob is none for the code in {folder}: {what}", where=where, fix=fix)


def read_blob(folder: Path, manifest: Mapping[str, Any]) -> bytes:
    """The blob of a compiled folder, as its code takes it.

    Raises:
        UsageError: the folder has none, or it cannot be read.
        BlobError: the code would refuse it.
    """
    path = folder / f"{manifest['name']}.blob"
    layout = layout_of(manifest, str(folder / "manifest.json"))
    data = read_file(path, layout.total_bytes, why="the length of every blob of this code")
    read(data, layout, str(path))
    return data


def _word(data: bytes, at: int) -> int:
    return int(_CRC.unpack_from(data, at)[0])


def holds(rule: Rule, section: bytes) -> bool:
    """Whether the numbers of the section are as the rule says."""
    data = section[rule.offset : rule.offset + rule.nbytes]
    if rule.kind == "BITS":
        return bool(np.all(unpack_indices(data, rule.bits, rule.count) <= rule.high))
    if rule.kind == "HALF":
        bits = np.frombuffer(data, "<u2") & 0x7FFF
        return bool(np.all((bits == 0) | ((bits >= _HALF_LEAST) & (bits <= _HALF_MOST))))
    if rule.kind == "FLOAT":
        return bool(np.all(np.isfinite(np.frombuffer(data, "<f4"))))
    if rule.kind == "SHIFTED":
        (value,) = struct.unpack("<i", data)
        return bool((-value << (_word(section, rule.low) & 31)) <= rule.high)
    values: Array = np.frombuffer(data, {"INT8": "<i1", "INT16": "<i2", "INT32": "<i4"}[rule.kind])
    return bool(np.all((values >= rule.low) & (values <= rule.high)))
