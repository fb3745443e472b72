"""Rows of tensors that share a buffer: whatever a call reads is still there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgekc.generate.choice import choose_kernel
from edgekc.generate.plan import base_of
from edgekc.generate.row_groups import RowGroup, group_of, may_end_onto, rows_of, schedule
from edgekc.generate.rows import row_layer
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant


def convolutions(height: int, channels: Sequence[int], sizes: Sequence[int]) -> Graph:
    """An image of one column through convolutions of 1x1 or 3x3, each of which keeps its height."""
    tensors = {f"t{i}": Tensor(f"t{i}", (1, height, 1, c), "int8", Quant((1.0,), (0,))) for i, c in enumerate(channels)}
    nodes = []
    for i, size in enumerate(sizes):
        ic, oc = channels[i : i + 2]
        constants = (
            constant(f"w{i}", np.ones((oc, size, size, ic), np.int8), Role.WEIGHTS),
            constant(f"b{i}", np.zeros(oc, np.int32), Role.BIAS),
            constant(f"m{i}", np.full(oc, 1 << 30, np.int32), Role.REQUANT),
            constant(f"s{i}", np.full(oc, -8, np.int8), Role.REQUANT),
        )
        attrs = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w", "rounding"), 1)
        attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), size // 2)
        attrs |= {"pad_value": 0, "out_zero": 0, "act_min": -128, "act_max": 127}
        tensors |= {c.name: c for c in constants}
        nodes.append(Node("conv2d", f"n{i}", (f"t{i}", *(c.name for c in constants)), (f"t{i + 1}",), attrs))
    return Graph("net", Stage.INTEGER, tensors, tuple(nodes), ("t0",), (f"t{len(sizes)}",), {})


def residual(height: int, channels: int) -> Graph:
    """Two convolutions of 3x3, and the sum of what the first of them reads and the second makes."""
    net = convolutions(height, (channels,) * 3, (3, 3))
    attrs = {
        "a_zero": 0, "b_zero": 0, "a_multiplier": 1 << 30, "a_shift": 0, "b_multiplier": 1 << 30, "b_shift": 0,
        "out_multiplier": 1 << 30, "out_shift": -18, "out_zero": 0, "act_min": -128, "act_max": 127,
    }  # fmt: skip
    add = Node("add", "sum", ("t0", "t2"), ("t3",), attrs)
    tensors = {**net.tensors, "t3": replace(net.tensors["t2"], name="t3")}
    return replace(net, tensors=tensors, nodes=(*net.nodes, add), outputs=("t3",))


def by_rows(height: int, channels: Sequence[int], sizes: Sequence[int], rows: Sequence[int], feed: int = 0) -> RowGroup:
    base = base_of(convolutions(height, channels, sizes), frozenset())
    layers = [row_layer(base.layers[i][0], frozenset(), n, choose_kernel) for i, n in enumerate(rows)]
    return group_of([layer for layer in layers if layer is not None], feed)


class Buffers:
    """What lies where while the calls of a group run, as ek_rows_next.c puts it there."""

    def __init__(self, group: RowGroup) -> None:
        self.group = group
        self.bytes = [[(-1, 0, 0)] * t.bytes for t in group.tensors]  # of each buffer: tensor, row, byte of the row
        self.first = [0] * len(group.tensors)
        self.made = [0] * len(group.tensors)
        if group.over and not group.feed:
            self.bytes[-1] = self.bytes[0] = max(self.bytes[0], self.bytes[-1], key=len)
        if not group.feed:
            self.write(0, group.tensors[0].height)

    def run(self) -> None:
        for at, k in schedule(self.group.layers, self.group.inputs, self.group.feed):
            self.make_room(at + 1, count := rows_of(self.group.layers, self.group.feed, at, k))
            if at >= 0:
                call = self.group.layers[at].calls[k]
                for t in self.group.inputs[at]:
                    self.read(t, call.begin, call.end - call.begin)
            self.write(at + 1, count)

    def make_room(self, tensor: int, count: int) -> None:
        to = self.group.tensors[tensor].buffer
        buffer = self.group.tensors[to]
        if self.made[tensor] + count - self.first[to] > buffer.room:
            needed = [self.made[to]]
            for i, read in enumerate(self.group.inputs):
                if to in read:
                    needed += [c.begin for c in self.group.layers[i].calls if c.first == self.made[i + 1]]
            moved = self.bytes[to][(min(needed) - self.first[to]) * buffer.row_bytes :]
            self.bytes[to][: len(moved)] = moved
            self.first[to] = min(needed)

    def place(self, tensor: int, row: int, count: int) -> tuple[int, slice, list[tuple[int, int, int]]]:
        """Which bytes of which buffer, and what should be there."""
        mine = self.group.tensors[tensor]
        begin = (row - self.first[mine.buffer]) * self.group.tensors[mine.buffer].row_bytes
        held = [(tensor, row + y, x) for y in range(count) for x in range(mine.row_bytes)]
        assert begin >= 0 and begin + len(held) <= len(self.bytes[mine.buffer])
        return mine.buffer, slice(begin, begin + len(held)), held

    def read(self, tensor: int, row: int, count: int) -> None:
        buffer, part, held = self.place(tensor, row, count)
        assert self.bytes[buffer][part] == held

    def write(self, tensor: int, count: int) -> None:
        buffer, part, held = self.place(tensor, self.made[tensor], count)
        self.bytes[buffer][part] = held
        self.made[tensor] += count


# Height, channels, sizes of the convolutions, rows of their calls; the buffer of each tensor.
@pytest.mark.parametrize(
    ("height", "channels", "sizes", "rows", "buffers"),
    [
        (6, (1, 1, 7), (3, 1), (5, 5), [0, 2, 2]),
        (6, (1, 1, 7), (3, 1), (5, 4), [0, 1, 2]),  # in as many calls, which are not of the same rows
        (12, (4, 4, 4, 4), (3, 1, 3), (3, 1, 1), [0, 2, 2, 3]),  # some are ahead
        (12, (4, 4, 4, 9, 4, 4), (3, 1, 1, 1, 3), (3, 1, 1, 1, 1), [0, 1, 4, 4, 4, 5]),  # longer ones would reach them
    ],
)
def test_rows_share_a_buffer_where_none_is_overwritten(
    height: int, channels: tuple[int, ...], sizes: tuple[int, ...], rows: tuple[int, ...], buffers: list[int]
) -> None:
    group = by_rows(height, channels, sizes, rows)
    assert [t.buffer for t in group.tensors] == buffers
    Buffers(group).run()


def test_any_convolutions() -> None:
    rng, shared = random.Random(1), 0
    for _ in range(150):
        count = rng.randint(2, 6)
        channels = rng.choices((1, 4, 4, 9), k=count + 1)
        rows = rng.choices((1, 1, 2, 3, 5), k=count)
        group = by_rows(rng.randint(4, 12), channels, rng.choices((1, 1, 3), k=count), rows, rng.choice((0, 1, 2)))
        Buffers(group).run()
        shared += any(t.buffer != i for i, t in enumerate(group.tensors))
    assert shared > 50


@pytest.mark.parametrize("rows", [(1, 1, 1), (2, 2, 2), (3, 2, 2), (1, 3, 2)])
def test_a_sum_lies_over_what_the_first_layer_read(rows: tuple[int, ...]) -> None:
    base = base_of(residual(9, 4), frozenset())
    every = [row_layer(base.layers[i][0], frozenset(), n, choose_kernel) for i, n in enumerate(rows)]
    layers = [layer for layer in every if layer is not None]
    assert may_end_onto(layers) and not may_end_onto(layers[:2])
    usual, onto = group_of(layers), group_of(layers, onto=True)
    assert not usual.over and usual.tensors[2].buffer == 3
    assert onto.over and onto.tensors[2].buffer == 2
    Buffers(usual).run()
    Buffers(onto).run()
