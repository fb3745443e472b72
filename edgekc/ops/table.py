"""A table of 256 bytes in a QUANTIZED graph: what a pass makes of operators that together map one byte to one byte."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..graph.op import Lowered, View
from ..graph.source import SourceOp
from . import lut
from .shared.operands import TABLE, X


def lower(view: View) -> Lowered:
    return lut.lowered(replace(view, inputs=(view.x,)), view.operand("table").value.astype(np.int64))


SOURCE = SourceOp("table", lower, becomes="lut", operands=(X, TABLE))
