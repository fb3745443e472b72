"""Damaged files: every changed byte, every truncation and any garbage is a FormatError and nothing else."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
from collections.abc import Callable

import graphs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekc.errors import FormatError
from edgekc.format import container
from edgekc.format.fields import ENTRY_STRUCT, HEADER_STRUCT, Kind
from edgekc.format.pack import pack, unpack
from edgekc.format.wire import varint

LIGHT = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.usefixtures("holder_op")


def refused(data: bytes, message: str = ".") -> None:
    with pytest.raises(FormatError, match=message) as caught:
        unpack(data, "net.ekc")
    text = str(caught.value)
    assert text.startswith("net.ekc") and "\n" not in text


@pytest.mark.parametrize("make", [graphs.tiny, graphs.compressed, graphs.streaming])
def test_every_changed_byte_is_found(make: Callable[[], object]) -> None:
    data = bytearray(pack(make()))  # type: ignore[arg-type]
    assert len(data) < 2000
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF, 0x10):
            data[at] ^= flip
            refused(bytes(data))
            data[at] ^= flip


def test_every_truncation_and_extension_is_found() -> None:
    data = pack(graphs.tiny())
    for length in range(len(data)):
        refused(data[:length])
    for tail in (b"\0", b"\0" * 16, data):
        refused(data + tail, "the header says")


@LIGHT
@given(st.binary(max_size=200), st.sampled_from([b"", b"EKC\x1a", b"EKC\x1a\x01\x00"]))
def test_garbage(data: bytes, start: bytes) -> None:
    refused(start + data)


BASES = {"tiny": graphs.tiny(), "compressed": graphs.compressed(), "streaming": graphs.streaming()}


@LIGHT
@given(st.sampled_from(sorted(BASES)), st.data())
def test_changes_under_right_checksums(base: str, draw: st.DataObject) -> None:
    """With the checksums made right, the checks below them are reached, most of all those of the graph section."""
    data = bytearray(pack(BASES[base]))
    graph = next(s for s in graphs.section_map(bytes(data)) if s.kind is Kind.GRAPH)
    anywhere = st.integers(0, len(data) - 1)
    inside = st.integers(graph.offset, graph.offset + graph.nbytes - 1)
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(inside | anywhere)] = draw.draw(st.integers(0, 255))
    graphs.survives(graphs.sealed(bytes(data)))


@pytest.mark.parametrize("base", sorted(BASES))
def test_every_graph_byte_under_right_checksums(base: str) -> None:
    data = bytearray(pack(BASES[base]))
    for section in graphs.section_map(bytes(data)):
        if section.kind in (Kind.GRAPH, Kind.METADATA):
            for at in range(section.offset, section.offset + section.nbytes):
                before = data[at]
                for value in (0, 1, 127, 128, 255, before ^ 1, before ^ 16):
                    data[at] = value
                    graphs.survives(graphs.sealed(bytes(data)))
                data[at] = before


@LIGHT
@given(st.sampled_from(sorted(BASES)), st.data())
def test_spliced_sections_under_right_checksums(base: str, draw: st.DataObject) -> None:
    """Sections cut, extended or left out."""
    data = pack(BASES[base])
    bodies = {s.kind: graphs.body(data, s) for s in graphs.section_map(data)}
    kind = draw.draw(st.sampled_from(sorted(bodies)))
    cut = draw.draw(st.integers(0, len(bodies[kind])))
    bodies[kind] = (
        bodies[kind][:cut] + draw.draw(st.binary(max_size=8)) + bodies[kind][cut + draw.draw(st.integers(0, 8)) :]
    )
    graphs.survives(container.join(bodies))


# ---------------------------------------------------------------- header and section table


def entries(data: bytes) -> list[list[int]]:
    count = HEADER_STRUCT.unpack_from(data)[3]
    return [list(e) for e in ENTRY_STRUCT.iter_unpack(data[16 : 16 + 16 * count])]


def with_entries(data: bytes, change: Callable[[list[list[int]]], None]) -> bytes:
    table = entries(data)
    count = len(table)
    change(table)
    assert len(table) == count
    return graphs.sealed(data[:16] + b"".join(ENTRY_STRUCT.pack(*e) for e in table) + data[16 + 16 * count :])


def put(index: int, field: int, value: int) -> Callable[[list[list[int]]], None]:
    def change(table: list[list[int]]) -> None:
        table[index][field] = value

    return change


def add(index: int, field: int, value: int) -> Callable[[list[list[int]]], None]:
    def change(table: list[list[int]]) -> None:
        table[index][field] += value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(0, 0, 0), "not ascending"),
        (put(1, 0, 1), "not ascending"),
        (put(2, 0, 1), "not ascending"),
        (put(4, 0, 77), "does not exist in the file's format version"),
        (put(2, 0, 4), "should be in a requant section, which is missing"),
        (put(0, 1, 0), "expected at 96"),
        (add(1, 1, 16), "expected at"),
        (add(1, 1, -16), "expected at"),  # overlap
        (add(1, 1, 4), "expected at"),
        (put(4, 1, 2**32 - 16), "expected at"),
        (put(4, 2, 2**32 - 1), "expected at"),
        (put(0, 2, 0), "expected at"),
        (add(4, 2, -1), "follow the last section"),
        (add(4, 2, 1), "expected at"),
        (put(3, 0, 7), "graph section is missing"),
    ],
)
def test_section_table(change: Callable[[list[list[int]]], None], message: str) -> None:
    refused(with_entries(pack(graphs.tiny()), change), message)


def header(data: bytes, at: int, code: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(code, out, at, value)
    return graphs.sealed(bytes(out))


@pytest.mark.parametrize(
    ("at", "code", "value", "message"),
    [
        (0, "B", 0, "not an .ekc file"),
        (4, "B", 2, "format version 2.0 is newer than 1.0; upgrade edgekc"),
        (4, "B", 0, "format version 0.0 does not exist"),
        (6, "H", 0, "follow the last section|graph section is missing|expected"),
        (6, "H", 65535, "does not fit"),
        (8, "I", 0, "the header says 0 bytes"),
        (8, "I", 2**32 - 1, "the header says 4294967295 bytes"),
    ],
)
def test_header(at: int, code: str, value: int, message: str) -> None:
    refused(header(pack(graphs.tiny()), at, "<" + code, value), message)


def test_padding_between_sections_must_be_zero() -> None:
    data = bytearray(pack(graphs.tiny()))
    sections = graphs.section_map(bytes(data))
    gaps = [s.offset - 1 for a, s in itertools.pairwise(sections) if a.offset + a.nbytes < s.offset]
    assert gaps
    for at in gaps:
        data[at] = 1
        refused(graphs.sealed(bytes(data)), "padding before byte")
        data[at] = 0


def test_newer_minor_version_may_bring_sections() -> None:
    """An unknown kind is skipped in a file of a newer minor version, and offsets stay right."""
    data = pack(graphs.tiny())
    sections = {int(s.kind): graphs.body(data, s) for s in graphs.section_map(data)}
    sections[99] = b"from the future"
    table, blob, start = b"", b"", 16 + 16 * len(sections)
    for kind, body in sections.items():
        blob += bytes(-(start + len(blob)) % 16)
        table += ENTRY_STRUCT.pack(kind, start + len(blob), len(body), 0)
        blob += body
    total = start + len(blob)
    newer = graphs.sealed(HEADER_STRUCT.pack(b"EKC\x1a", 1, 9, len(sections), total, 0) + table + blob)
    graphs.same(unpack(data, "x"), unpack(newer, "x"))
    offsets = graphs.constant_offsets(newer)
    for name, (offset, nbytes) in graphs.constant_offsets(data).items():
        there, count = offsets[name]
        assert newer[there : there + count] == data[offset : offset + nbytes]
    refused(header(newer, 5, "<B", 0), "does not exist")
    broken = bytearray(newer)
    broken[-1] ^= 1
    refused(bytes(broken), "checksum")


# ---------------------------------------------------------------- metadata


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x", "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"9" * 10_000, "not JSON|not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a":1}', "not valid text"),
        (b'{"a":{}}', "not valid text"),
        (b'{"a":"\\ud800"}', "not valid text"),
        (b'{"a": "b"}', "not sorted, compact"),
        (b'{"a":"b"}\n', "not sorted, compact"),
        (b'{"b":"","a":""}', "not sorted, compact"),
        (b'{"a":"","a":""}', "not sorted, compact"),
        (b'{"a":"\\u0061"}', "not sorted, compact"),
        ('{"a":"é"}'.encode(), "not sorted, compact"),
        ('{"a":"b"}'.encode("utf-16"), "not sorted, compact"),
    ],
)
def test_metadata(text: bytes, message: str) -> None:
    data = pack(graphs.tiny())
    bodies = {s.kind: graphs.body(data, s) for s in graphs.section_map(data)}
    refused(container.join({**bodies, Kind.METADATA: text}), message)


# ---------------------------------------------------------------- memory


def _peak(data: bytes) -> int:
    tracemalloc.start()
    try:
        refused(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_by_the_file() -> None:
    """Huge counts, shapes and shared prefixes must be refused before they are allocated."""
    strings = varint(2**31) + b"\0\1a"
    bomb = b"\0" + varint(4096) + b"a" * 4096 + b"".join(varint(4095) + b"\1" + bytes([i]) for i in range(98, 120))
    doubling = varint(20_000) + b"\0" + varint(4000) + b"a" * 4000
    doubling += b"".join(varint(4000 + i % 1) + b"\2" + i.to_bytes(2, "big") for i in range(0x3030, 0x3030 + 19_999))
    types = b"\1\0\1a" + varint(2**32 - 1)
    shape = b"\1\0\1a\1\x11\0\2" + varint(2**32 - 1) * 2
    for graph in (strings, varint(23) + bomb, doubling, types, shape, shape.replace(varint(2**32 - 1), varint(40_000))):
        data = container.join({Kind.WEIGHTS: b"\0", Kind.GRAPH: graph, Kind.METADATA: b"{}"})
        assert _peak(data) < 16 * 2**20 + 20 * len(data)
