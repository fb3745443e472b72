"""UNIDIRECTIONAL_SEQUENCE_LSTM in float, unrolled: a step is layers and products that kernels have."""

from __future__ import annotations

import math

import numpy as np

from ....errors import ModelError
from ....graph.ir import Array, AttrValue, Role, constant
from ...loops import FIX, MAX_OPERATORS
from ..builder import Builder, graph_shape, node_name
from ..file import FileOperator
from .recurrent import BIAS, CELL, GATES, HIDDEN, INPUT, RECURRENT, is_there, require_plain

_NODES = 16  # of a step
_SIGMOID = ("input", "forget", "output")


def float_lstm(b: Builder, op: FileOperator) -> None:
    """The states start with zeros at each call, as Keras computes it.

    What each gate takes of the input is one fully connected layer over all steps; what it takes of the step before is
    one layer a step. Both have the gates behind each other.
    """
    x, shape = _rows(b, op)
    steps, depth = shape
    out = b.file_output(op)
    if len(out.shape) != 3 or math.prod(out.shape[:2]) != steps:
        raise ModelError(f"an output of shape {list(out.shape)} for {steps} steps", where=b.at(op))
    units = out.shape[2]
    require_plain(b, op)
    if steps * _NODES > MAX_OPERATORS:
        what = f"{steps} steps, which become more than {MAX_OPERATORS} operators"
        raise b.unsupported(op, what, f"{MAX_OPERATORS // _NODES} steps", FIX)
    clip = float(op.options["CellClip"])
    if math.isnan(clip):
        raise ModelError("a clip that is no number", where=b.at(op))
    for position in (HIDDEN, CELL):
        state = b.file_tensor(op, position, "state")
        if state.data is not None or state.index in b.names:
            raise b.unsupported(
                op, f"a state (tensor {state.index}) that the network gives a value", "a variable tensor"
            )
    w = _stacked(b, op, INPUT + 1, "input_to", (units, depth))
    r = _stacked(b, op, RECURRENT, "recurrent_to", (units, units))
    bias = _stacked(b, op, BIAS, "bias_of", (units,))
    cell = _Cell(b, op, units, clip)
    every = cell.layer("gates", x, w, bias, (1, steps, 4 * units))
    none = np.zeros(4 * units, np.float32)
    kept, seen, rows = "", "", []
    for t in range(steps):
        gates = cell.part(f"gates_{t}", every, (0, t, 0), (1, 1, 4 * units))
        if seen:
            past = cell.layer(f"past_{t}", seen, r, none, (1, 1, 4 * units))
            gates = cell.node(f"sum_{t}", "add", (gates, past), gates, activation="none")
        seen, kept = cell.step(t, gates, kept)
        rows.append(seen)
    attrs: dict[str, AttrValue] = {"axis": 1, "activation": "none"}
    if graph_shape(out.shape) == (1, steps, units) and steps > 1:
        b.add(op, "concat", tuple(rows), attrs, out.shape)
        return
    joined = b.inner(op, "all", "concat", tuple(rows), attrs, (1, steps, units)) if steps > 1 else rows[0]
    b.add(op, "reshape", (joined,), {}, out.shape)


class _Cell:
    """Nodes of the steps; all their tensors are (1, 1, size)."""

    def __init__(self, b: Builder, op: FileOperator, units: int, clip: float) -> None:
        self.b, self.op, self.units = b, op, units
        self.bounds = (("minimum", clip), ("maximum", -clip)) if clip > 0 else ()

    def step(self, t: int, gates: str, kept: str) -> tuple[str, str]:
        """The hidden values and the cells behind step t; `kept`: the cells before it, empty where they are zeros."""
        values = {}
        for k, gate in enumerate(GATES):
            part = self.part(f"{gate}_{t}", gates, (0, 0, k * self.units), (1, 1, self.units))
            values[gate] = self.node(f"{gate}_{t}_value", "logistic" if gate in _SIGMOID else "tanh", (part,), part)
        cells = self._product(f"fresh_{t}", values["input"], values["cell"])
        if kept:
            old = self._product(f"old_{t}", values["forget"], kept)
            cells = self.node(f"cells_{t}", "add", (cells, old), cells, activation="none")
        for kind, bound in self.bounds:
            value = np.full((1, 1, 1), bound, np.float32)
            cells = self.node(f"cells_{t}_{kind}", kind, (cells, self.constant(f"{kind}_{t}", value)), cells)
        seen = self.node(f"seen_{t}", "tanh", (cells,), cells)
        return self._product(f"hidden_{t}", values["output"], seen), cells

    def node(self, name: str, kind: str, inputs: tuple[str, ...], like: str, **attrs: str) -> str:
        return self.b.inner(self.op, name, kind, inputs, attrs, self.b.tensors[like].shape)

    def part(self, name: str, x: str, begins: tuple[int, ...], sizes: tuple[int, ...]) -> str:
        given = (("begins", begins), ("sizes", sizes), ("strides", (1, 1, 1)))
        attrs = {key: ",".join(map(str, values)) for key, values in given}
        return self.b.inner(self.op, name, "strided_slice", (x,), attrs, sizes)

    def layer(self, name: str, x: str, weights: Array, bias: Array, shape: tuple[int, ...]) -> str:
        names = self.constant(f"{name}/weights", weights), self.constant(f"{name}/bias", bias, Role.BIAS)
        return self.b.inner(self.op, name, "fully_connected", (x, *names), {"activation": "none"}, shape)

    def constant(self, name: str, value: Array, role: Role = Role.WEIGHTS) -> str:
        """Each node has constants of its own, as each is quantised by what it sees; equal bytes are stored once."""
        name = f"{node_name(self.op)}_{name}"
        self.b.tensors[name] = constant(name, value, role)
        return name

    def _product(self, name: str, x: str, y: str) -> str:
        return self.node(name, "mul", (x, y), x, activation="none")


def _rows(b: Builder, op: FileOperator) -> tuple[str, tuple[int, int]]:
    """The input as (1, steps, values), and how many of each."""
    x = b.operand(op, INPUT, "input", rowwise=True)
    shape = b.file_shape(x)
    sequences, steps = shape[:2] if not op.options["TimeMajor"] else shape[1::-1]
    if len(shape) != 3 or sequences != 1:
        raise b.unsupported(op, f"input of shape {list(shape)}", "one sequence: a batch of 1, steps and values")
    return b.view(op, "rows", x, (1, steps, shape[2])), (steps, shape[2])


def _stacked(b: Builder, op: FileOperator, first: int, what: str, shape: tuple[int, ...]) -> Array:
    """Constants of the four gates behind each other."""
    parts = []
    for position, gate in enumerate(GATES, first):
        if not is_there(b, op, position):
            raise b.unsupported(op, f"no {what}_{gate} (coupled gates)", "four gates with constants of their own")
        t = b.file_tensor(op, position, f"{what}_{gate}")
        b.check_type(op, f"{what}_{gate}", t, ("float32",))
        name = b.const(op, t, f"{what}_{gate}", Role.WEIGHTS)
        if t.shape != shape:
            raise ModelError(f"{what}_{gate} of shape {list(t.shape)}, expected {list(shape)}", where=b.at(op))
        parts.append(b.tensors.pop(name).value)
    return np.concatenate(parts)
