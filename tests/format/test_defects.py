"""One negative test for each rule of the graph section, in a file whose checksums are right."""

from __future__ import annotations

import struct
from dataclasses import replace

import graphs
import numpy as np
import pytest

from edgekc.errors import FormatError
from edgekc.format import container
from edgekc.format.fields import Kind
from edgekc.format.pack import pack, unpack
from edgekc.format.wire import f32, svarint, varint
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant

pytestmark = pytest.mark.usefixtures("holder_op")

WEIGHTS = bytes(range(8))
BIAS = struct.pack("<2i", 5, -5)
REQUANT = struct.pack("<ib", 2**30, -7)
# The graph section of one fully connected layer (1, 4) -> (1, 2), part by part as docs/format.md has it.
NAMES = (b"bias", b"fc", b"in", b"multiplier", b"net", b"shift", b"weights")
FULLY_CONNECTED, HOLDER = b"\x03", varint(250)
PARTS = {
    "strings": bytes([len(NAMES)]) + b"".join(b"\0" + bytes([len(n)]) + n for n in NAMES),
    "type_count": b"\6",
    "type_in": b"\x81\2\1\4",
    "type_weights": b"\x11\6\2\2\4",
    "type_bias": b"\x24\0\1\2",
    "type_multiplier": b"\x34\3\1\1",
    "type_shift": b"\x31\5\1\1",
    "type_out": b"\x81\2\1\2",
    "operation_count": b"\1",
    "op": FULLY_CONNECTED,
    "attributes": b"\4" + svarint(-128) + svarint(-128) + svarint(127) + b"\0",
    "name": b"\4",
    "inputs": b"\1\0\2" + f32(0.5) + svarint(-1),
    "node_count": b"\1",
    "node": b"\0\1",
    "operands": b"\5\2\3\5\7\x09",
    "results": b"\1\5\1" + f32(0.25) + svarint(3),
    "outputs": b"\1\1",
}


def file_of(data: dict[Kind, bytes] | None = None, **changed: bytes) -> bytes:
    assert changed.keys() <= PARTS.keys()
    bodies = {Kind.WEIGHTS: WEIGHTS, Kind.BIAS: BIAS, Kind.REQUANT: REQUANT, Kind.METADATA: b"{}"}
    graph = b"".join({**PARTS, **changed}.values())
    return container.join({**bodies, Kind.GRAPH: graph, **(data or {})})


def graph_of() -> Graph:
    values = {
        "weights": constant("fc/weights", np.arange(8, dtype=np.int8).reshape(2, 4), Role.WEIGHTS),
        "bias": constant("fc/bias", np.array([5, -5], np.int32), Role.BIAS),
        "multiplier": constant("fc/multiplier", np.array([2**30], np.int32), Role.REQUANT),
        "shift": constant("fc/shift", np.array([-7], np.int8), Role.REQUANT),
    }
    x, y = Tensor("in", (1, 4), "int8", Quant((0.5,), (-1,))), Tensor("fc", (1, 2), "int8", Quant((0.25,), (3,)))
    tensors = {"in": x, "fc": y, **{t.name: t for t in values.values()}}
    attrs = dict(out_zero=-128, act_min=-128, act_max=127, rounding=0)
    node = Node("fully_connected", "fc", ("in", *(t.name for t in values.values())), ("fc",), attrs)
    return Graph("net", Stage.INTEGER, tensors, (node,), ("in",), ("fc",), {})


def test_the_parts_are_what_pack_writes() -> None:
    assert file_of() == pack(graph_of())


def strings(*names: bytes) -> bytes:
    return varint(len(names)) + b"".join(b"\0" + varint(len(n)) + n for n in names)


NAN, INF = f32(float("nan")), f32(float("inf"))
DEFECTS: list[tuple[str, dict[str, bytes], str]] = [
    ("no strings", dict(strings=b"\0"), "there are no strings"),
    ("string count", dict(strings=b"\xff\xff\xff\xff\x0f"), "number of strings"),
    ("string past end", dict(strings=b"\1\0\xff\x1f"), "string needs 4095 bytes"),
    ("string too long", dict(strings=b"\1\0\x81\x20"), "at most 4096"),
    ("string empty", dict(strings=strings(b"", *NAMES)), "not sorted"),
    ("strings unsorted", dict(strings=strings(NAMES[1], NAMES[0], *NAMES[2:])), "not sorted"),
    ("string twice", dict(strings=strings(NAMES[0], NAMES[0], *NAMES[2:])), "not sorted"),
    ("prefix not shared", dict(strings=strings(b"bias", b"bib", *NAMES[2:])), "longest prefix"),
    ("prefix too long", dict(strings=b"\1\1\1a"), "shared prefix is 1, at most 0"),
    ("not UTF-8", dict(strings=strings(*NAMES[:6], b"\xff")), "UTF-8"),
    ("UTF-8 surrogate", dict(strings=strings(*NAMES[:6], b"\xed\xa0\x80")), "UTF-8"),
    ("control", dict(strings=strings(*NAMES[:6], b"we\n")), "control"),
    ("C1 control", dict(strings=strings(*NAMES[:6], "we\x85".encode())), "control"),
    ("string unused", dict(strings=strings(*NAMES, b"x")), "never used"),
    ("type unused", dict(type_count=b"\7", type_out=PARTS["type_out"] + b"\x01\1\7"), "never used"),
    ("type twice", dict(type_count=b"\7", type_out=PARTS["type_out"] * 2), "the same"),
    ("types out of order", dict(operands=b"\5\2\5\3\7\x09"), "type 2, expected"),
    ("type out of range", dict(operands=b"\5\2\3\5\7\x0d"), "type 6, expected"),
    ("dtype 0", dict(type_weights=b"\x10\6\2\2\4"), "dtype 0"),
    ("dtype 15", dict(type_weights=b"\x1f\6\2\2\4"), "dtype 15"),
    ("dtype of role", dict(type_weights=b"\x15\6\2\2\4"), "role weights cannot have dtype 5"),
    ("float activation", dict(type_in=b"\x85\2\1\4"), "role activation cannot have dtype 5"),
    ("0 bits", dict(type_weights=b"\x52\0\6\2\2\4"), "indices of 0 bits"),
    ("9 bits", dict(type_weights=b"\x52\x09\6\2\2\4"), "indices of 9 bits"),
    ("type name", dict(type_weights=b"\x11\7\2\2\4"), "string number is 7, at most 6"),
    ("size 0", dict(type_weights=b"\x11\6\2\2\0"), "impossible"),
    ("9 sizes", dict(type_weights=b"\x11\6\x09" + b"\1" * 9), "at most 8"),
    ("2**32 elements", dict(type_weights=b"\x11\6\2" + varint(65536) * 2), "impossible"),
    ("large constant", dict(type_weights=b"\x11\6\2" + varint(9) + b"\4"), "fc/weights needs 36 bytes, 8 are left"),
    ("activation size", dict(type_in=b"\x81\2\1" + varint(65536)), "exceeds 65535"),
    ("operator", dict(op=b"\x7e"), "operator 126 is unknown to this version"),
    ("operator without end", dict(op=b"\x80\x80\x80\x80\x80\x01"), "longer than 5 bytes"),
    ("varint over 32 bits", dict(op=b"\xff\xff\xff\xff\x1f"), "at most 4294967295"),
    ("varint not shortest", dict(op=b"\x83\0"), "shortest"),
    ("few attributes", dict(attributes=b"\3\0\0\0"), "3 attributes, expected 4"),
    ("many attributes", dict(attributes=b"\5\0\0\0\0\0"), "5 attributes, expected 4"),
    ("attribute count", dict(attributes=b"\xff\xff\xff\xff\x0f"), "number of attributes"),
    ("operation unused", dict(operation_count=b"\2", attributes=PARTS["attributes"] + HOLDER + b"\1\0"), "never used"),
    (
        "operation twice",
        dict(operation_count=b"\2", attributes=PARTS["attributes"] + b"\3" + PARTS["attributes"]),
        "same",
    ),
    ("operation number", dict(node=b"\1\1"), "operation 1, expected"),
    ("node name", dict(node=b"\0\7"), "string number is 7"),
    ("graph name", dict(name=b"\x7f"), "string number is 127"),
    ("input is a constant", dict(inputs=b"\1\0\2", type_in=b"\x11\6\1\1"), "where an activation is expected"),
    ("no input", dict(inputs=b"\0", operands=b"\0"), "expected one of|references|type"),
    ("scale 0", dict(inputs=b"\1\0\2" + f32(0) + b"\1"), "impossible scale"),
    ("scale negative", dict(inputs=b"\1\0\2" + f32(-1) + b"\1"), "impossible scale"),
    ("scale NaN", dict(inputs=b"\1\0\2" + NAN + b"\1"), "impossible scale"),
    ("scale infinite", dict(inputs=b"\1\0\2" + INF + b"\1"), "impossible scale"),
    ("zero point", dict(inputs=b"\1\0\2" + f32(1) + svarint(128)), "zero point 128"),
    ("node missing", dict(node_count=b"\0", node=b"", operands=b"", results=b""), "never used"),
    ("node count", dict(node_count=b"\x7f"), "number of nodes"),
    ("node twice", dict(node_count=b"\2"), "expected|reference|string"),
    ("reference 0", dict(operands=b"\5\0\3\5\7\x09"), "reference 0 back"),
    ("reference too far", dict(operands=b"\5\4\3\5\7\x09"), "reference 2 back, there are 1"),
    ("operand is an activation type", dict(operands=b"\5\2\1\3\5\7\x09"), "an activation where a constant"),
    ("operand missing", dict(operands=b"\4\2\3\5\7"), "type 5, expected"),
    ("operand twice", dict(operands=b"\6\2\3\5\7\x09\2"), "6 operands, expected 5"),
    ("operands swapped", dict(operands=b"\5\3\4\5\7\x09"), "data of|constant|shapes|operand|leftover"),
    ("constant twice", dict(operands=b"\6\2\3\5\7\x09\x09"), "twice|needs"),
    ("result is a constant", dict(results=b"\1\4\1" + f32(0.25) + svarint(3)), "where an activation is expected"),
    ("no result", dict(results=b"\0"), "reference|never used|outputs"),
    (
        "two results",
        dict(results=b"\2" + PARTS["results"][1:] + b"\5\5" + f32(1) + b"\0"),
        "2 outputs, expected 1|quant",
    ),
    ("result overwrites", dict(results=b"\1\5\2" + f32(0.25) + svarint(3)), "tensor in is defined twice"),
    ("result shape", dict(type_out=b"\x81\2\1\3"), r"output shapes \[\(1, 3\)\] should be \[\(1, 2\)\]"),
    ("weights rank", dict(type_weights=b"\x11\6\1\x08"), "weights .8. do not match"),
    ("output is a constant", dict(outputs=b"\2\1\2"), "never written"),
    ("output too far", dict(outputs=b"\1\x07"), "reference 7 back, there are 6"),
    ("output 0", dict(outputs=b"\1\0"), "reference 0 back"),
    ("no output", dict(outputs=b"\0"), "quantisation, but is no input or output"),
    ("output twice", dict(outputs=b"\2\1\1"), "twice among the outputs"),
    ("no states", dict(outputs=b"\1\1\0"), "a list of no states is stored"),
    ("bias length", dict(type_bias=b"\x24\0\1\1"), "left over"),
    ("bias dtype", dict(type_bias=b"\x23\0\1\4"), "bias of fully_connected must be const int32_t"),
    ("multiplier dtype", dict(type_multiplier=b"\x31\3\1\4"), "multiplier of fully_connected must be const int32_t"),
]


@pytest.mark.parametrize(("changed", "message"), [d[1:] for d in DEFECTS], ids=[d[0] for d in DEFECTS])
def test_defect(changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        unpack(file_of(**changed), "net.ekc")
    assert str(caught.value).startswith("net.ekc: ") and "\n" not in str(caught.value)


# Behind the outputs of graphs.streaming(): two states, each with its end and its first value.
STATES = b"\2" + b"\2\0\xfd" + b"\1\1" + b"\1\xfe\3\4"
STATE_DEFECTS: list[tuple[str, bytes, str]] = [
    ("too many", b"\x09" + STATES[1:], "number of states is 9, at most 3"),
    ("leftover", STATES + b"\0", "1 bytes are left over"),
    ("end 0", b"\2" + b"\0\0\xfd" + STATES[4:], "reference 0 back"),
    ("end of another", b"\2" + b"\1\0\xfd" + STATES[4:], "twice among the ends"),
    ("end is an input", b"\2" + b"\x0a\0\xfd" + STATES[4:], "must be written by a node that moves no bytes"),
    ("kind", b"\2" + b"\2\2\xfd" + STATES[4:], "a first value of kind 2"),
    ("cut short", STATES[:-1], "first value of past needs 4 bytes, 3 are left"),
    ("one byte", STATES[:-4] + b"\7\7\7\7", "first value of past is one byte, but not stored as one"),
]


@pytest.mark.parametrize(("states", "message"), [d[1:] for d in STATE_DEFECTS], ids=[d[0] for d in STATE_DEFECTS])
def test_state_defect(states: bytes, message: str) -> None:
    data = pack(graphs.streaming())
    bodies = {s.kind: graphs.body(data, s) for s in graphs.section_map(data)}
    assert bodies[Kind.GRAPH].endswith(STATES)
    bodies[Kind.GRAPH] = bodies[Kind.GRAPH][: -len(STATES)] + states
    with pytest.raises(FormatError, match=message):
        unpack(container.join(bodies), "net.ekc")


DATA_DEFECTS: list[tuple[str, dict[Kind, bytes], str]] = [
    ("weights missing", {Kind.WEIGHTS: b""}, "should be in a weights section, which is missing"),
    ("weights short", {Kind.WEIGHTS: WEIGHTS[:7]}, "fc/weights needs 8 bytes, 7 are left"),
    ("weights long", {Kind.WEIGHTS: WEIGHTS + b"\0"}, "1 bytes are left over"),
    ("unused section", {Kind.CENTERS: b"\0\0"}, "centers section, byte 0: 2 bytes are left over"),
    ("negative multiplier", {Kind.REQUANT: struct.pack("<ib", -1, 0)}, "negative"),
    ("shift 31", {Kind.REQUANT: struct.pack("<ib", 1, 31)}, "-31 to 30"),
    ("shift -32", {Kind.REQUANT: struct.pack("<ib", 1, -32)}, "-31 to 30"),
]


@pytest.mark.parametrize(("data", "message"), [d[1:] for d in DATA_DEFECTS], ids=[d[0] for d in DATA_DEFECTS])
def test_data_defect(data: dict[Kind, bytes], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        unpack(file_of(data), "net.ekc")


def _compressed_file(**changed: bytes) -> bytes:
    """A holder of 5 indices of 3 bits, 2 groups of 2 centers, one pair and a last table of 1 byte."""
    parts = {
        "strings": strings(b"c", b"i", b"p", b"t", b"x", b"y", b"z"),
        "types": b"\6" + b"\1\1\1" + b"\x52\3\1\1\5" + b"\x73\0\2\2\2" + b"\x65\2\1\2" + b"\x32\3\1\1" + b"\x32\6\1\1",
        "operation": b"\1" + HOLDER + b"\1\0",
        "head": b"\4\1\0\4\1\0\5",  # graph x, input x, one node y
        "operands": b"\6\2\3\5",
        "points": svarint(-63) + svarint(63),
        "more": b"\7\x09\x0b",
        "tail": b"\1\0\5\1\1",
    }
    bodies = {
        Kind.INDEX: b"\x88\x46",
        Kind.CENTERS: bytes(8),
        Kind.PAIRS: bytes(4),
        Kind.REQUANT: b"\1\0\0\0\2",
        Kind.METADATA: b"{}",
    }
    for name, value in changed.items():
        if name in parts:
            parts[name] = value
        else:
            bodies[Kind[name]] = value
    return container.join({**bodies, Kind.GRAPH: b"".join(parts.values())})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(INDEX=b"\x88\x00"), "least number of bits"),
        (dict(INDEX=b"\x88\xc6"), "spare bits"),
        (dict(INDEX=b"\x88"), "needs 2 bytes"),
        (dict(points=svarint(-64) + svarint(0)), "binary point is beyond 63"),
        (dict(points=svarint(0) + svarint(64)), "binary point is beyond 63"),
        (dict(PAIRS=b"\x00\x7c\0\0"), "finite"),
        (dict(PAIRS=b"\x00\0\x01\x7e"), "finite"),
        (dict(REQUANT=b"\1\0\0\1\2"), "padding before y/z is not zero"),
        (dict(REQUANT=b"\1\2"), "padding before y/z needs 3 bytes"),
    ],
)
def test_compressed_defect(changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        unpack(_compressed_file(**changed), "net.ekc")


def test_compressed_file_is_sound() -> None:
    graph = unpack(_compressed_file(), "net.ekc")
    assert pack(graph) == _compressed_file()
    assert graph.tensors["y/i"].value.tolist() == [0, 1, 2, 3, 4]
    assert graph.tensors["y/c"].q.scales == (2.0**63, 2.0**-63)


def test_groups_need_their_points() -> None:
    types = b"\2" + b"\1\1\1" + b"\x73\0\1" + varint(60_000)
    data = _compressed_file(types=types, operands=b"\2\2\3", points=b"", CENTERS=bytes(120_000))
    with pytest.raises(FormatError, match="60000 groups of centers"):
        unpack(data, "net.ekc")


def test_long_form_of_a_short_name() -> None:
    graph = graph_of()
    data = pack(graph)
    # The flag and the full name where node and suffix would do.
    names = [b"bias", b"fc", b"fc/weights", b"in", b"multiplier", b"net", b"shift"]
    table, previous = varint(len(names)), b""
    for n in names:
        shared = 2 if n == b"fc/weights" else 0
        table += varint(shared) + varint(len(n) - shared) + n[shared:]
        previous = n
    assert previous == b"shift"
    long = file_of(
        strings=table,
        type_in=b"\x81\2\1\4",
        type_weights=b"\x91\2\2\2\4",
        type_multiplier=b"\x34\4\1\1",
        type_shift=b"\x31\6\1\1",
        name=b"\5",
        inputs=b"\1\0\3" + PARTS["inputs"][3:],
    )
    with pytest.raises(FormatError, match="fc/weights is not named in its short form"):
        unpack(long, "net.ekc")
    graphs.same(unpack(data, "x"), graph)
    assert replace(graph, name="other") != graph
