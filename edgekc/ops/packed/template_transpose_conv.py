"""Transposed 2-D convolution on template kernels, int8, each with its own pair (a, b).

`transpose_on_templates.py` has the proofs.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.ir import Array
from ...graph.op import IntAttrs, Op, Shape
from ...graph.source import SourceOp
from ..shared.operands import TEMPLATED
from . import template as tp
from . import transpose_on_templates as tt


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    tp.check_pairs(shapes[1:4], "ic")
    return tt.infer(attrs, shapes)


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, templates, indices, pairs, *rest = inputs
    return tt.reference(attrs, x, templates, indices, pairs, rest)


OP = Op(
    name="template_transpose_conv",
    code=27,
    attrs=tt.ATTRS,
    operands=TEMPLATED,
    infer=infer,
    reference=reference,
    kernels=tt.KERNELS,
    weights=tp.weights,
    packs="transpose_conv",
    macs=tt.macs,
    ranges=tt.ranges,
    channels=tt.channel_rule,
    validate=tp.validate,
    cases=lambda rng: tt.cases(rng, coded=False),
)
SOURCE = SourceOp("template_transpose_conv", tt.lower)
