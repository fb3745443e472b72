"""2-D convolution in groups on template kernels, int8, each with its own pair (a, b).

`grouped_on_templates.py` has the proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Rows, Shape
from ...graph.source import SourceOp
from ..shared.operands import TEMPLATED
from . import grouped_on_templates as tg
from . import template as tp


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_pairs(shapes[1:4], "ic")
    return tg.infer(attrs, shapes)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, templates, indices, pairs, *rest = inputs
    return [tg.reference(attrs, x, templates, indices, pairs, rest)]


OP = Op(
    name="template_grouped_conv2d",
    code=23,
    attrs=tp.ATTRS,
    operands=TEMPLATED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=tg.KERNELS,
    weights=tp.weights,
    packs="grouped_conv2d",
    macs=tp.macs,
    ranges=tg.ranges,
    validate=tp.validate,
    cases=lambda rng: tg.cases(rng, coded=False),
)
SOURCE = SourceOp("template_grouped_conv2d", tp.lower)
