"""Small INTEGER graphs, built by hand, and the operator that stands for compressed layers in these tests."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgekc.errors import FormatError
from edgekc.format.container import Section
from edgekc.format.pack import pack, read, unpack
from edgekc.graph.bits import encode_centers
from edgekc.graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Stage, State, Tensor, constant
from edgekc.graph.op import Constant, IntAttrs, Op, Operand, Shape

WINDOW = dict(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1)
OUTPUT = dict(out_zero=-128, act_min=-128, act_max=127, rounding=1)
METADATA = {"tool": "edgekc 0.1.0", "source": "net.tflite", "source_sha256": "0" * 64, "recipe": "none"}


class Builder:
    """Appends one layer after the other to a chain."""

    def __init__(self, shape: Shape) -> None:
        self.rng = np.random.default_rng(7)
        self.last = Tensor("input", shape, "int8", Quant((0.5,), (-1,)))
        self.tensors = {"input": self.last}
        self.nodes: list[Node] = []

    def add(self, op: str, name: str, attrs: dict[str, AttrValue], constants: Sequence[Tensor], out: Shape) -> None:
        self.tensors.update({c.name: c for c in constants})
        inputs = (self.last.name, *(c.name for c in constants))
        self.nodes.append(Node(op, name, inputs, (name,), attrs))
        self.last = Tensor(name, out, "int8", Quant((0.25,), (3,)))
        self.tensors[name] = self.last

    def linear(self, op: str, name: str, attrs: dict[str, AttrValue], weights: Shape, out: Shape) -> None:
        channels = out[-1]
        values: list[tuple[str, Role, Array]] = [
            ("weights", Role.WEIGHTS, self.rng.integers(-128, 128, weights).astype(np.int8)),
            ("bias", Role.BIAS, self.rng.integers(-9999, 9999, channels).astype(np.int32)),
            ("multiplier", Role.REQUANT, self.rng.integers(2**30, 2**31, channels).astype(np.int32)),
            ("shift", Role.REQUANT, self.rng.integers(-9, -4, channels).astype(np.int8)),
        ]
        self.add(op, name, attrs, [constant(f"{name}/{key}", v, role) for key, role, v in values], out)

    def graph(self) -> Graph:
        names = (self.last.name,)
        return Graph("net", Stage.INTEGER, self.tensors, tuple(self.nodes), ("input",), names, METADATA)


def _pads(size: int) -> dict[str, AttrValue]:
    return {**WINDOW, **{f"pad_{side}": size for side in ("top", "bottom", "left", "right")}, "pad_value": -128}


def tiny() -> Graph:
    """Convolution, depthwise convolution, fully connected: the three-layer net."""
    b = Builder((1, 4, 5, 3))
    b.linear("conv2d", "conv", {**_pads(1), **OUTPUT}, (4, 3, 3, 3), (1, 4, 5, 4))
    b.linear("depthwise", "spatial", {**_pads(0), **OUTPUT}, (3, 3, 4), (1, 2, 3, 4))
    b.linear("fully_connected", "dense", dict(OUTPUT), (2, 4), (1, 2, 3, 2))
    return b.graph()


def deep(layers: int = 16) -> Graph:
    """A keyword-spotting net: pointwise and depthwise layers of changing width."""
    b = Builder((1, 25, 5, 32))
    width = 32
    for i in range(layers - 1):
        name = f"{'depthwise' if i % 2 else 'conv2d'}_{i}"
        if i % 2:
            b.linear("depthwise", name, {**_pads(1), **OUTPUT}, (3, 3, width), (1, 25, 5, width))
        else:
            wider = width + 8 * (i % 4 == 2)
            b.linear("conv2d", name, {**_pads(0), **OUTPUT}, (wider, 1, 1, width), (1, 25, 5, wider))
            width = wider
    b.linear("fully_connected", "fully_connected_15", dict(OUTPUT), (12, width), (1, 25, 5, 12))
    return b.graph()


def streaming() -> Graph:
    """A layer whose output is kept, and a state of many values that takes the input; states of both forms."""
    b = Builder((1, 4))
    kept = {n: Tensor(n, s, "int8") for n, s in (("mean", (1, 3)), ("past", (1, 2, 2)), ("dense_kept", (1, 3)))}
    b.linear("fully_connected", "dense", dict(OUTPUT), (3, 4), (1, 3))
    ones = dict.fromkeys((f"dim{i}" for i in range(1, 6)), 1)
    b.nodes += [
        Node("concat", "joined", ("dense", "mean"), ("joined",), {"axis": 1}),
        Node("reshape", "dense_kept", ("dense",), ("dense_kept",), {"rank": 2, **ones, "dim1": 3}),
        Node("reshape", "input_kept", ("input",), ("input_kept",), {"rank": 3, **ones, "dim1": 2, "dim2": 2}),
    ]
    more = {"joined": Tensor("joined", (1, 6), "int8", Quant((0.5,), (3,)))}
    more["input_kept"] = Tensor("input_kept", (1, 2, 2), "int8")
    states = (
        State("mean", "dense_kept", np.full((1, 3), -3, np.int8)),
        State("past", "input_kept", np.array([[[1, -2], [3, 4]]], np.int8)),
    )
    graph = replace(b.graph(), nodes=tuple(b.nodes), outputs=("joined",), states=states)
    return replace(graph, tensors={**graph.tensors, **kept, **more})


def _same_shape(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return [shapes[0]]


def _same_value(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0]]


# Any constants of any role: what the format must carry before the operators that read it exist.
OPERANDS = (Operand("x"), Operand("constants", Constant.MAYBE, many=True))
HOLDER = Op("holder", 250, ("variant",), OPERANDS, _same_shape, _same_value)


def holder(constants: Sequence[Tensor], metadata: dict[str, str] | None = None) -> Graph:
    """A net of one layer that holds these constants."""
    b = Builder((1, 8))
    b.add("holder", "layer", {"variant": -5}, constants, (1, 8))
    return replace(b.graph(), metadata=METADATA if metadata is None else metadata)


def compressed() -> Graph:
    """One layer with every compressed kind: 3-bit indices, templates, pairs and centers of three groups."""
    rng = np.random.default_rng(3)
    raw, points = encode_centers(rng.normal(0, [[0.01], [1.0], [300.0]], (3, 4)))
    centers = constant("layer/centers", raw, Role.CENTERS, Quant(tuple(2.0**-p for p in points), (0,) * 3))
    return holder(
        [
            constant("layer/templates", rng.integers(-128, 128, (6, 9)).astype(np.int8), Role.CODEBOOK),
            constant("layer/wide", rng.integers(-999, 999, (2, 3, 3)).astype(np.int16), Role.CODEBOOK),
            constant("layer/index", np.arange(35, dtype=np.uint8).reshape(5, 7) % 6, Role.INDEX),
            constant("layer/pairs", rng.normal(size=(2, 5, 7)).transpose(1, 2, 0).astype(np.float16), Role.PAIRS),
            centers,
        ]
    )


def sealed(data: bytes) -> bytes:
    """The same bytes with every checksum made right, as far as header and table can be read."""
    out = bytearray(data)
    count = struct.unpack_from("<H", out, 6)[0]
    end = 16 + 16 * count
    if end > len(out):
        return data
    for at in range(16, end, 16):
        _, offset, nbytes, _ = struct.unpack_from("<IIII", out, at)
        struct.pack_into("<I", out, at + 12, zlib.crc32(bytes(out[offset : offset + nbytes])))
    struct.pack_into("<I", out, 12, zlib.crc32(bytes(out[:12] + out[16:end])))
    return bytes(out)


def section_map(data: bytes) -> list[Section]:
    """The sections in file order, their checksums verified."""
    return list(read(data, "x").sections)


def constant_offsets(data: bytes) -> dict[str, tuple[int, int]]:
    """Constant name -> (byte offset from file start, stored bytes)."""
    return dict(read(data, "x").offsets)


def body(data: bytes, section: Section) -> bytes:
    return data[section.offset : section.offset + section.nbytes]


def same(a: Graph, b: Graph) -> None:
    """Asserts that two graphs are equal in all that the format keeps."""
    assert (a.name, a.stage, a.inputs, a.outputs, a.metadata) == (b.name, b.stage, b.inputs, b.outputs, b.metadata)
    assert [(n.op, n.name, n.inputs, n.outputs, dict(n.attrs)) for n in a.nodes] == [
        (n.op, n.name, n.inputs, n.outputs, dict(n.attrs)) for n in b.nodes
    ]
    assert [(s.start, s.end, s.first_bytes()) for s in a.states] == [
        (s.start, s.end, s.first_bytes()) for s in b.states
    ]
    assert a.tensors.keys() == b.tensors.keys()
    for name, x in a.tensors.items():
        y = b.tensors[name]
        assert (x.shape, x.dtype, x.role) == (y.shape, y.dtype, y.role), name
        if x.data is not None:
            assert y.data is not None and x.data.tobytes() == y.data.tobytes(), name
        if name in (*a.inputs, *a.outputs) or x.role is Role.CENTERS:
            assert x.quant == y.quant, name


def survives(data: bytes) -> None:
    """Asserts that the file is refused, or that these bytes are the one encoding of the graph in it."""
    try:
        graph = unpack(data, "net.ekc")
    except FormatError:
        return
    minor = data[5]
    if minor == 0:  # a newer minor version may hold what this version cannot write
        assert pack(graph) == data
