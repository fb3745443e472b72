"""2-D convolution in groups on template kernels, int8, whose pairs (a, b) are a codebook.

`grouped_on_templates.py` has the proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from ..shared.operands import CODED
from . import grouped_on_templates as tg
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_coded_pairs(shapes[1:5], "ic")
    return tg.infer(attrs, shapes)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, templates, indices, pairs, pair_indices, *rest = inputs
    return [tg.reference(attrs, x, templates, indices, pairs[pair_indices], rest)]


OP = Op(
    name="template_pairs_grouped_conv2d",
    code=24,
    attrs=tp.ATTRS,
    operands=CODED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=tg.KERNELS,
    weights=tp.weights,
    packs="grouped_conv2d",
    macs=tp.macs,
    ranges=tg.ranges,
    validate=tp.validate,
    cases=lambda rng: tg.cases(rng, coded=True),
)
SOURCE = SourceOp("template_pairs_grouped_conv2d", tp.lower)
