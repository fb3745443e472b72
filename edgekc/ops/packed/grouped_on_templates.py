"""What convolutions in groups on template kernels share: those of a dense one, with ic / groups kernels a filter.

The integers, their proofs and their packed form are those of template convolutions (`template.py`): indices are
(oc, ic / groups) and pairs (oc, ic / groups, 2). A group's responses would be shared by its few filters only, so a
filter's weights are decoded instead, once for a row of pixels, as those of depthwise layers are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Interval, Kernel, Param, Shape, View
from .. import grouped_conv2d
from ..shared import ring
from ..shared.grouped import groups_of
from . import depthwise_on_templates as td
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    """Of x, templates and indices, whose shapes fit each other."""
    x, templates, indices = shapes[:3]
    return grouped_conv2d.infer(attrs, (x, (indices[0], templates[1], templates[2], indices[1])))


def reference(
    attrs: IntAttrs, x: Array, templates: Array, indices: Array, pairs: Array, rest: Sequence[Array]
) -> Array:
    """As grouped_conv2d with the expanded weights: integer arithmetic makes the two the same; pairs of each kernel."""
    w = tp.expand(attrs["ones"], templates, indices, pairs)
    return grouped_conv2d.reference(attrs, (x, w, *rest))[0]


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return grouped_conv2d.ranges(tp.dense(view), inputs)


def _weights(view: View) -> Shape:
    """(oc, kh, kw, ic / groups)."""
    (_, k_h, k_w), (oc, reads) = view.templates.shape, view.indices.shape
    return oc, k_h, k_w, reads


def _params(view: View) -> dict[str, Param]:
    return {**td.params(view), "groups": groups_of(view.x.shape, _weights(view))}


KERNELS = (
    Kernel(
        symbol="ek_template_grouped_conv2d_s8",
        header="ek_template.h",
        struct="ek_template_grouped_conv2d_params",
        fields=(*td.FIELDS, ("uint16_t", "groups")),
        params=_params,
        scratch=lambda view: grouped_conv2d.decoded_regions(view, _weights(view)[1:]),
        in_place=lambda view: ring.in_place(view, view.templates.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator, coded: bool) -> list[Case]:
    """Those of dense layers in groups on templates, with a pair for each kernel or with coded pairs."""
    out = []
    for i, case in enumerate(grouped_conv2d.cases(rng)):
        oc, k_h, k_w, reads = case.inputs[1].shape
        count, pair_count = (1, 2, 5, 16, 256)[i % 5], (1, 3, 8, 33, 256)[i // 5 % 5]
        operands = tp.with_templates(rng, case, (count, k_h, k_w), (oc, reads), pair_count if coded else 0)
        out.append(Case(case.name, {**case.attrs, "ones": tp.response_limit(k_h * k_w)}, operands))
    return out
