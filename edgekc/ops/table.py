"""A table in a QUANTIZED graph: what operators are together that map one value to one value.

It has 256 bytes for an input of int8, and 513 numbers of int16 for one of int16.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.op import Lowered, View
from ..graph.source import SourceOp
from . import lut, lut_s16
from .shared import int16
from .shared.operands import TABLE, X


def lower(view: View) -> Lowered:
    if int16.is_wide(view):
        return lut_s16.lower(view)
    return lut.lowered(replace(view, inputs=(view.x,)), view.operand("table").value.astype(np.int64))


SOURCE = SourceOp("table", lower, becomes="lut", operands=(X, TABLE))
