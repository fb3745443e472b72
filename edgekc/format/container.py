"""Section bodies to the bytes of a file with header, table and checksums, and back under checks."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import FormatError
from . import fields
from .fields import Kind


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section lies in the file; `nbytes` without padding."""

    kind: Kind
    offset: int
    nbytes: int


def join(bodies: Mapping[Kind, bytes]) -> bytes:
    """The file of these sections; empty ones are left out."""
    present = [(kind, bodies[kind]) for kind in Kind if bodies.get(kind)]
    table, blob = bytearray(), bytearray()
    start = fields.HEADER_STRUCT.size + len(present) * fields.ENTRY_STRUCT.size
    for kind, body in present:
        blob += bytes(-(start + len(blob)) % fields.SECTION_ALIGN)
        table += fields.ENTRY_STRUCT.pack(kind, start + len(blob), len(body), zlib.crc32(body))
        blob += body
    total = start + len(blob)
    if total > fields.MAX_FILE_BYTES:
        raise FormatError(f"the packed model would have {total} bytes, more than 2 GiB")
    head = fields.HEADER_STRUCT.pack(fields.MAGIC, fields.MAJOR, fields.MINOR, len(present), total, 0)
    head = head[: fields.CRC_OFFSET]
    crc = zlib.crc32(table, zlib.crc32(head))
    return b"".join((head, crc.to_bytes(4, "little"), table, blob))


def split(data: bytes, where: str) -> tuple[Section, ...]:
    """The sections of a file, after every byte of it has been checked: CRC, or zero where it is padding."""
    count, minor = _header(data, where)
    end = fields.HEADER_STRUCT.size + count * fields.ENTRY_STRUCT.size
    entries = fields.ENTRY_STRUCT.iter_unpack(data[fields.HEADER_STRUCT.size : end])
    out: list[Section] = []
    last_kind = 0
    for number, offset, nbytes, crc in entries:
        if number <= last_kind:
            raise FormatError(f"section kind {number} follows {last_kind}, which is not ascending", where=where)
        last_kind = number
        start = end + -end % fields.SECTION_ALIGN
        place = f"{where}: section {number}"
        if offset != start or nbytes == 0 or nbytes > len(data) - offset:
            raise FormatError(f"{nbytes} bytes at {offset}, expected at {start} of {len(data)}", where=place)
        if any(data[end:start]):
            raise FormatError(f"the padding before byte {start} is not zero", where=place)
        end = offset + nbytes
        if zlib.crc32(data[offset:end]) != crc:
            raise FormatError(f"the checksum of bytes {offset} to {end} is wrong, they are damaged", where=place)
        if number <= max(Kind):
            out.append(Section(Kind(number), offset, nbytes))
        elif minor <= fields.MINOR:  # a newer minor version may add sections that this reader can ignore
            raise FormatError("this kind does not exist in the file's format version", where=place)
    if end != len(data):
        raise FormatError(f"{len(data) - end} bytes follow the last section", where=where)
    for kind in (Kind.GRAPH, Kind.METADATA):
        if kind not in [s.kind for s in out]:
            raise FormatError(f"the {kind.name.lower()} section is missing", where=where)
    return tuple(out)


def _header(data: bytes, where: str) -> tuple[int, int]:
    """(sections, minor version) of a sound header and section table."""
    size = fields.HEADER_STRUCT.size
    if not data:
        raise FormatError("the file is empty", where=where)
    if data[: len(fields.MAGIC)] != fields.MAGIC:
        raise FormatError("not an .ekc file, its first four bytes are wrong", where=where)
    if len(data) < size:
        raise FormatError(f"the file ends inside the header, after {len(data)} bytes", where=where)
    _, major, minor, count, total, crc = fields.HEADER_STRUCT.unpack_from(data)
    if major > fields.MAJOR:
        what = f"format version {major}.{minor} is newer than {fields.MAJOR}.{fields.MINOR}"
        raise FormatError(what, where=where, fix="upgrade edgekc")
    if major < fields.MAJOR:
        raise FormatError(f"format version {major}.{minor} does not exist", where=where)
    if total != len(data):
        raise FormatError(f"the header says {total} bytes, the file has {len(data)}", where=where)
    end = size + count * fields.ENTRY_STRUCT.size
    if end > total:
        raise FormatError(f"a table of {count} sections does not fit into {total} bytes", where=where)
    if zlib.crc32(data[size:end], zlib.crc32(data[: fields.CRC_OFFSET])) != crc:
        raise FormatError("the header checksum is wrong, header or section table is damaged", where=where)
    return count, minor
