"""What a name of a source stands for while it is imported, and the shapes in which that is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..graph.ir import Array, Quant
from . import order as od
from .order import Order, Shape


@dataclass(frozen=True, slots=True)
class Value:
    """What a name of the source stands for: a tensor of the graph, or a constant."""

    shape: Shape  # as the source says, with a batch of 1
    order: Order  # of the graph's tensor; constants are in the source's order
    name: str = ""  # of the graph's tensor
    data: Array | None = None  # of a constant
    quant: Quant | None = None  # of a constant of integers
    source: str = ""  # a constant's name in the user's model
    settled: bool = False  # an activation that went through QuantizeLinear
    whole: bool = False  # an activation of the source's integers, by which rows are looked up


def real(value: Value) -> Array:
    """A constant as float64, dequantised where it is quantised."""
    assert value.data is not None
    data = np.asarray(value.data, np.float64)
    if value.quant is None:
        return data
    shape = [1] * data.ndim
    if len(value.quant.scales) > 1:
        shape[value.quant.axis] = -1
        scales, points = (np.array(v).reshape(shape) for v in (value.quant.scales, value.quant.zero_points))
        return np.asarray((data - points) * scales)
    return np.asarray((data - value.quant.zero_point) * value.quant.scale)


def constant_value(data: Array, source: str, quant: Quant | None = None) -> Value:
    """A constant of the source."""
    return Value(data.shape, od.plain(data.shape), data=data, quant=quant, source=source)


def with_batch(shape: Shape) -> Shape:
    """The first axis of every tensor in a graph is the batch of one; rows in its place become the second."""
    return (1, *shape) if not shape or shape[0] != 1 else shape


def elements(shape: Shape) -> int:
    return math.prod(shape)


def nhwc_shape(shape: Shape) -> Shape:
    n, c, h, w = shape
    return (n, h, w, c)


def nhwc_or_none(shape: Shape) -> Order | None:
    """That of an image; of several, as windows of attention are, it would be an order of their axes by chance."""
    return od.nhwc(shape) if len(shape) == 4 and shape[0] == 1 else None


def nwc_or_none(shape: Shape) -> Order | None:
    return od.nwc(shape) if len(shape) == 3 else None
