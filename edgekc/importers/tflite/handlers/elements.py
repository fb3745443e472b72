"""Operators on each element by itself, and softmax."""

from __future__ import annotations

from ....errors import ModelError
from ..builder import Builder, Handler
from ..file import FileOperator
from .common import Attrs, activation, aligned, plain


def _binary(kind: str, fused: bool = True) -> Handler:
    """`fused`: it has an activation of its own."""

    def handler(b: Builder, op: FileOperator) -> None:
        operands = aligned(b, op, "ab")
        attrs: Attrs = {"activation": activation(b, op)} if fused else {}
        if b.tensors[operands[0]].dtype == "int16" and "PotScaleInt16" in op.options:
            attrs["pot_scale"] = int(bool(op.options["PotScaleInt16"]))
        b.add(op, kind, operands, attrs)

    return handler


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


def _power(b: Builder, op: FileOperator) -> None:
    """Of a constant exponent: roots, and whole numbers by products."""
    t = b.file_tensor(op, 1, "exponent")
    b.check_type(op, "exponent", t, ("float32",))
    if t.data is None or t.data.size != 1:
        raise b.unsupported(op, f"an exponent (tensor {t.index}) that is no constant of one value", "one")
    exponent = float(t.data.ravel()[0])
    x = b.operand(op, 0, "input", rowwise=True)
    shape = b.file_shape(x) if x in b.rows or x in b.unstated else None
    if exponent in _ROOTS:
        b.add(op, _ROOTS[exponent], (x,), {}, shape)
    elif exponent == -1:
        b.add(op, "div", (b.number(op, "one", 1.0), x), {"activation": "none"}, shape)
    elif exponent == 1:
        b.add(op, "reshape", (x,), {}, shape)
    elif exponent in range(3, 9):
        b.add(op, "mul", _factors(b, op, x, int(exponent)), {"activation": "none"}, shape)
    else:
        raise b.unsupported(op, f"the exponent {exponent}", "whole numbers from 1 to 8, 0.5, -0.5 and -1")


def _factors(b: Builder, op: FileOperator, x: str, exponent: int) -> tuple[str, str]:
    """Two tensors whose product is a power of x from the third on, by squares of squares."""

    def product(name: str, *factors: str) -> str:
        return b.inner(op, name, "mul", factors, {"activation": "none"}, b.tensors[x].shape)

    powers = [x]  # with the exponents 1, 2, 4
    while 2 ** len(powers) < exponent:
        powers.append(product(f"power{2 ** len(powers)}", powers[-1], powers[-1]))
    needed = [power for k, power in enumerate(powers) if exponent >> k & 1]
    if exponent == 2 ** len(powers):
        return powers[-1], powers[-1]
    for k in range(len(needed) - 2):
        needed[:2] = [product(f"product{k}", *needed[:2])]
    return needed[0], needed[1]


def _sum_of_all(b: Builder, op: FileOperator) -> None:
    """In float models one operator, in float parts of others sums of two, in the same order."""
    if not op.inputs:
        raise ModelError("a sum of nothing", where=b.at(op))
    if b.in_float:
        b.add(op, "add_n", tuple(b.operand(op, i, "part") for i in range(len(op.inputs))), {})
        return
    total, *more = (b.operand(op, i, "part", rowwise=True) for i in range(len(op.inputs)))
    shape = b.file_shape(total) if total in b.rows or total in b.unstated else None
    attrs: Attrs = {"activation": "none"}
    for k, name in enumerate(more[:-1]):
        total = b.inner(op, f"sum{k}", "add", (total, name), attrs, b.tensors[total].shape)
    if more:
        b.add(op, "add", (total, more[-1]), attrs, shape)
    else:
        b.add(op, "reshape", (total,), {}, shape)


def _sign(b: Builder, op: FileOperator) -> None:
    """x by what it is without its sign; 0 by the smallest number. In models that become int8, by comparisons."""
    x = b.operand(op, 0, "input", rowwise=True)
    shape = b.file_shape(x) if x in b.rows or x in b.unstated else None
    inner = b.tensors[x].shape
    if b.in_float:
        zero = b.number(op, "zero", 0.0, len(inner))
        sides = [b.inner(op, name, "compare", (x, zero), {"relation": name}, inner) for name in ("greater", "less")]
        b.add(op, "sub", (sides[0], sides[1]), {"activation": "none"}, shape)
        return
    size = b.inner(op, "size", "abs", (x,), {}, inner)
    divisor = b.inner(op, "divisor", "maximum", (size, b.number(op, "least", 2.0**-149)), {}, inner)
    b.add(op, "div", (x, divisor), {"activation": "none"}, shape)


def _zeros(b: Builder, op: FileOperator) -> None:
    b.file_tensor(op, 0, "input")
    b.fill(op, 0.0)


_ROOTS = {0.5: "sqrt", -0.5: "rsqrt", 2.0: "square"}
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
    "RELU_0_TO_1": plain("relu_0_to_1"),
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
    "FLOOR": plain("floor"),
    "CEIL": plain("ceil"),
    "ROUND": plain("round"),
    "POW": _power,
    "ADD_N": _sum_of_all,
    "SIGN": _sign,
    "ZEROS_LIKE": _zeros,
}
