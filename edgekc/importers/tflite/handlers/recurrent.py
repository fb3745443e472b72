"""Recurrent operators, whose variable tensors are what a network keeps from one call to the next."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ....errors import ModelError
from ....graph.ir import Array, Quant, Role, Tensor, constant
from ..builder import QUANTISE, Builder, Handler, graph_shape, node_name
from ..file import FileOperator, FileTensor

# Operands by their position in the file.
GATES = ("input", "forget", "cell", "output")
INPUT, RECURRENT, _PEEPHOLE, BIAS, _PROJECTION, HIDDEN, CELL, _NORMS = 0, 5, 9, 12, 16, 18, 19, 20
_UNKNOWN = {
    **{_PEEPHOLE + k: "peephole connections" for k in range(3)},
    _PROJECTION: "a projection",
    _PROJECTION + 1: "a projection",
    **{_NORMS + k: "layer normalisation" for k in range(4)},
}
_QUANTISED = "int8 activations and weights with int16 cells"


def is_there(b: Builder, op: FileOperator, position: int) -> bool:
    """Optional operands are left out, or some converters give them a shape with a zero."""
    index = op.inputs[position] if position < len(op.inputs) else -1
    return index >= 0 and 0 not in b.model.tensors[index].shape


def _state(
    b: Builder, op: FileOperator, position: int, what: str, dtype: str, units: int, supported: str = _QUANTISED
) -> FileTensor:
    t = b.file_tensor(op, position, what)
    if t.dtype != dtype or t.quant is None or len(t.quant.scales) != 1:
        raise b.unsupported(op, f"{what} (tensor {t.index}) of type {t.dtype}", supported, QUANTISE)
    if t.data is not None or t.index in b.names:
        raise b.unsupported(op, f"{what} (tensor {t.index}) that the network gives a value", "a variable tensor")
    if t.shape != (1, units):
        raise b.unsupported(op, f"{what} (tensor {t.index}) of shape {list(t.shape)}", str([1, units]))
    return t


def _weights(b: Builder, op: FileOperator, position: int, what: str, columns: int) -> str:
    if not is_there(b, op, position):
        raise b.unsupported(op, f"no {what} (coupled gates)", "four gates with weights of their own")
    return _matrix(b, op, position, what, columns, "int8")


def _matrix(b: Builder, op: FileOperator, position: int, what: str, columns: int, dtype: str) -> str:
    t = b.file_tensor(op, position, what)
    b.check_type(op, what, t, (dtype,))
    if t.quant is None or len(t.quant.scales) != 1 or t.quant.zero_point:
        raise b.unsupported(op, f"{what} (tensor {t.index}) without one scale and a zero point of 0", "both")
    if len(t.shape) != 2 or t.shape[1] != columns:
        raise ModelError(f"{what} of shape {list(t.shape)} for {columns} columns", where=b.at(op))
    return b.const(op, t, what, Role.WEIGHTS)


def _bias(b: Builder, op: FileOperator, position: int, what: str, units: int) -> str:
    t = b.file_tensor(op, position, what)
    b.check_type(op, what, t, ("int32",))
    if t.shape != (units,):
        raise ModelError(f"{what} of shape {list(t.shape)} for {units} units", where=b.at(op))
    return b.const(op, t, what, Role.BIAS)


def _cell_attrs(b: Builder, op: FileOperator, scale: float) -> dict[str, int]:
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5 or not 0 <= exponent + 14 <= 6:
        raise b.unsupported(op, f"cells with a scale of {scale}", "powers of two from 2^-15 to 2^-9")
    clip = float(op.options["CellClip"])
    if math.isnan(clip):
        raise ModelError("a clip that is no number", where=b.at(op))
    # As LiteRT: in float32, and what is behind the point is dropped.
    most = int(min(max(float(np.float32(clip) / np.float32(scale)), 0.0), 2.0**15 - 1))
    return dict(cell_bits=exponent + 14, clip=most)


def require_plain(b: Builder, op: FileOperator) -> None:
    """UnsupportedError for a variant that Keras does not make, be it int8 or float."""
    for position, what in _UNKNOWN.items():
        if is_there(b, op, position):
            raise b.unsupported(op, f"an LSTM with {what}", "without: as Keras makes it")
    if op.options["FusedActivationFunction"] != 4:
        raise b.unsupported(op, f"fused activation number {op.options['FusedActivationFunction']}", "TANH")
    if op.options["DiagonalRecurrentTensors"]:
        raise b.unsupported(op, "diagonal recurrent weights", "matrices")


def _check(b: Builder, op: FileOperator, hidden: FileTensor) -> None:
    """That the variant is one that is known."""
    require_plain(b, op)
    if len(op.intermediates) != 5:
        raise b.unsupported(op, f"{len(op.intermediates)} intermediates", f"5, of {_QUANTISED}")
    inside = b.model.tensors[op.intermediates[4]].quant
    if inside is None or (inside.scales, inside.zero_points) != _scale_of(hidden):
        raise b.unsupported(op, "hidden values of another scale inside than outside", "one scale")


def _scale_of(t: FileTensor) -> tuple[tuple[float, ...], tuple[int, ...]]:
    assert t.quant is not None
    return t.quant.scales, t.quant.zero_points


def _lstm(b: Builder, op: FileOperator) -> None:
    """A node that also computes what is kept, and copies of the two parts of what it writes."""
    x, out = b.operand(op, INPUT, "input", rowwise=True), b.file_output(op)
    b.check_type(op, "output", out, ("int8",))
    shape = b.file_shape(x)
    sequences, steps = shape[:2] if not op.options["TimeMajor"] else shape[1::-1]
    if len(shape) != 3 or sequences != 1:
        raise b.unsupported(op, f"input of shape {list(shape)}", "one sequence: a batch of 1, steps and values")
    if len(out.shape) != 3 or math.prod(out.shape[:2]) != steps:
        raise ModelError(f"an output of shape {list(out.shape)} for {steps} steps", where=b.at(op))
    units = out.shape[2]
    hidden = _state(b, op, HIDDEN, "hidden state", "int8", units)
    cell = _state(b, op, CELL, "cell state", "int16", units)
    _check(b, op, hidden)
    if out.quant is None or _scale_of(out) != _scale_of(hidden):
        raise b.unsupported(op, "an output of another scale than the hidden state", "one scale")
    assert cell.quant is not None and hidden.quant is not None
    attrs = _cell_attrs(b, op, cell.quant.scale)
    names = [_weights(b, op, 1 + k, f"input_to_{gate}", shape[2]) for k, gate in enumerate(GATES)]
    names += [_weights(b, op, RECURRENT + k, f"recurrent_to_{gate}", units) for k, gate in enumerate(GATES)]
    for name in names:
        if b.tensors[name].shape[0] != units:
            raise ModelError(f"{name} of shape {list(b.tensors[name].shape)} for {units} units", where=b.at(op))
    names += [_bias(b, op, BIAS + k, f"{gate}_bias", units) for k, gate in enumerate(GATES)]
    x = b.view(op, "rows", x, (1, steps, shape[2]))
    kept = _keep_cells(b, op, hidden.quant, units)
    every = b.inner(op, "all", "sequence_lstm", (x, kept, *names), attrs, (1, steps + 2, units))
    b.tensors[every] = replace(b.tensors[every], quant=hidden.quant)
    last = b.inner(op, "last", "strided_slice", (every,), _rows(steps - 1, 3, units), (1, 3, units))
    b.kept[kept], b.ends[kept] = last, f"{node_name(op)}_end"
    if graph_shape(out.shape) == (1, steps, units):
        b.add(op, "strided_slice", (every,), _rows(0, steps, units), out.shape)
        return
    seen = b.inner(op, "steps", "strided_slice", (every,), _rows(0, steps, units), (1, steps, units))
    b.add(op, "reshape", (seen,), {}, out.shape)


def _rows(first: int, count: int, units: int) -> dict[str, str]:
    return dict(begins=f"0,{first},0", sizes=f"1,{count},{units}", strides="1,1,1")


def _keep_cells(b: Builder, op: FileOperator, quant: Quant, units: int) -> str:
    """Hidden values, and cells of 16 bits as two rows of bytes."""
    first = np.zeros((1, 3, units), np.int8)
    first[:, 0] = quant.zero_point
    return keep(b, op, quant, first)


def keep(b: Builder, op: FileOperator, quant: Quant | None, first: Array) -> str:
    """A state, as bytes or as real numbers; numbers in it start with 0, as LiteRT's do."""
    name = f"{node_name(op)}_state"
    b.tensors[name] = Tensor(name, first.shape, first.dtype.name, quant)
    b.starts[name] = name
    record = FileTensor(len(b.model.tensors), name, first.shape, first.dtype.name, quant, first)
    b.model = replace(b.model, first={**b.model.first, name: record})
    return name


def svdf_shapes(b: Builder, op: FileOperator) -> tuple[str, FileTensor, int, tuple[int, ...]]:
    """(input, output, units, shape of the time weights) of an SVDF that takes one step and whose shapes fit."""
    x, out = b.operand(op, 0, "input", rowwise=True), b.file_output(op)
    b.check_type(op, "output", out, ("int8",))
    shape, rank = b.file_shape(x), int(op.options["Rank"])
    if len(shape) != 2 or shape[0] != 1:
        raise b.unsupported(op, f"input of shape {list(shape)}", "one step: a batch of 1, and values")
    filters, steps = (b.file_tensor(op, i, what).shape for i, what in ((1, "feature weights"), (2, "time weights")))
    if len(filters) != 2 or len(steps) != 2 or rank < 1 or filters[0] % rank or steps[0] != filters[0]:
        raise ModelError(f"weights of shapes {list(filters)} and {list(steps)} with rank {rank}", where=b.at(op))
    units = filters[0] // rank
    if out.shape != (1, units) or (out.quant is None and not b.in_float):
        raise ModelError(f"an output of shape {list(out.shape)} for {units} units", where=b.at(op))
    return x, out, units, steps


def _svdf(b: Builder, op: FileOperator) -> None:
    """A node that computes the memory and the units behind it, and copies of the two."""
    x, out, units, steps = svdf_shapes(b, op)
    shape, size = b.file_shape(x), math.prod(steps)
    assert out.quant is not None
    supported = "int8 activations and feature weights, int16 time weights and state"
    state = _state(b, op, 4, "state", "int16", size, supported)
    if op.options["FusedActivationFunction"] != 1:
        raise b.unsupported(op, f"fused activation number {op.options['FusedActivationFunction']}", "RELU")
    feature = _matrix(b, op, 1, "feature", shape[1], "int8")
    time = _matrix(b, op, 2, "time", steps[1], "int16")
    if is_there(b, op, 3):
        bias = _bias(b, op, 3, "unit_bias", units)
    else:
        bias = f"{node_name(op)}/unit_bias"
        b.tensors[bias] = constant(bias, np.zeros(units, np.int32), Role.BIAS)
    kept = keep(b, op, out.quant, np.zeros((1, 2 * size), np.int8))
    assert state.quant is not None
    inputs, attrs = (x, kept, feature, time, bias), dict(state_scale=state.quant.scale)
    every = b.inner(op, "all", "memory_filters", inputs, attrs, (1, 2 * size + units))
    b.tensors[every] = replace(b.tensors[every], quant=out.quant)
    b.kept[kept] = b.inner(op, "last", "strided_slice", (every,), values(0, 2 * size), (1, 2 * size))
    b.ends[kept] = f"{node_name(op)}_end"
    b.add(op, "strided_slice", (every,), values(2 * size, units), out.shape)


def values(first: int, count: int) -> dict[str, str]:
    """A slice of one row."""
    return dict(begins=f"0,{first}", sizes=f"1,{count}", strides="1,1")


HANDLERS: dict[str, Handler] = {"UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm, "SVDF": _svdf}
