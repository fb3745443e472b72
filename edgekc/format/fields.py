"""The field tables of the .ekc format, from which writer, reader and the tables of docs/format.md derive.

Everything is little-endian. `docs/format.md` is the specification in words; `tables.py` makes its tables of these.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from ..graph.ir import Role

MAGIC = b"EKC\x1a"  # 0x1a ends the output of `type` and `more` on some systems, as in PNG
MAJOR, MINOR = 1, 0  # the format's own version; docs/format.md says when each of them changes
SECTION_ALIGN = 16  # of a section's offset in the file: what the widest vector loads want
TENSOR_ALIGN = 4  # of a tensor's data inside its section: int32 loads on cores without unaligned access

# Limits that a reader checks before it allocates or computes anything; those of tensors are in `graph/bounds.py`.
MAX_FILE_BYTES = 2**31 - 1
MAX_NAME_BYTES = 4096
MAX_TEXT_BYTES = 2**22  # of all strings and constants' names together: shared prefixes could expand without end


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a fixed record: `code` is a struct module format without byte order."""

    name: str
    code: str
    meaning: str


HEADER = (
    Field("magic", "4s", "the bytes 45 4B 43 1A"),
    Field("major", "B", f"format version; this is {MAJOR}"),
    Field("minor", "B", f"format version; this is {MINOR}"),
    Field("section_count", "H", "entries of the section table, which follows the header"),
    Field("total_bytes", "I", "length of the file"),
    Field("header_crc", "I", "CRC-32 of the 12 bytes before this field and of the section table"),
)
SECTION_ENTRY = (
    Field("kind", "I", "which section; the table is sorted by it and names none twice"),
    Field("offset", "I", "from the start of the file; a multiple of 16"),
    Field("nbytes", "I", "length without padding; at least 1"),
    Field("crc", "I", "CRC-32 of these bytes"),
)


def _struct(fields: tuple[Field, ...]) -> struct.Struct:
    return struct.Struct("<" + "".join(f.code for f in fields))


HEADER_STRUCT = _struct(HEADER)
ENTRY_STRUCT = _struct(SECTION_ENTRY)
CRC_OFFSET = HEADER_STRUCT.size - 4  # the CRC is the header's last field


class Kind(enum.IntEnum):
    """Section kinds; the constant kinds come first, so that reads just past a tensor stay inside the file."""

    WEIGHTS = 1
    BIAS = 2
    REQUANT = 3
    CODEBOOK = 4
    INDEX = 5
    PAIRS = 6
    CENTERS = 7
    GRAPH = 8
    METADATA = 9


KIND_MEANING = {
    Kind.WEIGHTS: "dense weights",
    Kind.BIAS: "biases, accumulator scale",
    Kind.REQUANT: "multipliers, shifts and look-up tables",
    Kind.CODEBOOK: "template kernels",
    Kind.INDEX: "unsigned indices of 1 to 8 bits, bit-packed",
    Kind.PAIRS: "a/b pairs, binary16",
    Kind.CENTERS: "16-bit fixed-point centers; binary points are in the tensor records",
    Kind.GRAPH: "strings, tensors and nodes: a graph record",
    Kind.METADATA: "one JSON object: tool version, source hash, recipe",
}

# A tensor record's role number; a constant's is also the kind of the section that holds its data.
ROLE_CODE = {Role.ACTIVATION: 0, **{Role(kind.name.lower()): int(kind) for kind in Kind if kind < Kind.GRAPH}}
ROLE_OF = {code: role for role, code in ROLE_CODE.items()}
DTYPE_CODE = {"int8": 1, "uint8": 2, "int16": 3, "int32": 4, "float16": 5, "float32": 6}
DTYPE_OF = {code: name for name, code in DTYPE_CODE.items()}

# A type record starts with one byte: flag << 7 | role << 4 | dtype.
TAG_FLAG = 0x80
TAG_ROLE_SHIFT, TAG_ROLE_MASK = 4, 7
TAG_DTYPE_MASK = 15


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a variable record of the graph section, in stored order."""

    name: str
    encoding: str
    meaning: str


GRAPH = (
    Part("strings", "list of string", "every string used, each once, sorted by its bytes"),
    Part("types", "list of type", "every type used, each once, in order of first use"),
    Part("operations", "list of operation", "every operation used, each once, in order of first use"),
    Part("name", "varint", "the graph's name, a string number"),
    Part("inputs", "list of activation", "the graph's inputs, and behind them the states at the start of a step"),
    Part("nodes", "list of node", "in execution order"),
    Part("outputs", "list of varint", "the graph's outputs, references to activations"),
    Part("states", "list of state", "left out where there are none; they belong to the last of the inputs, in order"),
)
STATE = (
    Part("end", "varint", "what the state is when the step ends: a reference to an activation"),
    Part("whole", "u8", "0: all bytes of its first value are the same; 1: they are not"),
    Part("fill", "u8", "only if `whole` is 0: that byte"),
    Part("value", "bytes", "only if `whole` is 1: the first value, each element little-endian"),
)
STRING = (
    Part("shared", "varint", "length of the longest prefix shared with the previous string (0 for the first)"),
    Part("length", "varint", "length of the rest"),
    Part("rest", "bytes", "the rest; prefix and rest together are UTF-8 without control characters"),
)
TYPE = (
    Part("tag", "u8", "flag << 7 \\| role << 4 \\| dtype"),
    Part("bits", "u8", "only for role index: bits per element, 1 to 8"),
    Part("name", "varint", "only for constants, a string number: name inside the node, or, with the flag, full name"),
    Part("shape", "list of varint", "sizes, outermost first; none is 0"),
)
OPERATION = (
    Part("op", "varint", "operator number"),
    Part("attributes", "list of svarint", "in the operator's order"),
)
NODE = (
    Part("operation", "varint", "operation number"),
    Part("name", "varint", "string number; no two nodes have the same"),
    Part("operands", "list of operand", "in the operator's order"),
    Part("results", "list of activation", "what the node writes"),
)
OPERAND = (
    Part("link", "varint", "even: a reference, times 2; odd: a constant of type `link >> 1` is defined here"),
    Part("points", "svarint each", "only for a constant of role centers: a binary point per index of the first axis"),
)
ACTIVATION = (
    Part("type", "varint", "type number; its role is activation"),
    Part("name", "varint", "string number"),
    Part("scale", "f32", "only if the type has the flag: real = scale * (q - zero_point)"),
    Part("zero_point", "svarint", "only if the type has the flag"),
)
RECORDS = {
    "graph": GRAPH,
    "string": STRING,
    "type": TYPE,
    "operation": OPERATION,
    "node": NODE,
    "operand": OPERAND,
    "activation": ACTIVATION,
    "state": STATE,
}
