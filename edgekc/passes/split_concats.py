"""Makes several concatenations of one that has more inputs than a kernel takes."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from ..graph.ir import Graph, Node, Tensor
from ..graph.op import View, int_attrs, view_of
from ..ops import OPS


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because bytes are copied twice instead of once.

    Neighbours of the fewest bytes are joined first, so that little is copied twice.
    """
    tensors, nodes, notes = dict(graph.tensors), [], []
    for node in graph.nodes:
        most = OPS[node.op].joins_at_most
        if not most or len(node.inputs) <= most:
            nodes.append(node)
            continue
        view = view_of(graph, node)
        parts, inner = list(view.inputs), 0
        while len(parts) > most:
            width = min(most, len(parts) - most + 1)
            first = min(range(len(parts) - width + 1), key=lambda i: _bytes(parts[i : i + width]))
            name = next(n for i in count() if (n := f"{node.name}_join{i}") not in tensors)
            joined, step = _joined(view, name, parts[first : first + width])
            tensors[joined.name] = joined
            nodes.append(step)
            parts[first : first + width] = [joined]
            inner += 1
        nodes.append(replace(node, inputs=tuple(t.name for t in parts)))
        notes.append(f"{node.name}: {len(node.inputs)} inputs joined in {inner + 1} steps, the same bytes are copied")
    return replace(graph, tensors=tensors, nodes=tuple(nodes)), notes


def _bytes(parts: list[Tensor]) -> int:
    return sum(t.nbytes for t in parts)


def _joined(view: View, name: str, parts: list[Tensor]) -> tuple[Tensor, Node]:
    node = view.node
    names = tuple(t.name for t in parts)
    (shape,) = OPS[node.op].infer(int_attrs(node), [t.shape for t in parts])
    return Tensor(name, shape, parts[0].dtype), Node(node.op, name, names, (name,), node.attrs)
