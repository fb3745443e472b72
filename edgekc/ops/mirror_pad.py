"""Padding with the image's own values, mirrored at its edges, int8: the definition, its lowering and its C kernel.

"reflect" does not repeat the value at the edge, "symmetric" does. A tensor of less than four dimensions is seen as
(n, h, w, c) with ones in front of its trailing axes, as in `pad`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp, Tie
from .pad import AMOUNTS, amounts_of, pairs_of
from .shared import int16
from .shared.channels import channelwise
from .shared.checks import activation_inputs, known, require_moved, require_one_width, require_same_quant, width
from .shared.operands import X
from .shared.testing import fills, in_float
from .shared.ties import channelwise as channelwise_ties

ATTRS = (*AMOUNTS, "edge")  # edge: 1 where the value at the edge is repeated
_MODES = {"reflect": 0, "symmetric": 1}


def _mirrored(size: int, before: int, after: int, edge: int) -> Array:
    """What values of an axis its padded form has, int64 (before + size + after,)."""
    at = np.arange(-before, size + after)
    at = np.where(at < 0, -at - edge, at)
    return np.where(at >= size, 2 * size - 2 + edge - at, at)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    shape, edge = shapes[0], attrs["edge"]
    if edge not in (0, 1):
        raise ModelError(f"edge is {edge}, expected 0 or 1")
    out = []
    for size, (before, after) in zip(shape, pairs_of(attrs, len(shape)), strict=True):
        if not 0 <= min(before, after) <= max(before, after) <= size - 1 + edge:
            raise ModelError(f"mirrored padding of {before} and {after} values of an axis of {size}")
        out.append(before + size + after)
    return [tuple(out)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x = inputs[0]
    infer(attrs, [x.shape])
    for axis, pair in enumerate(pairs_of(attrs, x.ndim)):
        if any(pair):
            x = np.take(x, _mirrored(x.shape[axis], *pair, attrs["edge"]), axis)
    return [x]


def _edge(view: View) -> int:
    mode = str(view.node.attrs["mode"])
    if mode not in _MODES:
        raise UnsupportedError(f"mirrored padding of mode {mode}", where=view.node.name)
    return _MODES[mode]


def lower(view: View) -> Lowered:
    require_moved(view)
    require_same_quant(view)
    amounts = amounts_of(view)
    if view.x.dtype != "int8" and (amounts["pad_front"] or amounts["pad_back"]):
        raise UnsupportedError(f"mirrored padding of channels of {view.x.dtype}", where=view.node.name)
    return Lowered("mirror_pad", {**amounts, "edge": _edge(view)}, activation_inputs(view))


def validate(view: View) -> None:
    """The kernel mirrors bytes: those of a wider value must stay in their order."""
    require_one_width(view)
    if width(view) > 1 and (view["pad_front"] or view["pad_back"]):
        raise ModelError(f"mirrored padding of channels of {view.x.dtype}")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Every value of a channel is one of the same channel, or of that which it mirrors."""
    x = known(view.x, inputs[0])
    at = _mirrored(len(x.low), view["pad_front"], view["pad_back"], view["edge"])
    return Interval(x.low[at], x.high[at])


def _channels(view: View) -> ChannelRule | None:
    return None if view["pad_front"] or view["pad_back"] else channelwise(view)


def _params(view: View) -> dict[str, Param]:
    h, w, c = (1, 1, 1, *view.x.shape[1:])[-3:]
    values: dict[str, Param] = dict(in_h=h, in_w=w, in_c=c * width(view))
    return {**values, **{name: view[name] for name in ATTRS}}


KERNELS = (
    Kernel(
        symbol="ek_mirror_pad_s8",
        header="ek_mirror_pad.h",
        struct="ek_mirror_pad_params",
        fields=tuple(("int32_t", name) for name in ("in_h", "in_w", "in_c", *ATTRS)),
        params=_params,
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, Shape, tuple[int, ...], int]] = [
        ("around", (1, 3, 5, 2), (1, 1, 1, 1, 0, 0), 0),
        ("around-with-edge", (1, 3, 5, 2), (1, 1, 1, 1, 0, 0), 1),
        ("most", (1, 3, 4, 3), (2, 2, 3, 3, 2, 2), 0),
        ("most-with-edge", (1, 3, 4, 3), (3, 3, 4, 4, 3, 3), 1),
        ("one-pixel-with-edge", (1, 1, 1, 3), (1, 1, 1, 0, 0, 0), 1),
        ("channels", (1, 2, 3, 4), (0, 0, 0, 0, 2, 3), 0),
        ("nothing", (1, 2, 3, 1), (0, 0, 0, 0, 0, 0), 0),
        ("sequence", (1, 5, 3), (0, 0, 2, 1, 0, 0), 0),
        ("vector", (1, 5), (0, 0, 0, 0, 1, 3), 1),
    ]
    out = []
    for name, shape, amounts, edge in shapes:
        for fill, x in fills(rng, shape):
            out.append(Case(f"{name}-{fill}", {**dict(zip(AMOUNTS, amounts, strict=True)), "edge": edge}, (x,)))
    plain = [case for case in out if not case.attrs["pad_front"] and not case.attrs["pad_back"]]
    return [*out, *int16.twins(rng, plain), *in_float(plain)]


def _axes(view: View) -> list[tuple[int, int]]:
    amounts = [int(v) for v in str(view.node.attrs["pads"]).split(",")]
    return list(zip(amounts[::2], amounts[1::2], strict=True))


def _real(view: View, operands: Sequence[Array]) -> Array:
    return np.pad(operands[0], _axes(view), "symmetric" if _edge(view) else "reflect")


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x = operands[0]
    for axis, pair in enumerate(_axes(view)):
        if any(pair):
            at = _mirrored(x.shape[axis], *pair, _edge(view))
            x = x.index_select(axis, torch.from_numpy(at).to(x.device))
    return x


def _ties(view: View) -> Sequence[Tie] | None:
    return None if any(_axes(view)[-1]) else channelwise_ties(view)


OP = Op(
    name="mirror_pad",
    code=42,
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
SOURCE = SourceOp(
    "mirror_pad",
    lower,
    FloatHalf(_real, _in_torch, _ties, shares_scale=True, scales_along=True),
    clamps=False,
)
IN_FLOAT = {"mirror_pad": lower}
