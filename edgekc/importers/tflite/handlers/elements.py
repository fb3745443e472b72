"""Operators on each element by itself, and softmax."""

from __future__ import annotations

from ....errors import ModelError
from ..builder import Builder, Handler
from ..file import FileOperator
from .common import activation, plain


def _binary(kind: str) -> Handler:
    def handler(b: Builder, op: FileOperator) -> None:
        operands = tuple(b.operand(op, i, what, may_be_constant=True) for i, what in enumerate("ab"))
        shapes = [b.tensors[name].shape for name in operands]
        known = not b.unstated.isdisjoint(operands) and len({len(shape) for shape in shapes}) == 1
        out = tuple(map(max, *shapes)) if known else None
        b.add(op, kind, operands, {"activation": activation(b, op)}, out)

    return handler


def _softmax(b: Builder, op: FileOperator) -> None:
    beta = float(op.options["Beta"])
    if not 0 < beta < 1e6:
        raise ModelError(f"beta is {beta}, expected a positive number", where=b.at(op))
    plain("softmax", beta=beta)(b, op)


HANDLERS: dict[str, Handler] = {
    "ADD": _binary("add"),
    "MUL": _binary("mul"),
    "SOFTMAX": _softmax,
    "RELU": plain("relu", activation="relu"),
    "RELU6": plain("relu", activation="relu6"),
    "RELU_N1_TO_1": plain("relu", activation="relu_n1_to_1"),
    "QUANTIZE": plain("quantize"),
    "DEQUANTIZE": plain("dequantize"),
    "LOGISTIC": plain("logistic"),
    "TANH": plain("tanh"),
}
