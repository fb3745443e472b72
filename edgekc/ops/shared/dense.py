"""What fully connected layers have in common, whatever their types and however their weights are stored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import ModelError
from ...graph.op import IntAttrs, Shape, View


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    """Of inputs x (..., ic) and weights (oc, ic)."""
    x, w = shapes[0], shapes[1]
    if len(w) != 2 or not x or x[-1] != w[1]:
        raise ModelError(f"weights {list(w)} do not match an input of shape {list(x)}")
    return [(*x[:-1], w[0])]


def rows(view: View) -> int:
    """How many vectors meet the weights."""
    return math.prod(view.x.shape[:-1])
