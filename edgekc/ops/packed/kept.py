"""Weights that take long to expand, kept for the next ones that ask for the same layer's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from ...graph.ir import Tensor

_MOST = 32


class Kept:
    """The last few tensors that were made, by what they were made of: by which tensors, not by what these hold."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[Hashable, ...], tuple[tuple[object, ...], Tensor]] = OrderedDict()

    def __call__(self, make: Callable[[], Tensor], *of: Tensor | Hashable) -> Tensor:
        """What `make` returns, or returned for the same `of`."""
        # They are kept too, so that nothing else gets their places in memory.
        key = tuple(id(part) if isinstance(part, Tensor) else part for part in of)
        if key not in self._made:
            self._made[key] = of, make()
            if len(self._made) > _MOST:
                self._made.popitem(last=False)
        return self._made[key][1]
