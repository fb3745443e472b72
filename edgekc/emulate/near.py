"""What is computed in float against LiteRT, whose functions come from its machine's C library: near, not equal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from ..errors import VerifyError
from ..graph.ir import Array, Graph, Node
from ..ops import source_of
from ..passes.tabulate_floats import inside

TOLERANCE = 1e-5  # of the largest value of an output, or of 1 where that is less


def inexact(graph: Graph) -> tuple[frozenset[str], frozenset[str]]:
    """Tensors of a QUANTIZED graph that are computed in float, or come of such; and those of them with a jump between:
    a level, of which a last bit makes the next one.

    Casts at an edge and functions that become tables are exact.
    """
    tables = inside(graph)
    near, loose = set[str](), set[str]()
    for node in graph.nodes:
        if not near.isdisjoint(node.inputs) or (_computes(graph, node) and node.name not in tables):
            near.update(node.outputs)
            if graph.tensors[node.outputs[0]].dtype != "float32" or not loose.isdisjoint(node.inputs):
                loose.update(node.outputs)
    return frozenset(near), frozenset(loose)


def detections(graph: Graph, among: AbstractSet[str] | None = None) -> frozenset[str]:
    """Tensors with a detector's output: LiteRT leaves what lies behind the last detection as it finds it.

    Args:
        among: of detectors that read one of these; None: of all.
    """
    found = set[str]()
    for node in graph.nodes:
        reads = source_of(node).open_ended and (among is None or not among.isdisjoint(node.inputs))
        if reads or not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return frozenset(found)


def _computes(graph: Graph, node: Node) -> bool:
    """Casts have a definition of their own, and are exact."""
    return source_of(node).direct is None and graph.tensors[node.outputs[0]].dtype == "float32"


def compare(
    graph: Graph, wanted: Collection[str], loose: Collection[str], ours: Sequence[Array], theirs: Sequence[Array],
    oracle: str,
) -> list[str]:  # fmt: skip
    """Notes on how near the outputs `wanted` are. Of those of detectors, what is 0 in ours is no detection.

    Raises:
        VerifyError: one is further than `TOLERANCE`, with no jump between.
    """
    notes, found = [], detections(graph)
    for index, (name, a, b) in enumerate(zip(graph.outputs, ours, theirs, strict=True)):
        if name not in wanted:
            continue
        a, b = (np.asarray(x, np.float64).reshape(len(a), -1) for x in (a, b))
        if a.shape != b.shape:
            raise VerifyError(f"{oracle} has {b.shape[1]} values, not {a.shape[1]}", where=f"output {index}")
        if name in found:
            b = np.where(a == 0, 0.0, b)
        distance = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        allowed = TOLERANCE * max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0.0)))
        furthest = np.unravel_index(int(np.argmax(np.nan_to_num(distance, nan=np.inf))), distance.shape)
        most = float(distance[furthest])
        if name not in loose and not most <= allowed:
            raise VerifyError(
                f"{a[furthest]:.9g}, {oracle} {b[furthest]:.9g}; more than {allowed:.1e} apart",
                where=f"sample {int(furthest[0])}, output {index}, element {int(furthest[1])}",
            )
        bound = "" if name in loose else f"; {allowed:.1e} are allowed"
        notes.append(f"output {index} is computed in float: {oracle} differs by {most:.1e} at most{bound}")
    return notes
