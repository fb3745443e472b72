"""A graph to a graph that computes the same: one lossless pass a file, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from ..graph.ir import Graph
from ..progress import Log
from . import (
    drop_identity_reshapes,
    fold_activations,
    fold_channels,
    fold_dilations,
    fold_pads,
    fuse_moves,
    fuse_tables,
    share_codebooks,
    split_concats,
    strip_edge_casts,
    tabulate_floats,
    tabulate_functions,
)

# A pass returns the new graph and one line for each thing it did, saying why it is exact.
Pass = Callable[[Graph], tuple[Graph, list[str]]]

QUANTIZED_PASSES: tuple[tuple[str, Pass], ...] = (
    ("tabulate-floats", tabulate_floats.run),
    ("strip-edge-casts", strip_edge_casts.run),
    ("fold-dilations", fold_dilations.run),
    ("fold-activations", fold_activations.run),
    ("fold-pads", fold_pads.run),
    ("drop-identity-reshapes", drop_identity_reshapes.run),
)
INTEGER_PASSES: tuple[tuple[str, Pass], ...] = (
    ("tabulate-functions", tabulate_functions.run),
    ("fuse-tables", fuse_tables.run),
    ("fuse-moves", fuse_moves.run),
    ("fold-channels", fold_channels.run),
    ("share-codebooks", share_codebooks.run),
    ("split-concats", split_concats.run),
)


def apply(graph: Graph, passes: tuple[tuple[str, Pass], ...], log: Log) -> Graph:
    """The graph behind all of these passes; each note goes to `log`, behind its pass's name."""
    for name, run in passes:
        graph, notes = run(graph)
        for note in notes:
            log(f"{name}: {note}")
    return graph
