"""The quotient of int8 tensors: the definition, its lowering and its C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import rounding_divide_by_pot
from ..graph.fixedpoint import rounding_doubling_high_mul as high_mul
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Lowered, Op, View
from ..graph.source import FloatHalf, SourceOp
from .shared import broadcast
from .shared import elementwise as ew
from .shared import floats as fl
from .shared.channels import channelwise
from .shared.checks import is_constant, require_activation
from .shared.linear import activation_range
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("a_zero", "b_zero", "multiplier", "shift", "out_zero", "act_min", "act_max", "over")  # over 1: b / a
MAX_SHIFT = 23  # a larger one would be a shift to the left for the quotients that are largest
_MOST = 2**20  # what a quotient by zero is, before the clamp


def _reciprocals() -> Array:
    """1 / (1 + f) in Q0 of each 0 < n < 256 with n = (1 + f) * 2**k, by the steps of softmax; int64 (256,)."""
    n = np.maximum(np.arange(256, dtype=np.int64), 1)
    half = n << (31 - _bits(n))  # (1 + f) / 2 in Q0
    guess = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        guess = guess + (high_mul(guess, 2**29 - high_mul(half, guess)) << 2)
    return np.asarray(np.minimum(2 * guess, 2**31 - 1))


def _bits(n: Array) -> Array:
    """The number of bits of integers from 0 to 256."""
    return np.asarray(np.ceil(np.log2(n + 1.0)).astype(np.int64))


_RECIPROCAL = _reciprocals()


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The dividend, as far to the left as it goes, times the divisor's reciprocal, scaled to the output.

    By zero the quotient is as large as can be, with the dividend's sign; 0 by 0 is 0.
    """
    a, b = ew.aligned(inputs)
    x, y = np.broadcast_arrays(a - attrs["a_zero"], b - attrs["b_zero"])
    if attrs["over"]:
        x, y = y, x
    x, y = np.where(y < 0, -x, x), np.abs(y)
    lead = 31 - _bits(np.where(x < 0, ~x, x))  # bits that repeat the sign
    value = high_mul(high_mul(x << lead, _RECIPROCAL[y]), attrs["multiplier"])
    right = _bits(y) - 1 + lead - attrs["shift"]
    quotient = np.where(right > 31, 0, rounding_divide_by_pot(value, np.clip(right, 0, 31)))
    quotient = np.where(y == 0, np.sign(x) * _MOST, quotient)
    return [np.clip(quotient + attrs["out_zero"], attrs["act_min"], attrs["act_max"]).astype(np.int8)]


def lower(view: View) -> Lowered:
    a, b = ew.operands(view)
    over = int(is_constant(view.inputs[0]))
    above, below = (b, a) if over else (a, b)
    scale = ew.fixed(above.q.scale / (below.q.scale * view.out.q.scale), "")
    if scale["shift"] > MAX_SHIFT:
        raise UnsupportedError(f"a quotient of scales above 2**{MAX_SHIFT} times the output's", where=view.node.name)
    act_min, act_max = activation_range(view)
    attrs = dict(a_zero=a.q.zero_point, b_zero=b.q.zero_point, over=over, **scale)
    attrs.update(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max)
    return broadcast.as_table(view, Lowered("div", attrs, *ew.lowered_inputs(view, a, b, broadcast.infer)), reference)


def validate(view: View) -> None:
    if view["shift"] > MAX_SHIFT:
        raise ModelError(f"shift {view['shift']} of a quotient is above {MAX_SHIFT}")
    if view["over"] not in (0, 1):
        raise ModelError(f"over is {view['over']}, expected 0 or 1")
    require_activation(view)


FIELDS = (
    ("int32_t", "multiplier"),
    *(("int8_t", name) for name in ("shift", "over")),
    *(("int16_t", name) for name in ("a_zero", "b_zero", "out_zero", "act_min", "act_max")),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, a, b) in enumerate(broadcast.pairs_of_inputs(rng)):
        attrs = ew.fixed(float(np.exp(rng.uniform(0, 12) if i % 3 else rng.uniform(-20, 14))), "")
        attrs.update({k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "out_zero")})
        attrs.update(ew.activation(attrs["out_zero"], 255 if i % 3 else 60))
        out.append(Case(name, {**attrs, "over": i % 2}, (a, b)))
    every = np.arange(-128, 128).astype(np.int8)
    attrs = {**ew.fixed(100.0, ""), "a_zero": 3, "b_zero": 5, "out_zero": 0, "act_min": -128, "act_max": 127}
    out.append(Case("every", {**attrs, "over": 0}, (every.reshape(1, 256, 1), every.reshape(1, 1, 256))))
    return out


def real_numpy(view: View, operands: Sequence[Any]) -> Any:
    a, b = fl.aligned(operands)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(a / b, nan=0.0, posinf=fl.LARGEST, neginf=-fl.LARGEST), np.float32)


def real_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    a, b = fl.aligned(operands)
    return torch.nan_to_num(a / b, nan=0.0, posinf=fl.LARGEST, neginf=-fl.LARGEST)


OP = Op(
    name="div",
    code=35,
    attrs=ATTRS,
    operands=(A, B),
    infer=broadcast.infer,
    reference=reference,
    kernels=broadcast.kernels("div", FIELDS, lambda view: {name: view[name] for name in ATTRS}),
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
)
SOURCE = SourceOp("div", lower, FloatHalf(real_numpy, real_torch, channelwise_ties), operands=(EITHER_A, EITHER_B))
