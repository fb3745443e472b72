"""Depthwise 2-D convolution on template kernels, int8, each with its own pair (a, b).

`depthwise_on_templates.py` has the proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from .. import depthwise
from ..shared.channels import channelwise_filters
from ..shared.operands import TEMPLATED
from . import depthwise_on_templates as td
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_pairs(shapes[1:4], "1")
    x, templates, indices = shapes[:3]
    return depthwise.infer(attrs, (x, (templates[1], templates[2], indices[0])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As depthwise with the expanded weights: integer arithmetic makes the two the same."""
    x, templates, indices, pairs, *rest = inputs
    return depthwise.reference(attrs, (x, td.expand(attrs["ones"], templates, indices, pairs), *rest))


OP = Op(
    name="template_depthwise",
    code=19,
    attrs=td.ATTRS,
    operands=TEMPLATED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=td.KERNELS,
    weights=td.weights,
    packs="depthwise",
    macs=tp.macs,
    ranges=td.ranges,
    channels=channelwise_filters,
    validate=tp.validate,
    cases=lambda rng: td.cases(rng, coded=False),
)
SOURCE = SourceOp("template_depthwise", tp.lower)
