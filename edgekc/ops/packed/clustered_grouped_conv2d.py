"""2-D convolution in groups with clustered weights, int8 activations: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Rows, Shape, View
from ...graph.source import SourceOp
from .. import conv2d, grouped_conv2d
from ..shared import linear as lin
from ..shared import ring
from ..shared.grouped import groups_of
from ..shared.operands import CLUSTERED
from ..shared.testing import clustered_cases, unused_centers
from . import clustered as cl
from . import clustered_conv2d


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return grouped_conv2d.infer(attrs, (shapes[0], shapes[1]))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As grouped_conv2d with w = center[index]."""
    x, indices, centers, *rest = inputs
    return grouped_conv2d.reference(attrs, (x, cl.expand(indices, centers), *rest))


def lower(view: View) -> Lowered:
    return replace(clustered_conv2d.lower(view), op="clustered_grouped_conv2d")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return grouped_conv2d.ranges(cl.dense(view), inputs)


def _params(view: View) -> dict[str, Param]:
    indices = view.indices.shape
    values = {**lin.window_params(view, *indices[1:3]), **cl.params(view), "pad_value": view["pad_value"]}
    return {**values, "groups": groups_of(view.x.shape, indices)}


KERNELS = (
    Kernel(
        symbol="ek_clustered_grouped_conv2d_s8",
        header="ek_clustered.h",
        struct="ek_clustered_grouped_conv2d_params",
        fields=(
            *cl.FIELDS,
            lin.WINDOW_FIELD,
            ("int8_t", "pad_value"),
            *cl.CODE_FIELDS,
            ("uint16_t", "groups"),
        ),
        params=_params,
        scratch=lambda view: grouped_conv2d.decoded_regions(view, view.indices.shape[1:]),
        in_place=lambda view: ring.in_place(view, view.indices.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = [clustered_cases(rng, case, bits=1 + i % 8) for i, case in enumerate(grouped_conv2d.cases(rng))]
    return out + unused_centers(rng, out[:2])


OP = Op(
    name="clustered_grouped_conv2d",
    code=22,
    attrs=conv2d.ATTRS,
    operands=CLUSTERED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=cl.weights,
    packs="grouped_conv2d",
    macs=cl.macs,
    ranges=ranges,
    validate=cl.validate,
    cases=cases,
)
SOURCE = SourceOp("clustered_grouped_conv2d", lower)
