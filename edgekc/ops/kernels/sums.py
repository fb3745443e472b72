"""Dense convolutions on cores with Helium: scratch of ek_sums_mve.h, and weights in the order of its loop."""

from __future__ import annotations

import numpy as np

from ...graph.fixedpoint import DOUBLE
from ...graph.ir import Array
from ...graph.op import View
from ...graph.scratch import Region, Regions
from ..shared import linear as lin
from ..shared import ring
from . import decoded

SOURCES = ("ek_sums_mve",)
_CHANNELS_MOST = 2**16 - 4  # an output's place from the pixel before is a uint16


def accepts(view: View) -> bool:
    channels = view.out.shape[3]
    return 4 <= channels <= _CHANNELS_MOST and view["rounding"] == DOUBLE and lin.vector_requant(view)


def pixels(view: View) -> Regions:
    """For 1x1 convolutions."""
    channels, taps = view.out.shape[3], int(np.prod(view.weights.shape[1:]))
    one = view.multiplier.value.size == 1
    held = "int32 (channels): and as many multipliers, if the layer has one for all"
    return (
        Region("shifts", (8 if one else 4) * channels, held),
        Region("pixels", 32 * -(-taps // 16), "int8 (taps / 16, 2, 16): what two pixels see"),
    )


def regions(view: View) -> Regions:
    """For windows."""
    _, k_h, k_w, _ = view.weights.shape
    return (*pixels(view), *ring.regions(view, k_h, k_w), decoded.unrolled(view, k_h, k_w))


def interleaved(view: View) -> dict[str, Array]:
    """Of each four filters 16 taps of each, the next 16, ..., and what is left of each; then the last filters."""
    w = view.weights.value.reshape(view.out.shape[3], -1)
    fours, whole = len(w) // 4 * 4, w.shape[1] // 16 * 16
    blocks = w[:fours, :whole].reshape(fours // 4, 4, whole // 16, 16).transpose(0, 2, 1, 3).reshape(fours // 4, -1)
    rest = w[:fours, whole:].reshape(fours // 4, -1)
    four = np.concatenate([blocks, rest], axis=1)
    return {view.weights.name: np.concatenate([four.reshape(-1), w[fours:].reshape(-1)])}
