"""2-D convolution on template kernels, int8, whose pairs (a, b) come from a codebook of their own; see `template.py`.

A kernel is then two indices, of a template and of a pair: 7 to 9 bits where a pair for each kernel takes 35. Pairs
are integers, shared by all output channels after dividing by the channel's scale, which is in its requantisation.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from .. import conv2d
from ..kernels.template import KERNELS
from ..shared.operands import CODED
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_coded_pairs(shapes[1:5], "ic")
    x, templates, indices = shapes[:3]
    return conv2d.infer(attrs, (x, (indices[0], templates[1], templates[2], indices[1])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As conv2d with the expanded weights: integer arithmetic makes the two the same."""
    x, templates, indices, pairs, pair_indices, *rest = inputs
    w = tp.expand(attrs["ones"], templates, indices, pairs[pair_indices])
    return conv2d.reference(attrs, (x, w, *rest))


OP = Op(
    name="template_pairs_conv2d",
    code=17,
    attrs=tp.ATTRS,
    operands=CODED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=tp.weights,
    packs="conv2d",
    macs=tp.macs,
    ranges=tp.ranges,
    channels=tp.channel_rule,
    validate=tp.validate,
    cases=lambda rng: tp.cases(rng, coded=True),
)
SOURCE = SourceOp("template_pairs_conv2d", tp.lower)
