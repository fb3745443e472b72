"""2-D convolution on template kernels, int8, each kernel with a pair (a, b) of its own; see `template.py`."""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from .. import conv2d
from ..kernels.template import KERNELS
from ..shared.operands import TEMPLATED
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_pairs(shapes[1:4], "ic")
    x, templates, indices = shapes[:3]
    return conv2d.infer(attrs, (x, (indices[0], templates[1], templates[2], indices[1])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As conv2d with the expanded weights: integer arithmetic makes the two the same."""
    x, templates, indices, pairs, *rest = inputs
    return conv2d.reference(attrs, (x, tp.expand(attrs["ones"], templates, indices, pairs), *rest))


OP = Op(
    name="template_conv2d",
    code=16,
    attrs=tp.ATTRS,
    operands=TEMPLATED,
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
    cases=lambda rng: tp.cases(rng, coded=False),
)
SOURCE = SourceOp("template_conv2d", tp.lower)
