"""What a kernel is estimated to take for a layer: how often it does each of a few things, times the cycles of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...graph.op import View
from .cycles import CYCLES


@dataclass(frozen=True, slots=True)
class Cost:
    """`Kernel.counted_cost` of a kernel whose cycles are fitted.

    Attributes:
        symbol: the kernel's, by which `CYCLES` knows it.
        work: how often the kernel does each of the things that `CYCLES` has cycles of, from the layer's shape.
    """

    symbol: str
    work: Callable[[View], tuple[float, ...]]

    def __call__(self, view: View) -> float:
        """Estimated cycles."""
        return sum(n * each for n, each in zip(self.work(view), CYCLES[self.symbol], strict=True))
