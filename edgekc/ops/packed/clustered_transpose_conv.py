"""Transposed 2-D convolution with clustered weights, int8 activations: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Shape, View
from ...graph.source import SourceOp
from .. import transpose_conv
from ..shared import linear as lin
from ..shared import transposed
from ..shared.operands import CLUSTERED
from ..shared.testing import clustered_cases, unused_centers
from . import clustered as cl
from . import clustered_conv2d


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return transposed.infer(attrs, (shapes[0], shapes[1]))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As transpose_conv with w = center[index]."""
    x, indices, centers, *rest = inputs
    return transpose_conv.reference(attrs, (x, cl.expand(indices, centers), *rest))


def lower(view: View) -> Lowered:
    lowered = clustered_conv2d.lower(transpose_conv.plain(view))
    return transpose_conv.lowered_as(view, "clustered_transpose_conv", lowered)


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return transpose_conv.ranges(cl.dense(view), inputs)


KERNELS = (
    Kernel(
        symbol="ek_clustered_transpose_conv_s8",
        header="ek_clustered.h",
        struct="ek_clustered_transpose_conv_params",
        fields=(*cl.FIELDS, lin.WINDOW_FIELD, ("int8_t", "pad_value"), *cl.CODE_FIELDS),
        params=lambda view: {
            **transposed.window_params(view, view.indices.shape[1:3]),
            **cl.params(view),
            "pad_value": view["pad_value"],
        },
        scratch=lambda view: transposed.decoded_regions(view.indices.shape[1:]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = [clustered_cases(rng, case, bits=1 + i % 8) for i, case in enumerate(transpose_conv.cases(rng))]
    return out + unused_centers(rng, out[:2])


OP = Op(
    name="clustered_transpose_conv",
    code=26,
    attrs=transpose_conv.ATTRS,
    operands=CLUSTERED,
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    weights=cl.weights,
    packs="transpose_conv",
    macs=lambda view: transposed.macs(view, view.indices.shape),
    ranges=ranges,
    channels=lambda view: cl.channel_rule(3, always_padded=True),
    validate=cl.validate,
    cases=cases,
)
SOURCE = SourceOp("clustered_transpose_conv", lower)
