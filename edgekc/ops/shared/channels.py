"""Taking channels out of operators whose output channel c depends on channel c of their inputs only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph.fixedpoint import INT32_MAX
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import ChannelRule, Interval, View


def keep_channels(tensor: Tensor, keep: Array) -> Tensor:
    """A constant without the dropped channels of its last axis; one value for all channels stays as it is."""
    if not tensor.shape or tensor.shape[-1] != keep.size:
        return tensor
    return constant(tensor.name, np.compress(keep, tensor.value, axis=-1), tensor.role, tensor.quant)


def taken_over(view: View, values: Array, keep_out: Array, channel_axis: int) -> Array:
    """bool (ic,): input channels of one value each, (ic,), whose products the biases of the kept filters take over.

    Accumulators of int16 may leave 32 bits, and so may such a bias: then only channels of 0 go. What those of int8 take
    over is proved to fit.
    """
    moved = np.flatnonzero(values)
    if view.x.dtype == "int8" or not moved.size:
        return np.ones(values.shape, bool)
    w, bias = (np.abs(t.value[keep_out].astype(np.int64)) for t in (view.weights, view.bias))
    parts = np.moveaxis(w, channel_axis, -1)[..., moved] @ np.abs(values[moved])
    fits = np.all(bias + parts.reshape(parts.shape[0], -1).sum(1) <= INT32_MAX)
    return np.asarray((values == 0) | fits)


def _needs(view: View, keep_out: Array, known: Sequence[Interval | None]) -> list[Array]:
    return [keep_out for t in view.inputs if t.data is None]


def _slice(view: View, keep_in: Sequence[Array], keep_out: Array, known: Sequence[Interval | None]) -> list[Tensor]:
    return [keep_channels(t, keep_out) for t in view.inputs if t.data is not None]


CHANNELWISE = ChannelRule(_needs, _slice, same=True)
# For constants that serve all channels alike, whatever their length.
_SHARED = replace(
    CHANNELWISE, slice=lambda view, keep_in, keep_out, known: [t for t in view.inputs if t.data is not None]
)


def channelwise(view: View) -> ChannelRule | None:
    """The rule of operators whose constants have channels last; None where an operand is spread over channels."""
    alike = all(t.shape[-1:] == view.out.shape[-1:] for t in view.inputs if t.data is None)
    return CHANNELWISE if alike else None


def channelwise_shared(view: View) -> ChannelRule | None:
    """As `channelwise`, for operators whose constants do not belong to channels, such as a look-up table."""
    return _SHARED if channelwise(view) is not None else None


def channelwise_filters(view: View) -> ChannelRule | None:
    """As `channelwise`, for depthwise weights with a filter on their first axis, dense or packed; codebooks stay."""

    def slice_(view: View, keep_in: Sequence[Array], keep_out: Array, known: Sequence[Interval | None]) -> list[Tensor]:
        def kept(t: Tensor) -> Tensor:
            filters = t.role in (Role.WEIGHTS, Role.INDEX)
            if filters or (t.role is Role.PAIRS and t.value.ndim == 3):  # pairs (P, 2) are a codebook
                return constant(t.name, t.value[keep_out], t.role)
            return t if t.role in (Role.CODEBOOK, Role.CENTERS, Role.PAIRS) else keep_channels(t, keep_out)

        return [kept(t) for t in view.inputs[1:]]

    return replace(CHANNELWISE, slice=slice_) if channelwise(view) is not None else None
