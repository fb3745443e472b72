"""What handlers of several kinds of operators share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...builder import Value, real
from ..args import Args

Handler = Callable[[Args], Value]


def plain_constant(a: Args, value: Value) -> Any:
    """A float constant; quantised ones would lose their stated scale."""
    if value.quant is not None:
        raise a.b.unsupported("a quantised constant", "Add and Mul of quantised constants")
    return real(value)
