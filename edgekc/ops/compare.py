"""Which of two int8 tensors is larger, element by element, as 0 or 1: the definition, the lowering, the C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Quant, Tensor, constant
from ..graph.op import Case, IntAttrs, Interval, Lowered, Op, View
from ..graph.source import FloatHalf, SourceOp
from .dequantize import reals_of
from .shared import broadcast
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import channels_of, is_constant
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.ties import channelwise as channelwise_ties

LEFT_SHIFT = 8  # bits behind the point while both operands are compared
TRUTH = Quant((1.0,), (0,))  # of tensors that are true or false: bytes of 1 and 0
# The answers where the first operand is less, where both are equal, and where it is greater: a bit each.
RELATIONS = {"less": 1, "equal": 2, "less_equal": 3, "greater": 4, "not_equal": 5, "greater_equal": 6}
ATTRS = ("when", "a_zero", "a_multiplier", "a_shift", "b_zero", "b_multiplier", "b_shift")


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Each operand, less its zero point and times 2**8, is scaled; what is then equal counts as equal."""
    a, b = ew.aligned(inputs)
    left = ew.scaled(attrs, (a - attrs["a_zero"]) << LEFT_SHIFT, "a_")
    right = ew.scaled(attrs, (b - attrs["b_zero"]) << LEFT_SHIFT, "b_")
    return [((attrs["when"] >> (np.sign(left - right) + 1)) & 1).astype(np.int8)]


def lower(view: View) -> Lowered:
    a, b = ew.operands(view)
    when = relation_of(view, a)
    if a.q == TRUTH and is_constant(b):
        b = _whole(b)
    attrs = dict(when=when, a_zero=a.q.zero_point, b_zero=b.q.zero_point)
    truths = a.q == TRUTH and b.q == TRUTH
    for prefix, t in (("a_", a), ("b_", b)):
        attrs.update(ew.fixed(0.5 if truths else _scale(view, t), prefix))  # 1/2 keeps all levels apart
    lowered = Lowered("compare", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer))
    return broadcast.as_table(view, lowered, reference)


def relation_of(view: View, a: Tensor) -> int:
    """The three bits of a QUANTIZED node's relation, `a` being compared with the other operand."""
    relation = str(view.node.attrs["relation"])
    if view.out.quant != TRUTH:
        raise UnsupportedError(f"{relation} whose output is not true or false", where=view.node.name)
    when = RELATIONS[relation]
    # Where the constant was the first, less and greater change places.
    return when if a.name == view.inputs[0].name else when & 2 | (when & 1) << 2 | when >> 2


def _whole(b: Tensor) -> Tensor:
    """A constant of whole numbers as their bytes, whatever its scale; any other as it is."""
    reals = reals_of(b.value, b.q.scale, b.q.zero_point)
    levels = reals.astype(np.int8)
    return constant(b.name, levels, b.role, TRUTH) if (levels == reals).all() else b


def _scale(view: View, t: Tensor) -> float:
    if not 2.0**-32 <= t.q.scale < 1:
        raise UnsupportedError(
            f"a comparison of {t.name} with scale {t.q.scale}, where LiteRT's kernels are not defined; "
            "supported: 2^-32 to 1",
            where=view.node.name,
            fix="quantise the model with representative data of a smaller range",
        )
    return t.q.scale


def validate(view: View) -> None:
    if not 0 < view["when"] < 7:
        raise ModelError(f"when is {view['when']}, expected 1 to 6")
    if max(view["a_shift"], view["b_shift"]) > 0:
        raise ModelError("the multipliers of a comparison must be below 1")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    channels = channels_of(view.out)
    return Interval(np.zeros(channels, np.int64), np.ones(channels, np.int64))


FIELDS = (
    *(("int32_t", name) for name in ("a_multiplier", "b_multiplier")),
    *(("int8_t", name) for name in ("a_shift", "b_shift")),
    *(("int16_t", name) for name in ("a_zero", "b_zero")),
    ("uint8_t", "when"),
)


def cases(rng: np.random.Generator) -> list[Case]:
    """Every relation; scales that are equal, far from each other, and so small that neighbours become equal."""
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        scales = np.exp(rng.uniform(-12 if i % 4 else -20, -0.01, 2))
        scales[1] = scales[i % 3 % 2]
        zeros = rng.integers(-128, 128, 2)
        zeros[1] = zeros[i % 5 % 2]
        attrs = dict(when=i % 6 + 1, a_zero=int(zeros[0]), b_zero=int(zeros[1]))
        attrs.update(ew.fixed(float(scales[0]), "a_") | ew.fixed(float(scales[1]), "b_"))
        out.append(Case(name, attrs, (a, b)))
    return out


OP = Op(
    name="compare",
    code=61,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=broadcast.kernels("compare", FIELDS, lambda view: {name: view[name] for name in ATTRS}),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
)


def _answers(view: View, a: Any, b: Any) -> Any:
    """Of numpy or PyTorch: true and false, with their gradients' place empty."""
    when = RELATIONS[str(view.node.attrs["relation"])]
    found = [test for bit, test in ((1, a < b), (2, a == b), (4, a > b)) if when & bit]
    return found[0] if len(found) == 1 else found[0] | found[1]


def _real(view: View, operands: Sequence[Array]) -> Array:
    return np.asarray(_answers(view, *fl.aligned(operands)), np.float32)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    a, b = fl.aligned(operands)
    return _answers(view, a, b).to(a.dtype)


SOURCE = SourceOp(
    "compare",
    lower,
    FloatHalf(_real, _in_torch, channelwise_ties, fixed_quant=TRUTH),
    clamps=False,
    operands=(EITHER_A, EITHER_B),
)
