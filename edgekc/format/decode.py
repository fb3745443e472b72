"""The sections of an .ekc file to an INTEGER graph; every number is checked before it is used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..graph import bounds
from ..graph.bits import index_bits, pack_indices, packed_bytes, unpack_indices
from ..graph.ir import Array, Graph, Node, Quant, Role, Stage, State, Tensor, constant
from ..ops import BY_CODE, OPS
from . import fields
from .container import Section
from .fields import Kind
from .wire import Cursor, has_control, metadata_bytes, shared_prefix


@dataclass(frozen=True, slots=True)
class Decoded:
    """A graph whose shapes and names still have to be verified, and where its constants lie."""

    graph: Graph
    offsets: Mapping[str, tuple[int, int]]  # (bytes from file start, stored bytes)


@dataclass(frozen=True, slots=True)
class Type:
    role: Role
    dtype: str
    flag: bool
    bits: int  # 0 unless the role is INDEX
    name: str  # empty for activations
    shape: tuple[int, ...]


def decode(data: bytes, sections: Sequence[Section], where: str) -> Decoded:
    """The graph in these sections; FormatError where they are not exactly what `encode.bodies` writes."""
    reader = _Reader(data, sections, where)
    graph = reader.graph()
    for cursor in reader.cursors.values():
        cursor.end()
    return Decoded(graph, reader.offsets)


class _Reader:
    """Walks the graph section once, and every constant section beside it."""

    def __init__(self, data: bytes, sections: Sequence[Section], where: str) -> None:
        self.start = {s.kind: s.offset for s in sections}
        self.cursors = {
            s.kind: Cursor(data[s.offset : s.offset + s.nbytes], f"{where}: {s.kind.name.lower()} section")
            for s in sections
        }
        self.at = self.cursors[Kind.GRAPH]
        self.strings: list[str] = []
        self.types: list[Type] = []
        self.used_strings: set[int] = set()
        self.used_types = 0
        self.operations: list[tuple[str, tuple[int, ...]]] = []  # operator name, attributes
        self.used_operations = 0
        self.text_bytes = 0
        self.tensors: dict[str, Tensor] = {}  # in order of definition
        self.defined: list[str] = []
        self.offsets: dict[str, tuple[int, int]] = {}

    def graph(self) -> Graph:
        at = self.at
        raw: list[bytes] = []
        self.strings = at.list("strings", lambda: self.string(raw))
        self.types = at.list("types", self.type)
        self.operations = at.list("operations", self.operation)
        if len(set(self.types)) != len(self.types) or len(set(self.operations)) != len(self.operations):
            at.fail("two types or two operations are the same")
        name = self.name()
        inputs = tuple(at.list("inputs", self.activation))
        nodes = tuple(at.list("nodes", self.node))
        outputs = tuple(at.list("outputs", lambda: self.reference(at.varint("output"))))
        states = self.states(inputs) if at.at != len(at.data) else ()
        inputs = inputs[: len(inputs) - len(states)]
        used = (len(self.used_strings), self.used_types, self.used_operations)
        if used != (len(self.strings), len(self.types), len(self.operations)):
            at.fail("a string, type or operation is never used")
        interface = {*inputs, *outputs}
        for tensor in self.tensors.values():
            if tensor.role is Role.ACTIVATION and tensor.quant is not None and tensor.name not in interface:
                at.fail(f"tensor {tensor.name} has a quantisation, but is no input or output")
        return Graph(name, Stage.INTEGER, self.tensors, nodes, inputs, outputs, self.metadata(), states)

    def string(self, before: list[bytes]) -> str:
        at = self.at
        previous = before[-1] if before else b""
        shared = at.varint("shared prefix", len(previous))
        length = at.varint("string length", fields.MAX_NAME_BYTES - shared)
        raw = previous[:shared] + at.take(length, "string")
        if raw <= previous or shared_prefix(previous, raw) != shared:
            at.fail("strings are not sorted, not distinct, or do not share their longest prefix")
        self.count_text(len(raw))
        before.append(raw)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            at.fail("a string is not UTF-8")
        if has_control(text):
            at.fail("a string has control characters")
        return text

    def count_text(self, nbytes: int) -> None:
        self.text_bytes += nbytes
        if self.text_bytes > fields.MAX_TEXT_BYTES:
            self.at.fail(f"the names are more than {fields.MAX_TEXT_BYTES} bytes")

    def name(self) -> str:
        if not self.strings:
            self.at.fail("there are no strings")
        number = self.at.varint("string number", len(self.strings) - 1)
        self.used_strings.add(number)
        return self.strings[number]

    def type(self) -> Type:
        at = self.at
        tag = at.u8("tag")
        role = fields.ROLE_OF[tag >> fields.TAG_ROLE_SHIFT & fields.TAG_ROLE_MASK]
        number = tag & fields.TAG_DTYPE_MASK
        dtype = fields.DTYPE_OF.get(number, "")
        if dtype not in bounds.ROLE_DTYPES[role]:
            at.fail(f"a tensor of role {role.value} cannot have dtype {number}")
        bits = at.u8("bits") if role is Role.INDEX else 0
        if role is Role.INDEX and not 1 <= bits <= 8:
            at.fail(f"indices of {bits} bits; 1 to 8 are possible")
        name = "" if role is Role.ACTIVATION else self.name()
        shape = tuple(at.list("dimensions", lambda: at.varint("dimension"), bounds.MAX_DIMS))
        if not all(shape) or math.prod(shape) > bounds.MAX_ELEMENTS:
            at.fail(f"the shape {list(shape)} is impossible")
        return Type(role, dtype, bool(tag & fields.TAG_FLAG), bits, name, shape)

    def use_type(self, number: int) -> Type:
        if number > self.used_types or number >= len(self.types):
            self.at.fail(f"type {number}, expected one of those used before or the next, {self.used_types}")
        self.used_types = max(self.used_types, number + 1)
        return self.types[number]

    def operation(self) -> tuple[str, tuple[int, ...]]:
        at = self.at
        code = at.varint("operator")
        if code not in BY_CODE:
            at.fail(f"operator {code} is unknown to this version of edgekc, a newer one may have it")
        op = BY_CODE[code]
        attrs = at.list("attributes", lambda: at.svarint("attribute"))
        if len(attrs) != len(op.attrs):
            at.fail(f"{op.name} has {len(attrs)} attributes, expected {len(op.attrs)}")
        return op.name, tuple(attrs)

    def node(self) -> Node:
        at = self.at
        number = at.varint("operation")
        if number > self.used_operations or number >= len(self.operations):
            at.fail(f"operation {number}, expected one of those used before or the next, {self.used_operations}")
        self.used_operations = max(self.used_operations, number + 1)
        op, attrs = self.operations[number]
        name = self.name()
        inputs = tuple(at.list("operands", lambda: self.operand(name)))
        outputs = tuple(at.list("results", self.activation))
        return Node(op, name, inputs, outputs, dict(zip(OPS[op].attrs, attrs, strict=True)))

    def operand(self, node: str) -> str:
        link = self.at.varint("operand")
        return self.constant(self.use_type(link >> 1), node) if link & 1 else self.reference(link >> 1)

    def reference(self, distance: int) -> str:
        if not 1 <= distance <= len(self.defined):
            self.at.fail(f"reference {distance} back, there are {len(self.defined)} tensors")
        return self.defined[-distance]

    def define(self, tensor: Tensor) -> str:
        if tensor.name in self.tensors:
            self.at.fail(f"tensor {tensor.name} is defined twice")
        self.tensors[tensor.name] = tensor
        self.defined.append(tensor.name)
        return tensor.name

    def activation(self) -> str:
        at = self.at
        t = self.use_type(at.varint("type"))
        if t.role is not Role.ACTIVATION:
            at.fail(f"a tensor of role {t.role.value} where an activation is expected")
        name = self.name()
        quant = Quant((at.f32("scale"),), (at.svarint("zero point"),)) if t.flag else None
        return self.define(Tensor(name, t.shape, t.dtype, quant))

    def constant(self, t: Type, node: str) -> str:
        at = self.at
        if t.role is Role.ACTIVATION:
            at.fail("an activation where a constant is expected")
        if t.flag and t.name.startswith(f"{node}/") and len(t.name) > len(node) + 1:
            at.fail(f"constant {t.name} is not named in its short form")
        name = t.name if t.flag else f"{node}/{t.name}"
        if not t.flag:
            nbytes = len(name.encode())
            if nbytes > fields.MAX_NAME_BYTES:
                at.fail(f"the name of a constant has {nbytes} bytes")
            self.count_text(nbytes)
        kind, count = Kind(fields.ROLE_CODE[t.role]), math.prod(t.shape)
        if kind not in self.cursors:
            at.fail(f"the data of {name} should be in a {kind.name.lower()} section, which is missing")
        source = self.cursors[kind]
        if any(source.take(-source.at % fields.TENSOR_ALIGN, f"the padding before {name}")):
            source.fail(f"the padding before {name} is not zero")
        offset = self.start[kind] + source.at
        nbytes = packed_bytes(count, t.bits) if t.bits else count * np.dtype(t.dtype).itemsize
        raw = source.take(nbytes, name)
        self.offsets[name] = (offset, nbytes)
        if t.bits:
            value = unpack_indices(raw, t.bits, count).reshape(t.shape)
            if index_bits(value) != t.bits or pack_indices(value, t.bits) != raw:
                source.fail(f"{name} is not packed into the least number of bits, or its spare bits are not zero")
        else:
            value = np.frombuffer(raw, np.dtype(t.dtype).newbyteorder("<")).astype(t.dtype).reshape(t.shape)
        return self.define(constant(name, value, t.role, self.points(t)))

    def states(self, inputs: Sequence[str]) -> tuple[State, ...]:
        """The graph's states; those at the start of a step are the last of `inputs`."""
        at = self.at
        count = at.varint("number of states", len(inputs))
        if not count:
            at.fail("a list of no states is stored; it must be left out")
        out = []
        for name in inputs[len(inputs) - count :]:
            end = self.reference(at.varint("end of a state"))
            out.append(State(name, end, self.first_value(self.tensors[name])))
        return tuple(out)

    def first_value(self, t: Tensor) -> Array:
        at, dtype = self.at, np.dtype(t.dtype)
        whole = at.u8("whole")
        if whole > 1:
            at.fail(f"a first value of kind {whole}")
        little = dtype.newbyteorder("<")
        if not whole:
            fill = np.frombuffer(at.take(1, "fill") * dtype.itemsize, little).astype(dtype)
            return np.broadcast_to(fill.reshape(()), t.shape)  # one element: a small file must not ask for much memory
        self.offsets[t.name] = (self.start[Kind.GRAPH] + at.at, t.nbytes)
        raw = at.take(t.nbytes, f"the first value of {t.name}")
        if raw == raw[:1] * len(raw):
            at.fail(f"the first value of {t.name} is one byte, but not stored as one")
        value = np.frombuffer(raw, little).astype(dtype).reshape(t.shape)
        value.setflags(write=False)
        return value

    def points(self, t: Type) -> Quant | None:
        """The binary points of centers, as the scales that they mean."""
        at = self.at
        if t.role is not Role.CENTERS:
            return None
        groups = t.shape[0] if t.shape else 0
        if not 1 <= groups <= len(at.data) - at.at:
            at.fail(f"{groups} groups of centers, {len(at.data) - at.at} bytes are left for their binary points")
        points = [at.svarint("binary point") for _ in range(groups)]
        if max(map(abs, points)) > bounds.MAX_POINT:
            at.fail(f"a binary point is beyond {bounds.MAX_POINT}")
        return Quant(tuple(2.0**-p for p in points), (0,) * groups)

    def metadata(self) -> dict[str, str]:
        at = self.cursors[Kind.METADATA]
        raw = at.take(len(at.data), "metadata")
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            at.fail("the metadata is not JSON")
        if not isinstance(found, dict):
            at.fail("the metadata is not a JSON object")
        try:
            canonical = metadata_bytes(found)
        except ModelError as error:
            at.fail(error.what)
        if canonical != raw:
            at.fail("the metadata is not sorted, compact, ASCII JSON without duplicate keys")
        return found
