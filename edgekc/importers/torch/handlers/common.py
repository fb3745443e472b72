"""What handlers of several kinds of operators share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...value import Value
from ..call import Call

Handler = Callable[[Call], Any]


def same(c: Call) -> Value:
    return c.value("self" if "self" in c.args else "input")
