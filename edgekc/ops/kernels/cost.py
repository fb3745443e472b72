"""What a kernel is estimated to take for a layer: how often it does each of a few things, times the cycles of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...graph.op import View
from .cycles import CYCLES, TWO_ISSUE


@dataclass(frozen=True, slots=True)
class Cost:
    """`Kernel.counted_cost` of a kernel whose cycles are fitted.

    Attributes:
        symbol: the kernel's, by which `CYCLES` knows it.
        work: how often the kernel does each of the things that `CYCLES` has cycles of, from the layer's shape.
        two_issue: whether the core takes two instructions a cycle, so that `TWO_ISSUE` has them.
    """

    symbol: str
    work: Callable[[View], tuple[float, ...]]
    two_issue: bool = False

    def __call__(self, view: View) -> float:
        """Estimated cycles."""
        table = TWO_ISSUE if self.two_issue else CYCLES
        return sum(n * each for n, each in zip(self.work(view), table[self.symbol], strict=True))

    def on_two_issue(self) -> Cost:
        """On a core that takes two instructions a cycle; as it is where nothing was fitted there."""
        return replace(self, two_issue=self.symbol in TWO_ISSUE)
