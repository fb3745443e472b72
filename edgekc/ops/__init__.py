"""The operators, one file each; this list is the registry."""

from __future__ import annotations

from collections.abc import Callable

from ..op import Lowered, Op, View
from . import conv2d, depthwise, fully_connected

OPS: dict[str, Op] = {module.OP.name: module.OP for module in (conv2d, depthwise, fully_connected)}
BY_CODE: dict[int, Op] = {op.code: op for op in OPS.values()}
LOWER: dict[str, Callable[[View], Lowered]] = {name: fn for op in OPS.values() for name, fn in op.lowers.items()}
