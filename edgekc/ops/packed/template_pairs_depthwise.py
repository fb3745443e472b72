"""Depthwise 2-D convolution on template kernels, int8, pairs (a, b) from a codebook.

`depthwise_on_templates.py` has the proofs.

A channel is then two indices, and its scale, which is in its requantisation.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from .. import depthwise
from ..shared.channels import channelwise_filters
from ..shared.operands import CODED
from . import depthwise_on_templates as td
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_coded_pairs(shapes[1:5], "1")
    x, templates, indices = shapes[:3]
    return depthwise.infer(attrs, (x, (templates[1], templates[2], indices[0])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As depthwise with the expanded weights: integer arithmetic makes the two the same."""
    x, templates, indices, pairs, pair_indices, *rest = inputs
    w = td.expand(attrs["ones"], templates, indices, pairs[pair_indices])
    return depthwise.reference(attrs, (x, w, *rest))


OP = Op(
    name="template_pairs_depthwise",
    code=20,
    attrs=td.ATTRS,
    operands=CODED,
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
    cases=lambda rng: td.cases(rng, coded=True),
)
SOURCE = SourceOp("template_pairs_depthwise", tp.lower)
