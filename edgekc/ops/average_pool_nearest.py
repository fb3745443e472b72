"""Average pooling that rounds ties to even, as PyTorch rounds levels: the definition and its C kernel.

Models that ask for the nearest levels (`anchored.NEAREST`) have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..graph.ir import Array
from ..graph.op import Case, IntAttrs, Lowered, Op, View
from . import average_pool_half_up as half_up
from .shared import pool
from .shared.checks import require_activation

ATTRS = (*pool.ATTRS, "odd")  # 1: the zero point is odd, so that even levels are odd numbers


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """The mean of the pixels inside the image to nearest, ties to an even distance from the zero point, clamped."""
    x = inputs[0]
    total = pool.windows(attrs, x, 0).sum(3)
    count = pool.windows(attrs, np.ones((1, *x.shape[1:3], 1), np.int8), 0).sum(3)
    down, left = total // count, total % count
    mean = down + (2 * left + ((down ^ attrs["odd"]) & 1) > count)
    return [np.clip(mean, attrs["act_min"], attrs["act_max"]).astype(np.int8)]


def lower(view: View) -> Lowered:
    """Of a QUANTIZED average pool of int8."""
    lowered = pool.lower(view)
    return replace(lowered, op="average_pool_nearest", attrs={**lowered.attrs, "odd": view.x.q.zero_point & 1})


def validate(view: View) -> None:
    require_activation(view)
    if view["odd"] not in (0, 1):
        raise ModelError(f"odd is {view['odd']}, expected 0 or 1")


def cases(rng: np.random.Generator) -> list[Case]:
    """Those of other average pools, of zero points of both kinds."""
    return [replace(case, attrs={**case.attrs, "odd": i % 2}) for i, case in enumerate(pool.cases(rng))] + [
        Case(
            f"ties-{odd}",
            dict.fromkeys(("stride_h", "stride_w", "filter_h", "filter_w"), 2)
            | dict(dilation_h=1, dilation_w=1, pad_top=0, pad_bottom=0, pad_left=0, pad_right=0)
            | dict(act_min=-128, act_max=127, odd=odd),
            (rng.integers(-3, 3, (1, 8, 8, 9)).astype(np.int8),),
        )
        for odd in (0, 1)
    ]


OP: Op = replace(
    half_up.OP,
    name="average_pool_nearest",
    code=119,
    attrs=ATTRS,
    reference=reference,
    kernels=(
        replace(
            half_up.KERNEL,
            symbol="ek_average_pool_nearest_s8",
            header="ek_pool_nearest.h",
            struct="ek_pool_nearest_params",
            fields=(*pool.FIELDS, ("uint8_t", "odd")),
            params=lambda view: {**half_up.KERNEL.params(view), "odd": view["odd"]},
        ),
    ),
    validate=validate,
    cases=cases,
)
