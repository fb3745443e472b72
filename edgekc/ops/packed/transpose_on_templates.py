"""What transposed convolutions on template kernels share: a kernel (o, i) is a * template[index] + b * ones.

The integers, their proofs and their packed form are those of template convolutions (`template.py`). An output pixel
reads a part of a kernel's taps, so responses would be those of parts of templates; a filter's weights are decoded
instead, once for all pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.ir import Array
from ...graph.op import Case, ChannelRule, IntAttrs, Interval, Kernel, Lowered, Param, Shape, View
from .. import transpose_conv
from ..shared import transposed
from . import depthwise_on_templates as td
from . import template as tp

ATTRS = (*transpose_conv.ATTRS, "ones")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    """Of x, templates and indices, whose shapes fit each other."""
    x, templates, indices = shapes[:3]
    return transposed.infer(attrs, (x, (indices[0], templates[1], templates[2], indices[1])))


def reference(
    attrs: IntAttrs, x: Array, templates: Array, indices: Array, pairs: Array, rest: Sequence[Array]
) -> list[Array]:
    """As transpose_conv with the expanded weights; pairs of each kernel."""
    return transpose_conv.reference(attrs, (x, tp.expand(attrs["ones"], templates, indices, pairs), *rest))


def lower(view: View) -> Lowered:
    lowered = tp.lower(transpose_conv.plain(view))
    return transpose_conv.lowered_as(view, view.node.op, lowered, more=("ones",))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return transpose_conv.ranges(tp.dense(view), inputs)


def _weights(view: View) -> Shape:
    """(oc, kh, kw, ic)."""
    (_, k_h, k_w), (oc, ic) = view.templates.shape, view.indices.shape
    return oc, k_h, k_w, ic


def channel_rule(view: View) -> ChannelRule:
    return tp.channel_rule(view, always_padded=True)


def macs(view: View) -> int:
    return transposed.macs(view, _weights(view))


def _params(view: View) -> dict[str, Param]:
    return {**td.code_params(view), **transposed.window_params(view, view.templates.shape[1:])}


KERNELS = (
    Kernel(
        symbol="ek_template_transpose_conv_s8",
        header="ek_template.h",
        struct="ek_template_transpose_conv_params",
        fields=td.FIELDS,
        params=_params,
        scratch=lambda view: transposed.decoded_regions(_weights(view)[1:]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator, coded: bool) -> list[Case]:
    """Those of dense layers on templates, with a pair for each kernel or with coded pairs."""
    out = []
    for i, case in enumerate(transpose_conv.cases(rng)):
        oc, k_h, k_w, ic = case.inputs[1].shape
        count, pair_count = (1, 2, 5, 16, 256)[i % 5], (1, 3, 8, 33, 256)[i // 5 % 5]
        operands = tp.with_templates(rng, case, (count, k_h, k_w), (oc, ic), pair_count if coded else 0)
        out.append(Case(case.name, {**case.attrs, "ones": tp.response_limit(k_h * k_w)}, operands))
    return out
