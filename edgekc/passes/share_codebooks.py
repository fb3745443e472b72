"""Lets layers whose templates are the same bytes read one codebook, as those of a recipe's `scope = "network"` are."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, Role, prune


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because a constant is known by its values alone."""
    first: dict[tuple[object, ...], str] = {}
    instead: dict[str, str] = {}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for t in graph.of(node.inputs):
            if t.data is not None and t.role is Role.CODEBOOK:
                kept = first.setdefault((t.dtype, t.shape, t.quant, t.value.tobytes()), t.name)
                instead[t.name] = kept
                readers.setdefault(kept, []).append(node.name)
    nodes = tuple(replace(n, inputs=tuple(instead.get(name, name) for name in n.inputs)) for n in graph.nodes)
    notes = [
        f"{', '.join(layers)}: one codebook of {graph.tensors[kept].nbytes:,} bytes, their templates are equal"
        for kept, layers in readers.items()
        if len(layers) > 1
    ]
    return prune(replace(graph, nodes=nodes)), notes
