"""Compression methods, one file each: codebook, cluster, second_order, lowrank, dominant, prune, gap; moments.

`edgekc.compress` is this package, and the function of the Python interface too: called, it is `api.packed.compress`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """A module that can be called, since importing any file in it puts it in the place of a function of its name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from ..api.packed import compress

        return compress(*arguments, **options)

    @property
    def __wrapped__(self) -> Any:
        """What `help` and `inspect.signature` show."""
        from ..api.packed import compress

        return compress


sys.modules[__name__].__class__ = _Callable
