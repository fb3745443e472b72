"""A constant joined to an activation, before it or behind it, int8: the definition, its lowering and its C kernel.

The class token of a transformer is one. More parts are a chain of these and of `concat`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role, constant
from ..graph.op import Case, ChannelRule, Constant, IntAttrs, Interval, Kernel, Lowered, Op, Operand, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared.channels import channelwise
from .shared.checks import known, require_int8, require_moved, require_same_quant, width
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("axis", "first")  # first: 1 where the constant comes before the activation
_VALUES = Operand("values", Constant.ALWAYS, Role.WEIGHTS)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, values, axis = shapes[0], shapes[1], attrs["axis"]
    if not 1 <= axis < len(x) or attrs["first"] not in (0, 1):
        raise ModelError(f"a constant joined along axis {axis} of shape {list(x)}, first: {attrs['first']}")
    if len(values) != len(x) or values[0] != 1 or any(a != b for i, (a, b) in enumerate(zip(x, values, strict=True)) if i not in (0, axis)):  # fmt: skip  # noqa: E501
        raise ModelError(f"a constant of shape {list(values)} joined along axis {axis} of shape {list(x)}")
    return [(*x[:axis], x[axis] + values[axis], *x[axis + 1 :])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [_joined(attrs["axis"], attrs["first"], inputs)]


def _joined(axis: int, first: int, inputs: Sequence[Array]) -> Array:
    x, values = inputs
    repeated = np.broadcast_to(values, (len(x), *values.shape[1:]))
    return np.concatenate([repeated, x] if first else [x, repeated], axis)


def lower(view: View) -> Lowered:
    """The constant is brought to the scale of the output, in which TensorFlow Lite's files have it already."""
    require_moved(view)
    require_same_quant(View(view.node, (view.x,), view.outputs))
    if view.x.data is not None:
        raise UnsupportedError("two constants joined at run time", where=view.node.name)
    values = view.operand("values")
    attrs = dict(axis=view["axis"], first=view["first"])
    if values.dtype == "float32":
        stored = constant(f"{view.node.name}/values", values.value, Role.WEIGHTS)
        return Lowered("concat_const", attrs, (view.x.name,), (stored,))
    require_int8(view)
    out = view.out.q
    real = (values.value.astype(np.float64) - values.q.zero_point) * values.q.scale
    levels = np.clip(np.rint(real / out.scale) + out.zero_point, -128, 127).astype(np.int8)
    stored = constant(f"{view.node.name}/values", levels, Role.WEIGHTS)
    return Lowered("concat_const", attrs, (view.x.name,), (stored,))


def validate(view: View) -> None:
    if len({t.dtype for t in (*view.inputs, view.out)}) > 1:
        raise ModelError(f"{view.operand('values').dtype} values joined to {view.x.dtype}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    parts = [known(t, i) for t, i in zip(view.inputs, (*inputs, None)[:2], strict=True)]
    if view["axis"] < len(view.x.shape) - 1:
        return Interval(np.minimum(*(p.low for p in parts)), np.maximum(*(p.high for p in parts)))
    order = parts[::-1] if view["first"] else parts
    return Interval(np.concatenate([p.low for p in order]), np.concatenate([p.high for p in order]))


def _channels(view: View) -> ChannelRule | None:
    return channelwise(view) if view["axis"] < len(view.x.shape) - 1 else None


def _params(view: View) -> dict[str, Param]:
    axis, values = view["axis"], view.operand("values")
    return dict(
        values=values.name,
        rows=math.prod(view.x.shape[:axis]),
        in_bytes=math.prod(view.x.shape[axis:]) * width(view),
        value_bytes=math.prod(values.shape[axis:]) * width(view),
        first=view["first"],
    )


KERNELS = (
    Kernel(
        symbol="ek_concat_const_s8",
        header="ek_concat_const.h",
        struct="ek_concat_const_params",
        fields=(
            ("const int8_t *", "values"),
            *(("uint32_t", name) for name in ("rows", "in_bytes", "value_bytes", "first")),
        ),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    kinds: list[tuple[str, int, int, Shape, int]] = [
        ("token", 1, 1, (1, 4, 6), 1),
        ("rows", 1, 0, (1, 3, 2, 5), 2),
        ("columns", 2, 1, (1, 3, 2, 5), 3),
        ("channels", 3, 0, (1, 2, 3, 4), 2),
        ("channels-first", 3, 1, (1, 2, 3, 4), 1),
        ("one-pixel", 3, 1, (1, 1, 1, 1), 1),
        ("vector", 1, 0, (1, 7), 4),
    ]
    out = []
    for name, axis, first, shape, count in kinds:
        for fill, x in fills(rng, shape):
            values = rng.integers(-128, 128, (*shape[:axis], count, *shape[axis + 1 :])).astype(np.int8)
            out.append(Case(f"{name}-{fill}", dict(axis=axis, first=first), (x, values)))
    return [*out, *in_float(out)]


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, values = operands
    repeated = values.expand(x.shape[0], *values.shape[1:])
    return torch.cat([repeated, x] if view["first"] else [x, repeated], view["axis"])


def _ties(view: View) -> Sequence[Tie] | None:
    """None where the constant brings channels of its own, which no layer makes."""
    return channelwise_ties(view) if view["axis"] < len(view.x.shape) - 1 else None


OP = Op(
    name="concat_const",
    code=43,
    attrs=ATTRS,
    operands=(X, _VALUES),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    channels=_channels,
    validate=validate,
    moves=True,
    cases=cases,
)
SOURCE = SourceOp(
    "concat_const",
    lower,
    FloatHalf(
        lambda view, operands: _joined(view["axis"], view["first"], operands), _in_torch, _ties, shares_scale=True
    ),
    clamps=False,
)
IN_FLOAT = {"concat_const": lower}
