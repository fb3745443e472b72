"""Ties of operators that share them: which output channels stand or fall with which channels of an activation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...graph.op import View
from ...graph.source import Tie
from .checks import channels_of


def new_channels(view: View) -> Sequence[Tie] | None:
    """Of a layer whose filters read every input channel: its output channels are new."""
    return [] if view.weights.shape[-1] == channels_of(view.x) else None


def channelwise(view: View) -> Sequence[Tie] | None:
    """Channel c to channel c."""
    activations = [t for t in view.inputs if t.data is None]
    if not activations[0].shape:
        return None
    each = np.arange(channels_of(view.out))
    # An operand with one channel is spread over all: it has no channel of its own to lose.
    return [(t, each, each) for t in activations if channels_of(t) == len(each)]


def repeated(view: View) -> Sequence[Tie] | None:
    """Of a depthwise layer: an input channel to all outputs that are made of it."""
    each = np.arange(channels_of(view.out))
    return [(view.x, each // (len(each) // channels_of(view.x)), each)]


def flattened(view: View) -> Sequence[Tie] | None:
    """Of the same elements under another shape: a channel to all its positions."""
    inside, outside = channels_of(view.x), channels_of(view.out)
    wide = np.arange(max(inside, outside))
    if len(wide) % outside or len(wide) % inside:
        return None
    return [(view.x, wide % inside, wide % outside)]
