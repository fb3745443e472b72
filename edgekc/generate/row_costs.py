"""What layers cost more where they run by rows: estimated cycles on a Cortex-M4, to compare plans with each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..ops import OPS
from .choice import more_cost
from .row_groups import RowGroup
from .rows import RowLayer, sliced

# Fitted to estimates of ResNet-8 and MobileNets on the emulator.
CALL = 260.0  # to find out which layer is next
MOVED_BYTE = 0.75
SET_UP, FILTER = 170.0, 14.5  # of a convolution's call, and for each of its filters
CHANNEL = 120.0  # for each channel of a depthwise layer's call
READ_BYTE, SPREAD_BYTE = 1.0, 8.0  # input that is read again: of a convolution, of a depthwise layer
MAC = 1.6  # for a pixel that a call computes for nobody
PIXELS = 4  # that convolutions compute together


def group_cost(group: RowGroup) -> float:
    """Cycles beyond those of the same layers one after the other."""
    return CALL * group.calls + MOVED_BYTE * group.moved_bytes + sum(layer_cost(layer) for layer in group.layers)


@lru_cache(maxsize=4096)
def layer_cost(layer: RowLayer) -> float:
    """Of a layer's calls, beyond those of one call for all of it, but for what is between them."""
    whole = layer.whole
    if layer.kernel.counted_cost is not None and layer.usual.counted_cost is not None:
        return _counted(layer) - layer.usual.counted_cost(whole)
    return more_cost(whole, layer.kernel, layer.usual) + _uncounted(layer)


def _uncounted(layer: RowLayer) -> float:
    whole, calls = layer.whole, layer.calls
    more = len(calls) - 1
    window = layer.kernel.params(layer.view).get("window")
    if not isinstance(window, Mapping) or layer.kernel.scratch is None:
        return more * SET_UP
    _, in_h, in_w, in_c = whole.x.shape
    _, out_h, out_w, out_c = whole.out.shape
    again = max(sum(c.end - c.begin for c in calls) - in_h, 0) * in_w * in_c
    pixel = OPS[whole.node.op].macs(whole) // (out_h * out_w)
    if pixel == out_c * int(window["k_h"]) * int(window["k_w"]) and in_c > 1:  # each output reads one channel
        return more * (SET_UP + CHANNEL * out_c) + SPREAD_BYTE * again
    unused = sum(-c.count * out_w % PIXELS for c in calls) - (-out_h * out_w % PIXELS)
    return more * (SET_UP + FILTER * out_c) + READ_BYTE * again + max(unused, 0) * pixel * MAC


def _counted(layer: RowLayer) -> float:
    kinds: dict[tuple[int, int], float] = {}
    assert layer.kernel.counted_cost is not None
    for call in layer.calls:
        key = call.count, call.end - call.begin
        if key not in kinds:
            kinds[key] = layer.kernel.counted_cost(sliced(layer.whole, layer.window, call))
    return sum(kinds[c.count, c.end - c.begin] for c in layer.calls)
