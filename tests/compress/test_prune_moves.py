"""Channels are removed through operators that move values: what stays is what the net with zeros there computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc.compression.methods.prune import remove_filters
from edgekc.compression.methods.tied import groups, removable
from edgekc.graph.ir import Graph, Role, constant
from edgekc.quantize import float_reference

Move = Callable[[FloatNet, str], str]


def transposed(net: FloatNet, x: str) -> str:
    return net.op("transpose", x, shape=(1, 4, 6, 12), perm="0,2,1,3")


def sliced(net: FloatNet, x: str) -> str:
    attrs = dict(begins="0,5,1,0", sizes="1,3,2,12", strides="1,-2,2,1")
    return net.op("strided_slice", x, shape=(1, 3, 2, 12), **attrs)


def blocks(net: FloatNet, x: str) -> str:
    return net.op("depth_to_space", x, shape=(1, 12, 8, 3), block=2)


def dealt(net: FloatNet, x: str) -> str:
    return net.op("space_to_depth", x, shape=(1, 3, 2, 48), block=2)


def tiled(net: FloatNet, x: str) -> str:
    return net.op("tile", x, shape=(1, 6, 8, 24), repeats="1,1,2,2")


def mirrored(net: FloatNet, x: str) -> str:
    return net.op("mirror_pad", x, shape=(1, 8, 5, 12), pads="0,0,1,1,0,1,0,0", mode="reflect")


def taken(net: FloatNet, x: str) -> str:
    """As many places as there are channels."""
    net.tensors["places"] = constant("places", np.arange(12, dtype=np.int32) % 5, Role.INDEX)
    return net.op("take", x, "places", shape=(1, 12, 4, 12), axis=1)


def with_a_row(net: FloatNet, x: str) -> str:
    row = net.constant(np.random.default_rng(1).normal(size=(1, 1, 4, 12)))
    return net.op("concat_const", x, row, shape=(1, 7, 4, 12), axis=1, first=1)


def made(move: Move) -> Graph:
    net = FloatNet(np.random.default_rng(0), (1, 6, 4, 3))
    first = net.conv("input", 12, activation="relu")
    return net.graph(net.conv(move(net, first), 5))


MOVES = [transposed, sliced, blocks, dealt, tiled, mirrored, taken, with_a_row]


@pytest.mark.parametrize("move", MOVES)
def test_channels_go_through(move: Move) -> None:
    graph = made(move)
    tied = groups(graph)
    free = removable(graph, tied, "conv2d_0")
    assert len(free) == (3 if move is blocks else 12)
    labels = tied.labels["conv2d_0"]
    gone = np.isin(labels, free[[0, 2]])
    smaller = remove_filters(graph, "conv2d_0", np.flatnonzero(gone)[:8] if move is blocks else np.flatnonzero(gone))
    tensors = dict(graph.tensors)
    for name in ("conv2d_0/weights", "conv2d_0/bias"):
        value = tensors[name].value.copy()
        value[gone] = 0
        tensors[name] = constant(name, value, tensors[name].role)
    if move is with_a_row:  # the constant's channels go too
        (row,) = (n for n in graph.nodes[1].inputs if tensors[n].data is not None)
        value = tensors[row].value.copy()
        value[..., gone] = 0
        tensors[row] = constant(row, value, tensors[row].role)
    x = np.random.default_rng(2).normal(size=(3, 6, 4, 3)).astype(np.float32)
    wanted = float_reference.outputs(replace(graph, tensors=tensors), [x])[0]
    np.testing.assert_allclose(float_reference.outputs(smaller, [x])[0], wanted, atol=1e-5)


def test_channels_that_become_another_axis_stay() -> None:
    net = FloatNet(np.random.default_rng(0), (1, 6, 4, 3))
    first = net.conv("input", 12)
    turned = net.op("transpose", first, shape=(1, 12, 6, 4), perm="0,3,1,2")
    graph = net.graph(net.conv(turned, 5))
    assert not len(removable(graph, groups(graph), "conv2d_0"))
