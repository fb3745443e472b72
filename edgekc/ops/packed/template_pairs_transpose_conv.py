"""Transposed 2-D convolution on template kernels, int8, whose pairs (a, b) are a codebook.

`transpose_on_templates.py` has the proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Shape
from ...graph.source import SourceOp
from ..shared.operands import CODED
from . import template as tp
from . import transpose_on_templates as tt


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_coded_pairs(shapes[1:5], "ic")
    return tt.infer(attrs, shapes)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, templates, indices, pairs, pair_indices, *rest = inputs
    return tt.reference(attrs, x, templates, indices, pairs[pair_indices], rest)


OP = Op(
    name="template_pairs_transpose_conv",
    code=28,
    attrs=tt.ATTRS,
    operands=CODED,
    infer=infer,
    reference=reference,
    kernels=tt.KERNELS,
    weights=tp.weights,
    packs="transpose_conv",
    macs=tt.macs,
    ranges=tt.ranges,
    channels=tt.channel_rule,
    validate=tp.validate,
    cases=lambda rng: tt.cases(rng, coded=True),
)
SOURCE = SourceOp("template_pairs_transpose_conv", tt.lower)
