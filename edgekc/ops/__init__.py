"""The operators, one file each; this list is the registry."""

from __future__ import annotations

from collections.abc import Callable

from ..graph.op import OPERANDS, Lowered, Op, View
from . import (
    add,
    average_pool,
    concat,
    conv2d,
    depthwise,
    fully_connected,
    grouped_conv2d,
    lut,
    max_pool,
    mean,
    mul,
    pad,
    reshape,
    softmax,
)
from .packed import (
    clustered_conv2d,
    clustered_depthwise,
    clustered_fully_connected,
    clustered_grouped_conv2d,
    template_conv2d,
    template_depthwise,
    template_grouped_conv2d,
    template_pairs_conv2d,
    template_pairs_depthwise,
    template_pairs_grouped_conv2d,
)

MODULES = (
    *(conv2d, depthwise, fully_connected, add, mul, average_pool, max_pool),
    *(mean, reshape, softmax, pad, lut, concat),
    *(clustered_conv2d, clustered_fully_connected, template_conv2d, template_pairs_conv2d),
    *(clustered_depthwise, template_depthwise, template_pairs_depthwise),
    *(grouped_conv2d, clustered_grouped_conv2d, template_grouped_conv2d, template_pairs_grouped_conv2d),
)
OPS: dict[str, Op] = {module.OP.name: module.OP for module in MODULES}
BY_CODE: dict[int, Op] = {op.code: op for op in OPS.values()}
OPERANDS.update({op.name: op.operands for op in OPS.values()})
LOWER: dict[str, Callable[[View], Lowered]] = {name: fn for op in OPS.values() for name, fn in op.lowers.items()}
