"""Lets layers read one constant where their templates or weights are the same bytes.

Codebooks are where a recipe's `scope` is `"network"`; weights are in the steps of an unrolled recurrence.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, Role, prune

_SHARED = {Role.CODEBOOK: "codebook", Role.WEIGHTS: "tensor of weights"}


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because a constant is known by its values alone."""
    first: dict[tuple[object, ...], str] = {}
    instead: dict[str, str] = {}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for t in graph.of(node.inputs):
            if t.data is not None and t.role in _SHARED:
                kept = first.setdefault((t.dtype, t.shape, t.quant, t.value.tobytes()), t.name)
                instead[t.name] = kept
                readers.setdefault(kept, []).append(node.name)
    nodes = tuple(replace(n, inputs=tuple(instead.get(name, name) for name in n.inputs)) for n in graph.nodes)
    notes = [
        f"{', '.join(layers)}: one {_SHARED[graph.tensors[kept].role]}, {graph.tensors[kept].nbytes:,} bytes are equal"
        for kept, layers in readers.items()
        if len(layers) > 1
    ]
    return prune(replace(graph, nodes=nodes)), notes
