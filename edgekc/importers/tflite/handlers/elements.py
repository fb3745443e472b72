"""Operators on each element by itself, and softmax."""

from __future__ import annotations

from ....errors import ModelError
from ..builder import Builder, Handler
from ..file import FileOperator
from .common import Attrs, activation, plain


def _binary(kind: str, fused: bool = True) -> Handler:
    """`fused`: it has an activation of its own."""

    def handler(b: Builder, op: FileOperator) -> None:
        operands = tuple(_aligned(b, op, i, what) for i, what in enumerate("ab"))
        attrs: Attrs = {"activation": activation(b, op)} if fused else {}
        if b.tensors[operands[0]].dtype == "int16" and "PotScaleInt16" in op.options:
            attrs["pot_scale"] = int(bool(op.options["PotScaleInt16"]))
        b.add(op, kind, operands, attrs)

    return handler


def _aligned(b: Builder, op: FileOperator, position: int, what: str) -> str:
    """An operand; where it is an activation of fewer dimensions than the other, with ones in front."""
    ranks = [len(b.file_tensor(op, i, name).shape) for i, name in enumerate("ab")]
    fewer = b.file_tensor(op, position, what).data is None and ranks[position] < max(ranks)
    name = b.operand(op, position, what, rowwise=fewer, may_be_constant=True)
    if name not in b.rows or not fewer:
        return name
    shape = b.file_shape(name)
    return b.view(op, f"aligned_{what}", name, (1,) * (max(ranks) - len(shape)) + shape)


def _softmax(b: Builder, op: FileOperator) -> None:
    beta = float(op.options["Beta"])
    if not 0 < beta < 1e6:
        raise ModelError(f"beta is {beta}, expected a positive number", where=b.at(op))
    plain("softmax", beta=beta)(b, op)


def _leaky_relu(b: Builder, op: FileOperator) -> None:
    plain("leaky_relu", alpha=float(op.options["Alpha"]))(b, op)


def _prelu(b: Builder, op: FileOperator) -> None:
    slopes = b.operand(op, 1, "alpha", may_be_constant=True)
    b.add(op, "prelu", (b.operand(op, 0, "input"), slopes), {})


def _gelu(b: Builder, op: FileOperator) -> None:
    plain("gelu", approximate=int(op.options["Approximate"]))(b, op)


HANDLERS: dict[str, Handler] = {
    "ADD": _binary("add"),
    "MUL": _binary("mul"),
    "SUB": _binary("sub"),
    "DIV": _binary("div"),
    "MAXIMUM": _binary("maximum", fused=False),
    "MINIMUM": _binary("minimum", fused=False),
    "SQUARED_DIFFERENCE": _binary("squared_difference", fused=False),
    "PRELU": _prelu,
    "SOFTMAX": _softmax,
    "RELU": plain("relu", activation="relu"),
    "RELU6": plain("relu", activation="relu6"),
    "RELU_N1_TO_1": plain("relu", activation="relu_n1_to_1"),
    "QUANTIZE": plain("quantize"),
    "DEQUANTIZE": plain("dequantize"),
    "LOGISTIC": plain("logistic"),
    "TANH": plain("tanh"),
    "ELU": plain("elu"),
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": plain("hard_swish"),
    "GELU": _gelu,
    "EXP": plain("exp"),
    "LOG": plain("log"),
    "ABS": plain("abs"),
    "NEG": plain("neg", of_bytes=1),
    "SQRT": plain("sqrt"),
    "RSQRT": plain("rsqrt"),
}
FLOAT_ONLY: dict[str, Handler] = {  # what LiteRT has no int8 kernel of; in int8 files between DEQUANTIZE and QUANTIZE
    "SIN": plain("sin"),
    "COS": plain("cos"),
    "SQUARE": plain("square"),
}
