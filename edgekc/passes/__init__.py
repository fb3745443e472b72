"""Graph passes: functions from graph to graph, each lossless, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from ..ir import Graph
from . import (
    drop_identity_reshapes,
    fold_activations,
    fold_channels,
    fold_dilations,
    fold_pads,
    strip_edge_casts,
)

# A pass returns the new graph and one line for each thing it did, saying why it is exact.
Pass = Callable[[Graph], tuple[Graph, list[str]]]

QUANTIZED_PASSES: tuple[tuple[str, Pass], ...] = (
    ("strip-edge-casts", strip_edge_casts.run),
    ("fold-dilations", fold_dilations.run),
    ("fold-activations", fold_activations.run),
    ("fold-pads", fold_pads.run),
    ("drop-identity-reshapes", drop_identity_reshapes.run),
)
INTEGER_PASSES: tuple[tuple[str, Pass], ...] = (("fold-channels", fold_channels.run),)
