"""Padding with the zero point, int8: the definition, its lowering and its C kernel.

A tensor of less than four dimensions is seen as (n, h, w, c) with ones in front of its trailing axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp, Tie
from .shared import int16
from .shared.channels import channelwise
from .shared.checks import (
    activation_inputs,
    known,
    require_int8,
    require_moved,
    require_one_width,
    require_same_quant,
    width,
)
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import channelwise as channelwise_ties

AMOUNTS = ("pad_top", "pad_bottom", "pad_left", "pad_right", "pad_front", "pad_back")  # h, w, c: before, after
ATTRS = (*AMOUNTS, "pad_value")


def pairs_of(attrs: IntAttrs, rank: int) -> list[tuple[int, int]]:
    """(before, after) of every axis of a tensor of this rank, the batch axis first."""
    pairs = [(attrs[AMOUNTS[i]], attrs[AMOUNTS[i + 1]]) for i in (0, 2, 4)]
    if not 2 <= rank <= 4 or any(pair != (0, 0) for pair in pairs[: 4 - rank]):
        raise ModelError(f"padding {pairs} does not fit a tensor of rank {rank}")
    return [(0, 0), *pairs[4 - rank :]]


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    pairs = pairs_of(attrs, len(shapes[0]))
    if min(min(pair) for pair in pairs) < 0:
        raise ModelError(f"negative padding {pairs}")
    return [tuple(size + before + after for size, (before, after) in zip(shapes[0], pairs, strict=True))]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x = inputs[0]
    return [np.pad(x, pairs_of(attrs, x.ndim), constant_values=attrs["pad_value"])]


def amounts_of(view: View) -> dict[str, int]:
    """The attributes AMOUNTS of a QUANTIZED node's `pads`."""
    amounts = [int(p) for p in str(view.node.attrs["pads"]).split(",")]
    if len(amounts) > 8:
        raise UnsupportedError(f"padding of rank {len(amounts) // 2}", where=view.node.name)
    amounts = [0] * (8 - len(amounts)) + amounts
    if any(amounts[: 2 * (5 - len(view.x.shape))]):
        raise UnsupportedError("padding of the batch axis", where=view.node.name)
    return dict(zip(AMOUNTS, amounts[2:], strict=True))


def lower(view: View) -> Lowered:
    require_moved(view)
    require_same_quant(view)
    zero = 0 if view.x.dtype == "float32" else view.out.q.zero_point
    if int16.is_wide(view) and zero:
        raise UnsupportedError("int16 with a zero point; supported: zero point 0", where=view.node.name)
    return Lowered("pad", {**amounts_of(view), "pad_value": zero}, activation_inputs(view))


def validate(view: View) -> None:
    """The kernel fills bytes: those of an int16 fill must be alike, and all such files have 0."""
    require_one_width(view)
    if width(view) > 1 and view["pad_value"]:
        raise ModelError(f"pad_value of {view.x.dtype} is {view['pad_value']}, expected 0")


def _lower_fill(view: View) -> Lowered:
    """With any number: the level that is nearest to it."""
    require_int8(view)
    require_same_quant(view)
    out = view.out.q
    level = int(np.clip(round(_fill(view) / out.scale) + out.zero_point, -128, 127))
    return Lowered("pad", {**amounts_of(view), "pad_value": level}, activation_inputs(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Channels keep their range, widened by the fill; channels of nothing but fill are constant."""
    x, fill = known(view.x, inputs[0]), view["pad_value"]
    low, high = x.low, x.high
    if any(view[name] for name in AMOUNTS[:4]):
        low, high = np.minimum(low, fill), np.maximum(high, fill)
    ends = (view["pad_front"], view["pad_back"])
    return Interval(*(np.pad(end, ends, constant_values=fill) for end in (low, high)))


def _params(view: View) -> dict[str, Param]:
    """Without padding of channels a row is one run of bytes, and its sides pad that run."""
    h, w, c = (1, 1, 1, *view.x.shape[1:])[-3:]
    left, right, front, back = (view[name] for name in AMOUNTS[2:])
    c, front, back = (size * width(view) for size in (c, front, back))
    if front == back == 0:
        w, c, left, right, front, back = 1, w * c, 0, 0, left * c, right * c
    values: dict[str, Param] = dict(in_h=h, in_w=w, in_c=c, pad_top=view["pad_top"], pad_bottom=view["pad_bottom"])
    values.update(pad_left=left, pad_right=right, pad_front=front, pad_back=back, pad_value=view["pad_value"])
    return values


KERNELS = (
    Kernel(
        symbol="ek_pad_s8",
        header="ek_pad.h",
        struct="ek_pad_params",
        fields=(
            *(("uint32_t", name) for name in ("in_h", "in_w", "in_c", *AMOUNTS)),
            ("int8_t", "pad_value"),
        ),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, Shape, tuple[int, ...]]] = [
        ("around", (1, 3, 5, 2), (1, 1, 1, 1, 0, 0)),
        ("after", (1, 4, 4, 3), (0, 1, 0, 1, 0, 0)),
        ("channels", (1, 2, 3, 4), (0, 0, 0, 0, 2, 3)),
        ("everything", (1, 2, 3, 1), (1, 2, 3, 4, 5, 6)),
        ("nothing", (1, 2, 3, 1), (0, 0, 0, 0, 0, 0)),
        ("sequence", (1, 5, 3), (0, 0, 2, 1, 0, 0)),
        ("vector", (1, 5), (0, 0, 0, 0, 1, 3)),
    ]
    out = []
    for name, shape, amounts in shapes:
        for fill, x in fills(rng, shape):
            attrs = dict(zip(AMOUNTS, amounts, strict=True))
            out.append(Case(f"{name}-{fill}", {**attrs, "pad_value": int(rng.integers(-128, 128))}, (x,)))
    return [*out, *int16.twins(rng, out), *in_float(out)]


def _channels(view: View) -> ChannelRule | None:
    """Padded channels would shift the others; without them a channel is padded by itself."""
    return None if view["pad_front"] or view["pad_back"] else channelwise(view)


def _amounts(view: View) -> list[int]:
    """Before and after each axis."""
    return [int(v) for v in str(view.node.attrs["pads"]).split(",")]


def _fill(view: View) -> float:
    return float(view.node.attrs.get("value", 0.0))


def _real(view: View, operands: Sequence[Array]) -> Array:
    amounts = _amounts(view)
    pairs = list(zip(amounts[::2], amounts[1::2], strict=True))
    return np.pad(operands[0], pairs, constant_values=np.float32(_fill(view)))


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    amounts = _amounts(view)
    backwards = [p for axis in range(len(amounts) - 2, -1, -2) for p in amounts[axis : axis + 2]]
    return torch.nn.functional.pad(operands[0], backwards, value=_fill(view))


def _ties(view: View) -> Sequence[Tie] | None:
    return None if any(_amounts(view)[-2:]) else channelwise_ties(view)


OP = Op(
    name="pad",
    code=11,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    ranges=ranges,
    validate=validate,
    wide=True,
    moves=True,
    channels=_channels,
    cases=cases,
)
SOURCES = (
    SourceOp("pad", lower, FloatHalf(_real, _in_torch, _ties, shares_scale=True, scales_along=True)),
    # With the attribute `value`, a real number. A factor on a channel is none on the number, and no layer pads with it.
    SourceOp(
        "pad_with", _lower_fill, FloatHalf(_real, _in_torch, _ties, shares_scale=True), becomes="pad", operands=(X,)
    ),
)
IN_FLOAT = {"pad": lower}
