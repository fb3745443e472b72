"""SVDF of a float file: filters over time, whose memory is a state of real numbers."""

from __future__ import annotations

import math

import numpy as np

from ....errors import ModelError
from ....graph.ir import Role, constant
from ..builder import Builder, graph_shape, node_name
from ..file import FileOperator
from .common import activation
from .recurrent import is_there, keep, svdf_shapes, values


def float_svdf(b: Builder, op: FileOperator) -> None:
    """A node that computes the memory and the units behind it, copies of the two, and the activation."""
    x, out, units, steps = svdf_shapes(b, op)
    shape, size = b.file_shape(x), math.prod(steps)
    state = b.file_tensor(op, 4, "state")
    b.check_type(op, "state", state, ("float32",))
    if state.data is not None or state.index in b.names:
        raise b.unsupported(op, f"state (tensor {state.index}) that the network gives a value", "a variable tensor")
    if state.shape != (1, size):
        raise b.unsupported(op, f"state (tensor {state.index}) of shape {list(state.shape)}", str([1, size]))
    names = []
    for position, what, columns in ((1, "feature", shape[1]), (2, "time", steps[1])):
        t = b.file_tensor(op, position, what)
        b.check_type(op, what, t, ("float32",))
        if t.shape[1] != columns:
            raise ModelError(f"{what} of shape {list(t.shape)} for {columns} columns", where=b.at(op))
        names.append(b.const(op, t, what, Role.WEIGHTS))
    names.append(f"{node_name(op)}/unit_bias")
    b.tensors[names[-1]] = constant(names[-1], np.zeros(units, np.float32), Role.BIAS)
    if is_there(b, op, 3):
        t = b.file_tensor(op, 3, "unit_bias")
        b.check_type(op, "unit_bias", t, ("float32",))
        if t.shape != (units,):
            raise ModelError(f"unit_bias of shape {list(t.shape)} for {units} units", where=b.at(op))
        b.const(op, t, "unit_bias", Role.BIAS)
    act = activation(b, op)
    kept = keep(b, op, None, np.zeros((1, size), np.float32))
    every = b.inner(op, "all", "memory_filters", (x, kept, *names), {}, (1, size + units))
    b.kept[kept] = b.inner(op, "last", "strided_slice", (every,), values(0, size), (1, size))
    b.ends[kept] = f"{node_name(op)}_end"
    if act == "none":
        b.add(op, "strided_slice", (every,), values(size, units), out.shape)
        return
    sums = b.inner(op, "units", "strided_slice", (every,), values(size, units), graph_shape(out.shape))
    b.add(op, "relu", (sums,), {"activation": act}, out.shape)
