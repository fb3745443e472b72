"""A small network whose constants are in a blob, with rules of most kinds; damage to its blob, as the fuzzer has it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from functools import cache

import numpy as np
from nets import Net

from edgekc.format.blob import Layout
from edgekc.format.pack import pack, read
from edgekc.fuzzing.packed import pack_layers
from edgekc.generate.embedded import Form
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph, Quant
from edgekc.ops import legal
from edgekc.passes.lower import lower

NAME = "small"
_PACKED = {"clustered_conv2d", "template_pairs_conv2d"}
_MOST_EDITS = 64
CUT, SUMS, HEADER_SUM = 1, 2, 4  # of an input's first byte, as fuzz_blob.c has them


def graph() -> Graph:
    """INTEGER: convolutions that are clustered and on templates, a sum, a mean, a dense layer and a softmax."""
    net = Net(np.random.default_rng(0), (1, 4, 4, 2), NAME)
    x = net.conv("input", 4)
    y = net.conv(x, 4)
    x = net.conv(net.binary("add", x, y), 4, k=1)
    x = net.node("mean", (x,), (1, 4), Quant((0.125,), (3,)), {"axes": "1,2", "keep_dims": 0})
    x = net.fully_connected(x, 3)
    x = net.node("softmax", (x,), (1, 3), Quant((1 / 256,), (-128,)), {"beta": 1.0})
    made = lower(net.graph(x))
    for seed in range(1000):
        packed = pack_layers(made, np.random.default_rng(seed), False)
        ops = [node.op for node in packed.nodes]
        if set(ops) >= _PACKED and ops.count("conv2d") == 1:
            legal.check(packed)
            return replace(packed, metadata={"tool": "test"})
    raise AssertionError("no seed packs layers both ways")


@cache
def files() -> dict[str, bytes]:
    """The output folder, by kernels of cores with the DSP extension."""
    data = pack(graph())
    packed = read(data, f"{NAME}.ekc")
    return generate(plan(packed.graph, frozenset({"dsp", "thumb2"})), packed, data, NAME, "none", Form(blob=True))


def damaged(blob: bytes, layout: Layout, data: bytes) -> bytes:
    """The blob that a fuzzer's input stands for: bytes of the right one changed, then sums made right, or the end cut.

    The first byte says what is done. Four bytes are a change: offset (2), what (1), value (1).
    """
    how, out = data[0], bytearray(blob)
    edits, _ = divmod(len(data) - 1, 4)
    for k in range(min(edits, _MOST_EDITS)):
        at, what, value = struct.unpack_from("<HBB", data, 1 + 4 * k)
        at %= len(out)
        out[at] = (value, out[at] ^ value, (out[at] + value) & 0xFF, 0xFF)[what % 4]
    if how & SUMS:
        for i in range(len(layout.sections)):
            offset, size = struct.unpack_from("<II", out, 32 + 12 * i)
            if offset <= len(out) and size <= len(out) - offset:
                struct.pack_into("<I", out, 32 + 12 * i + 8, zlib.crc32(out[offset : offset + size]))
    if how & HEADER_SUM:
        end = 32 + 12 * len(layout.sections)
        struct.pack_into("<I", out, end, zlib.crc32(out[:end]))
    if how & CUT:
        del out[len(out) - 1 - (how >> 4) :]
    return bytes(out)
