"""Functions of two values in single precision, which may broadcast: the definition and its C kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array, Tensor
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from ..shared import broadcast, single
from ..shared import elementwise as ew
from ..shared.checks import is_constant
from ..shared.operands import A, B

ATTRS = ("function", "low", "high")
# Their places are their numbers, in ek_f32.h too. A constant comes last, so there are two of what does not commute.
FUNCTIONS: dict[str, Callable[[Array, Array], Array]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: np.where(a > b, a, b),
    "minimum": lambda a, b: np.where(a < b, a, b),
    "squared_difference": lambda a, b: (a - b) * (a - b),
    "sub_from": lambda a, b: b - a,
    "div_by": lambda a, b: b / a,
    "prelu": lambda a, b: np.where(a < 0, a * b, a),
}
_NUMBER = {name: i for i, name in enumerate(FUNCTIONS)}
_TURNED = {"sub": "sub_from", "div": "div_by"}


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    rank = max(x.ndim for x in inputs)
    a, b = (x.reshape(ew.align(x.shape, rank)) for x in inputs)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value = list(FUNCTIONS.values())[attrs["function"]](a, b)
    return [single.clamped(value, single.of_bits(attrs["low"]), single.of_bits(attrs["high"]))]


def attrs_of(name: str, activation: str = "none") -> dict[str, int]:
    return dict(function=_NUMBER[name], **single.limits(activation))


def lower(view: View) -> Lowered:
    single.require_single(view)
    name, (a, b) = view.node.op, view.inputs
    if is_constant(a):
        a, b, name = b, a, _TURNED.get(name, name)
    ew.check_operands(view, a, b)
    activation = str(view.node.attrs.get("activation", "none"))
    inputs = ew.lowered_inputs(view, a, b, broadcast.infer)
    return Lowered("binary_f32", attrs_of(name, activation), *inputs)


def validate(view: View) -> None:
    single.check_all(view)
    single.check_limits(view)
    if not 0 <= view["function"] < len(FUNCTIONS):
        raise ModelError(f"function {view['function']} of binary_f32, expected 0 to {len(FUNCTIONS) - 1}")


def _params(view: View) -> dict[str, Param]:
    b: Tensor = view.inputs[1]
    values = {name: view[name] for name in ATTRS}
    return {**broadcast.loops(view, 4), **values, "constant": b.name if is_constant(b) else 0}


_TWO = Kernel(
    symbol="ek_binary_f32",
    header="ek_f32.h",
    struct="ek_binary_f32_params",
    fields=(
        broadcast.LOOPS_FIELD,
        ("uint32_t", "function"),
        *(("int32_t", name) for name in ("low", "high")),
        ("const float *", "constant"),
    ),
    params=_params,
    accepts=lambda view: not is_constant(view.inputs[1]),
    in_place=ew.in_place,
)
_CONSTANT = replace(
    _TWO,
    symbol="ek_binary_const_f32",
    accepts=lambda view: is_constant(view.inputs[1]),
    sources=("ek_binary_f32",),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for k, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        function = list(FUNCTIONS)[k % len(FUNCTIONS)]
        x, y = (v.astype(np.float32) * np.float32(0.173) for v in (a, b))
        if function in ("div", "div_by"):
            x, y = (np.where(v == 0, np.float32(0.01), v) for v in (x, y))
        activation = ("none", "relu", "relu6", "relu_n1_to_1")[k // len(FUNCTIONS) % 4]
        out.append(Case(f"{function}-{name}", attrs_of(function, activation), (x, y)))
    for function in FUNCTIONS:
        for fill, x in single.reals(rng, (1, 4, 9)):
            y = rng.normal(0, 2, (1, 1, 9)).astype(np.float32)
            x = np.where(x == 0, np.float32(1e-3), x) if function == "div_by" else x
            out.append(Case(f"{function}-row-{fill}", attrs_of(function), (x, y)))
    return [*out, Case("zeros", attrs_of("add"), (np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)))]


OP = Op(
    name="binary_f32",
    code=103,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=(_TWO, _CONSTANT),
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {name: lower for name in FUNCTIONS if name not in _TURNED.values()}
