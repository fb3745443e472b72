"""Average and max pooling of int16: the definition, its lowering and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, View
from .shared import int16, pool
from .shared import linear as lin
from .shared.channels import channelwise
from .shared.checks import activation_inputs, known, require_same_quant
from .shared.operands import X

ATTRS = (*lin.WINDOW, "filter_h", "filter_w", "average", *int16.CLAMP)  # average: 0 for the maximum
MOST_TAPS = 2**16 - 2  # of which a sum, and half their number, fit 32 bits


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The mean, or the largest, of the pixels inside the image, clamped."""
    x = inputs[0]
    if attrs["average"]:
        total = pool.windows(attrs, x, 0).sum(3)
        count = pool.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.int8), 0).sum(3)
        y = pool.divide_rounded(total, count)
    else:
        y = pool.windows(attrs, x, int16.LOW).max(3)
    return [np.clip(y, attrs["clamp_min"], attrs["clamp_max"]).astype(np.int16)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED pool whose input is int16."""
    int16.require_wide(view)
    require_same_quant(view)
    if view["dilation_h"] != 1 or view["dilation_w"] != 1:
        raise UnsupportedError("dilated pooling", where=view.node.name)
    low, high = lin.activation_range(view)
    attrs = {name: view[name] for name in (*lin.WINDOW, "filter_h", "filter_w")}
    attrs.update(average=int(view.node.op == "average_pool"), clamp_min=low, clamp_max=high)
    return Lowered("pool_s16", attrs, activation_inputs(view))


def validate(view: View) -> None:
    int16.require_types(view)
    int16.require_clamp(view)
    taps = view["filter_h"] * view["filter_w"]
    if view["average"] not in (0, 1) or taps > MOST_TAPS or view["dilation_h"] != 1 or view["dilation_w"] != 1:
        raise ModelError(f"pooling of {taps} pixels with average {view['average']}, or dilated")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """Neither an average nor a maximum leaves the range of its inputs; both skip the padding."""
    x = known(view.x, inputs[0])
    return Interval(*(np.clip(end, view["clamp_min"], view["clamp_max"]) for end in (x.low, x.high)))


def _params(view: View) -> dict[str, Param]:
    window = lin.window_params(view, view["filter_h"], view["filter_w"])
    return {**window, **{name: view[name] for name in (*int16.CLAMP, "average")}}


def _kernel(symbol: str, needs: frozenset[str] = frozenset(), least: int = 1) -> Kernel:
    """For `least` channels or more. All read a channel's window before they write the channel's output."""
    return Kernel(
        symbol=symbol,
        header="ek_pool_s16.h",
        struct="ek_pool_s16_params",
        fields=(lin.WINDOW_FIELD, *(("int16_t", name) for name in int16.CLAMP), ("uint8_t", "average")),
        params=_params,
        needs=needs,
        accepts=lambda view: view.x.shape[3] >= least,
        in_place=pool.in_place,
    )


def cases(rng: np.random.Generator) -> list[Case]:
    """Those of int8, for the average and for the maximum."""
    out = []
    for case in pool.cases(rng):
        attrs = {name: case.attrs[name] for name in ATTRS if name in case.attrs}
        clamp = dict(clamp_min=-9000, clamp_max=8000) if case.name.endswith("limited") else int16.FULL
        for average in (0, 1):
            values = int16.widened(case.inputs[0], rng)
            out.append(replace(case, attrs={**attrs, **clamp, "average": average}, inputs=(values,)))
            out[-1] = replace(out[-1], name=f"{case.name}-{('max', 'average')[average]}")
    return out


OP = Op(
    name="pool_s16",
    code=82,
    attrs=ATTRS,
    operands=(X,),
    infer=pool.infer,
    reference=reference,
    kernels=(
        _kernel("ek_pool_s16_mve", frozenset({"mve"}), least=4),
        _kernel("ek_pool_s16_dsp", frozenset({"dsp"}), least=2),
        _kernel("ek_pool_s16"),
    ),
    macs=pool.macs,
    ranges=ranges,
    validate=validate,
    wide=True,
    channels=channelwise,
    cases=cases,
)
