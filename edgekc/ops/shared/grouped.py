"""The groups of a convolution, which follow from the shapes."""

from __future__ import annotations

from ...errors import ModelError
from ...graph.op import Shape


def groups_of(x: Shape, w: Shape) -> int:
    """The groups of weights (oc, kh, kw, ic / groups) on x (n, h, w, ic); ModelError where they do not fit."""
    if len(w) != 4 or len(x) != 4 or min(w) < 1 or x[3] % w[3] or w[0] % (x[3] // w[3]):
        raise ModelError(f"weights {list(w)} are not those of a grouped convolution of an input {list(x)}")
    return x[3] // w[3]
