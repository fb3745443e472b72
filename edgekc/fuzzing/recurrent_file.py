"""LSTM and SVDF in a .tflite file: operands at fixed places, of which some are left out, and variable tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tflite

from ..graph.ir import Tensor
from ..graph.op import View

LSTM, SVDF = "lstm_of_file", "svdf_of_file"
KEEPING = frozenset((LSTM, SVDF))
# Positions of an LSTM's operands: input, weights of input and hidden values, biases, states.
PLACES = (0, *range(1, 9), *range(12, 16), 18, 19)
_POSITIONS = 24
ABSENT = Tensor("", (0,), "float32")  # an operand that is left out
_VARIABLES = {LSTM: 2, SVDF: 1}  # the last operands
BUILTIN: dict[str, tuple[str, str, Callable[[View], dict[str, Any]]]] = {
    LSTM: (
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UnidirectionalSequenceLSTMOptions",
        lambda view: dict(
            FusedActivationFunction=tflite.ActivationFunctionType.TANH, CellClip=float(view.node.attrs["cell_clip"])
        ),
    ),
    SVDF: (
        "SVDF",
        "SVDFOptions",
        lambda view: dict(Rank=view["rank"], FusedActivationFunction=tflite.ActivationFunctionType.RELU),
    ),
}


def operands_of(view: View) -> tuple[Tensor, ...]:
    """All operands in the file's order."""
    if view.node.op == SVDF:
        return view.inputs
    row: list[Tensor] = [ABSENT] * _POSITIONS
    for place, t in zip(PLACES, view.inputs, strict=True):
        row[place] = t
    return tuple(row)


def variables_of(view: View) -> frozenset[str]:
    """The tensors that a node keeps from one run to the next."""
    count = _VARIABLES.get(view.node.op, 0)
    return frozenset(t.name for t in view.inputs[len(view.inputs) - count :])


def inner_of(view: View) -> tuple[Tensor, ...]:
    """Intermediate tensors: of an LSTM four without values, and one for the scale of the hidden values."""
    if view.node.op != LSTM:
        return ()
    name = view.node.name
    gates = (Tensor(f"{name}/gate{k}", (0,), "float32") for k in range(4))
    return (*gates, Tensor(f"{name}/inside", (0,), "int8", view.out.quant))
