"""Vectors of length one as TensorFlow Lite has them in uint8: the definition; `l2_normalize.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph.fixedpoint import DOUBLE, clamp_int8, requantize
from ..graph.ir import Array
from ..graph.op import IntAttrs
from . import l2_normalize


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As l2_normalize, but that the factor 128 is in front of both roundings, not between them."""
    x = inputs[0].astype(np.int64) - attrs["in_zero"]
    multiplier, shift = l2_normalize.inverse_root((x * x).sum(-1, keepdims=True))
    return [clamp_int8(requantize(128 * x, multiplier, shift, DOUBLE), 0, -128, 127)]


OP = replace(l2_normalize.OP, name=l2_normalize.UNSIGNED, code=72, reference=reference)
