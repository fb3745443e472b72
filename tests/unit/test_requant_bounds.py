"""What has no defined result in 32 bits is refused, straight from a file and in a packed model; wrapping is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nets import Net

from edgekc.errors import ModelError, UnsupportedError
from edgekc.graph.ir import Graph, Quant
from edgekc.ops import legal
from edgekc.passes.lower import lower


def scaled(net: Net, name: str, scale: float, activation: str = "none") -> Graph:
    """The net with another output scale of its last layer."""
    net.tensors[name] = replace(net.tensors[name], quant=Quant((float(np.float32(scale)),), (5,)))
    net.nodes[-1] = replace(net.nodes[-1], attrs={**net.nodes[-1].attrs, "activation": activation})
    return net.graph(name)


def fully_connected(scale: float) -> Graph:
    net = Net(np.random.default_rng(0), (1, 12))
    return scaled(net, net.fully_connected("input", 3), scale)


def conv(scale: float, activation: str = "none") -> Graph:
    net = Net(np.random.default_rng(0), (1, 3, 3, 2))
    return scaled(net, net.conv("input", 3), scale, activation)


def test_a_fully_connected_layer_must_stay_within_32_bits() -> None:
    lower(fully_connected(1e-5))
    with pytest.raises(UnsupportedError, match="fully_connected_0: requantising channel 0 could leave 32 bits"):
        lower(fully_connected(1e-12))


def test_a_packed_model_must_as_well() -> None:
    graph = lower(fully_connected(1e-5))
    shift = graph.tensors["fully_connected_0/shift"]
    changed = replace(shift, data=np.full_like(shift.value, 25))
    legal.check(graph)
    with pytest.raises(ModelError, match="requantising channel 0 could leave 32 bits"):
        legal.check(replace(graph, tensors={**graph.tensors, shift.name: changed}))


def test_a_left_shift_of_a_convolution_may_wrap() -> None:
    graph = lower(conv(1e-9))
    assert graph.tensors["conv2d_0/shift"].value.max() > 15
    legal.check(graph)


def test_the_largest_multipliers_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="conv2d_0: requantising channel 0 could leave 32 bits"):
        lower(conv(1e-15))


def test_filters_of_zeros_may_have_any_scale() -> None:
    net = Net(np.random.default_rng(0), (1, 3, 3, 2))
    name = net.conv("input", 3, weights=np.zeros((3, 3, 3, 2)), bias=np.zeros(3))
    lower(scaled(net, name, 1e-15))


def test_an_activation_s_bound_must_fit_32_bits() -> None:
    lower(conv(1e-8, "relu6"))
    with pytest.raises(UnsupportedError, match="the activation's bound 6 leaves 32 bits"):
        lower(conv(1e-9, "relu6"))
