"""Which of two float32 tensors is larger, element by element, as 0 or 1 of int8: the definition and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import ModelError
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from .. import compare
from ..shared import broadcast, single
from ..shared import elementwise as ew
from ..shared.checks import is_constant
from ..shared.operands import A, B

ATTRS = ("when",)  # as `compare` has it


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    rank = max(x.ndim for x in inputs)
    a, b = (x.reshape(ew.align(x.shape, rank)) for x in inputs)
    order = np.where(a < b, 0, np.where(a > b, 2, 1))
    return [((attrs["when"] >> order) & 1).astype(np.int8)]


def lower(view: View) -> Lowered:
    single.require_single(View(view.node, view.inputs, ()))
    a, b = view.inputs
    if is_constant(a):
        a, b = b, a
    ew.check_operands(view, a, b)
    return Lowered(
        "compare_f32", dict(when=compare.relation_of(view, a)), *ew.lowered_inputs(view, a, b, broadcast.infer)
    )


def validate(view: View) -> None:
    single.check_all(View(view.node, view.inputs, ()))
    if view.out.dtype != "int8":
        raise ModelError(f"compare_f32 to {view.out.dtype}, not int8")
    if not 0 < view["when"] < 7:
        raise ModelError(f"when is {view['when']}, expected 1 to 6")


def _params(view: View) -> dict[str, Param]:
    b = view.inputs[1]
    return {**broadcast.loops(view, 4), "when": view["when"], "constant": b.name if is_constant(b) else 0}


_TWO = Kernel(
    symbol="ek_compare_f32",
    header="ek_f32.h",
    struct="ek_compare_f32_params",
    fields=(broadcast.LOOPS_FIELD, ("uint32_t", "when"), ("const float *", "constant")),
    params=_params,
    accepts=lambda view: not is_constant(view.inputs[1]),
    in_place=ew.in_place,  # an answer is shorter than what it is about
)
_CONSTANT = replace(
    _TWO,
    symbol="ek_compare_const_f32",
    accepts=lambda view: is_constant(view.inputs[1]),
    sources=("ek_compare_f32",),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Every relation, with numbers that are equal among them."""
    out = []
    for k, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        x, y = ((v // (1, 60)[k % 2]).astype(np.float32) * np.float32(0.173) for v in (a, b))
        out.append(Case(name, dict(when=k % 6 + 1), (x, y)))
    for k, (fill, x) in enumerate(single.reals(rng, (1, 4, 9))):
        out.append(Case(f"row-{fill}", dict(when=k + 1), (x, np.zeros((1, 1, 9), np.float32))))
    return [*out, Case("one", dict(when=2), (-np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32)))]


OP = Op(
    name="compare_f32",
    code=115,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=(_TWO, _CONSTANT),
    ranges=compare.ranges,
    validate=validate,
    cases=cases,
    single=True,
)
IN_FLOAT = {"compare": lower}
