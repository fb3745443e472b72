"""The place of the smallest value along an axis, int8 to int32: as that of the largest one, with its kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.ir import Array
from ..graph.op import IntAttrs, Op
from ..graph.source import SourceOp
from . import arg_max
from .shared.operands import X


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].argmin(attrs["axis"]).astype(np.int32)]


OP = Op(
    name="arg_min",
    code=57,
    attrs=arg_max.ATTRS,
    operands=(X,),
    infer=arg_max.infer,
    reference=reference,
    kernels=(arg_max.kernel(-1),),
    cases=arg_max.cases,
)
SOURCE = SourceOp("arg_min", arg_max.lower, arg_max.in_floats("argmin"), clamps=False, makes_probabilities=True)
