"""Variables: what a streaming network keeps from one step to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....errors import ModelError, UnsupportedError
from ....graph.ir import Node, State, Tensor
from ..builder import Builder, Handler, graph_shape, node_name
from ..file import FileOperator


def _nothing(b: Builder, op: FileOperator) -> None:
    """CALL_ONCE: file.py has read what it does."""


def _handle(b: Builder, op: FileOperator) -> None:
    if len(op.outputs) != 1:
        raise ModelError("it must have one output", where=b.at(op))
    b.handles[op.outputs[0]] = op.variable


def _variable(b: Builder, op: FileOperator) -> str:
    index = op.inputs[0] if op.inputs else -1
    if index not in b.handles:
        raise ModelError(f"tensor {index} is no variable", where=b.at(op))
    return b.handles[index]


def _read(b: Builder, op: FileOperator) -> None:
    """The state's start where nothing has been assigned in this step, else what was."""
    variable, t = _variable(b, op), b.file_output(op)
    b.check_type(op, "output", t, ("int8",))
    if variable not in b.kept:
        name = node_name(op)
        b.activation(replace(t, shape=graph_shape(t.shape)), name, b.at(op))
        b.kept[variable] = name
        b.starts[variable] = name
        if graph_shape(t.shape) != t.shape:
            b.rows.add(name)
    now = b.kept[variable]
    b.names[t.index] = now
    if (b.file_shape(now), b.tensors[now].quant) != (t.shape, t.quant):
        raise b.unsupported(op, "a variable that is read in another shape or scale than it was written in", "the same")


def _assign(b: Builder, op: FileOperator) -> None:
    variable = _variable(b, op)
    b.kept[variable] = b.operand(op, 1, "value", rowwise=True)
    b.ends[variable] = node_name(op)


def states(b: Builder) -> tuple[State, ...]:
    """The states of the variables that were read; appends the node that writes the end of each."""
    out = []
    for variable, start in b.starts.items():
        t, value = b.tensors[start], b.tensors[b.kept[variable]]
        first = b.model.first.get(variable)
        where = f"{b.where}: {start}"
        if first is None or first.data is None:
            raise UnsupportedError(
                "the variable has no first value", where=where, fix="convert the model with its initialiser (CALL_ONCE)"
            )
        if first.data.dtype != np.dtype(t.dtype) or first.data.size != np.prod(t.shape) or value.shape != t.shape:
            raise ModelError(
                f"the variable is read as {t.dtype}{list(t.shape)}, starts as {first.dtype}{list(first.shape)} and "
                f"ends as {value.dtype}{list(value.shape)}",
                where=where,
            )
        end = b.ends.get(variable, f"{start}_kept")
        b.tensors[end] = Tensor(end, value.shape, value.dtype, value.quant)
        b.nodes.append(Node("reshape", end, (value.name,), (end,), {}))
        if not np.isfinite(first.data).all():
            raise ModelError("the variable's first value holds NaN or infinity", where=where)
        initial = first.data.reshape(t.shape).copy()
        initial.setflags(write=False)
        out.append(State(start, end, initial))
    return tuple(out)


HANDLERS: dict[str, Handler] = {
    "CALL_ONCE": _nothing,
    "VAR_HANDLE": _handle,
    "READ_VARIABLE": _read,
    "ASSIGN_VARIABLE": _assign,
}
