"""What handlers of several kinds of operators share."""

from __future__ import annotations

from collections.abc import Callable

from ...value import Value
from ..args import Args

Handler = Callable[[Args], Value | list[Value]]  # several: of an operator with several outputs
