"""An INTEGER graph to the bodies of the .ekc sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..graph.bits import index_bits, pack_indices
from ..graph.ir import Graph, Node, Role, State, Tensor
from ..ops import legal
from . import fields
from .fields import Kind
from .wire import I32_MAX, I32_MIN, f32, metadata_bytes, name_bytes, shared_prefix, svarint, varint


@dataclass(frozen=True, slots=True)
class Type:
    """What tensors have in common; the type table holds each once, as neighbouring layers repeat them."""

    tag: int
    bits: int | None
    name: str | None  # of constants
    shape: tuple[int, ...]


def bodies(graph: Graph) -> dict[Kind, bytes]:
    """Every section's body; constant data in the order in which the nodes read it first."""
    writer = _Writer(graph)
    graph_body = writer.graph_body()
    out = {kind: bytes(body) for kind, body in writer.data.items()}
    return {**out, Kind.GRAPH: graph_body, Kind.METADATA: metadata_bytes(graph.metadata)}


class _Writer:
    """Collects types and constant data while it walks the graph once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.data: dict[Kind, bytearray] = {}
        self.defined: dict[str, int] = {}  # tensor name -> its number, in order of definition
        self.types: dict[Type, int] = {}  # dicts keep the order of first use
        self.operations: dict[bytes, int] = {}
        self.short = _short_names(graph)
        names = {graph.name, *graph.sources}
        for node in graph.nodes:
            names.update((node.name, *node.outputs))
            names.update(self.short.get(n, n) for n in node.inputs)
        self.strings = sorted(names, key=name_bytes)
        self.number = {s: i for i, s in enumerate(self.strings)}
        text = sum(len(name_bytes(s)) for s in (*self.strings, *self.short))
        if text > fields.MAX_TEXT_BYTES:
            raise ModelError(f"the names are {text} bytes, more than {fields.MAX_TEXT_BYTES}", where=graph.name)

    def graph_body(self) -> bytes:
        g = self.graph
        tail = bytearray(varint(self.number[g.name]) + varint(len(g.sources)))
        tail += b"".join(self.activation(n) for n in g.sources)
        tail += varint(len(g.nodes)) + b"".join(self.node(n) for n in g.nodes)
        tail += varint(len(g.outputs)) + b"".join(varint(self.reference(n)) for n in g.outputs)
        if g.states:
            tail += varint(len(g.states)) + b"".join(self.state(s) for s in g.states)
        operations = varint(len(self.operations)) + b"".join(self.operations)
        return _string_table(self.strings) + self.type_table() + operations + bytes(tail)

    def type_table(self) -> bytes:
        out = bytearray(varint(len(self.types)))
        for t in self.types:
            out.append(t.tag)
            out += b"" if t.bits is None else bytes([t.bits])
            out += b"" if t.name is None else varint(self.number[t.name])
            out += varint(len(t.shape)) + b"".join(map(varint, t.shape))
        return bytes(out)

    def operation(self, node: Node) -> int:
        """The number of the node's operator and attributes, which layers of one kind often share."""
        op = legal.op_of(node)
        out = bytearray(varint(op.code) + varint(len(op.attrs)))
        for key in op.attrs:
            value = node.int_attr(key)
            if not I32_MIN <= value <= I32_MAX:
                raise ModelError(f"attribute {key} = {value} does not fit into 32 bits", where=node.name)
            out += svarint(value)
        return self.operations.setdefault(bytes(out), len(self.operations))

    def node(self, node: Node) -> bytes:
        out = varint(self.operation(node)) + varint(self.number[node.name])
        out += varint(len(node.inputs)) + b"".join([self.operand(n) for n in node.inputs])
        return out + varint(len(node.outputs)) + b"".join([self.activation(n) for n in node.outputs])

    def reference(self, name: str) -> int:
        return len(self.defined) - self.defined[name]

    def define(self, t: Tensor, flag: bool, bits: int | None, name: str | None) -> int:
        """Counts the tensor as defined; returns its type's number."""
        self.defined[t.name] = len(self.defined)
        role = fields.ROLE_CODE[t.role] << fields.TAG_ROLE_SHIFT
        tag = fields.TAG_FLAG * flag | role | fields.DTYPE_CODE[t.dtype]
        return self.types.setdefault(Type(tag, bits, name, t.shape), len(self.types))

    def activation(self, name: str) -> bytes:
        t = self.graph.tensors[name]
        tail = b""
        if t.quant is not None and (name in self.graph.inputs or name in self.graph.outputs):
            tail = f32(t.quant.scale) + svarint(t.quant.zero_point)
        return varint(self.define(t, bool(tail), None, None)) + varint(self.number[name]) + tail

    def state(self, state: State) -> bytes:
        first = state.first_bytes()
        end = varint(self.reference(state.end))
        return end + (b"\0" + first[:1] if first == first[:1] * len(first) else b"\1" + first)

    def operand(self, name: str) -> bytes:
        if name in self.defined:
            return varint(self.reference(name) * 2)
        t = self.graph.tensors[name]
        bits, points, body = None, b"", b""
        if t.role is Role.INDEX:
            bits = index_bits(t.value)
            body = pack_indices(t.value, bits)
        else:
            body = t.value.astype(np.dtype(t.dtype).newbyteorder("<")).tobytes()
        if t.role is Role.CENTERS:
            points = b"".join(map(svarint, legal.binary_points(t)))
        section = self.data.setdefault(Kind(fields.ROLE_CODE[t.role]), bytearray())
        section += bytes(-len(section) % fields.TENSOR_ALIGN) + body
        number = self.define(t, name not in self.short, bits, self.short.get(name, name))
        return varint(number * 2 + 1) + points


def _short_names(graph: Graph) -> dict[str, str]:
    """Constant name -> what follows "NODE/", NODE being the first node that reads it, where it is named so."""
    out: dict[str, str] = {}
    seen: set[str] = set()
    for node in graph.nodes:
        prefix = f"{node.name}/"
        for name in node.inputs:
            is_constant = graph.tensors[name].role is not Role.ACTIVATION
            if is_constant and name not in seen and name.startswith(prefix) and len(name) > len(prefix):
                out[name] = name[len(prefix) :]
            seen.add(name)
    return out


def _string_table(strings: list[str]) -> bytes:
    out, previous = bytearray(varint(len(strings))), b""
    for raw in map(name_bytes, strings):
        shared = shared_prefix(previous, raw)
        out += varint(shared) + varint(len(raw) - shared) + raw[shared:]
        previous = raw
    return bytes(out)
