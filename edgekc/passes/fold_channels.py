"""Removes channels that always have one value, and channels that nobody reads.

A channel is constant when the smallest and the largest accumulator that its inputs allow requantise to the
same byte, and none between them wraps in a left shift: a filter of zeros, or one whose every result the activation
clamps. Its contribution to the next
layer is the same number everywhere and moves into that layer's bias. What then is read by nobody is removed
together with the filter that made it. Both are identities of integer arithmetic, so every output byte stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Tensor, prune
from ..graph.op import Interval, View, int_attrs, view_of
from ..ops import OPS


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """INTEGER graph to INTEGER graph."""
    known = intervals(graph)
    keep = _needed(graph, known)
    if all(mask.all() for mask in keep.values()):
        return graph, []
    tensors = dict(graph.tensors)
    nodes = []
    notes = []
    for node in graph.nodes:
        view = view_of(graph, node)
        out = node.outputs[0]
        acts, constants = _split(view)
        rule = OPS[node.op].channels(view)
        if rule is not None:
            masks = [keep[t.name] for t in acts]
            for t in rule.slice(view, masks, keep[out], [known.get(t.name) for t in acts]):
                tensors[t.name] = t
        shape = view.out.shape
        tensors[out] = replace(view.out, shape=(*shape[:-1], int(keep[out].sum())) if shape else shape)
        if rule is not None:
            node = replace(node, attrs={**node.attrs, **rule.attrs(view, int(keep[out].sum()))})
        nodes.append(node)
        notes += _note(node, view, known, keep, [tensors[c.name] for c in constants], constants)
    result = prune(replace(graph, tensors=tensors, nodes=tuple(nodes)))
    for node in result.nodes:  # the shape rules confirm that all masks fit together
        v = view_of(result, node)
        op = OPS[node.op]
        assert op.infer(int_attrs(node), [t.shape for t in v.inputs]) == [t.shape for t in v.outputs]
    return result, notes


def intervals(graph: Graph) -> dict[str, Interval | None]:
    """What values each channel of each activation can take; None: anything (inputs and states)."""
    known: dict[str, Interval | None] = dict.fromkeys(graph.sources)
    for node in graph.nodes:
        view = view_of(graph, node)
        acts, _ = _split(view)
        known[node.outputs[0]] = OPS[node.op].ranges(view, [known[t.name] for t in acts])
    return known


def _split(view: View) -> tuple[list[Tensor], list[Tensor]]:
    acts = [t for t in view.inputs if t.data is None]
    return acts, [t for t in view.inputs if t.data is not None]


def _channels(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def _needed(graph: Graph, known: dict[str, Interval | None]) -> dict[str, Array]:
    """For each activation the channels that must stay.

    Demand flows from the outputs back; where it meets an operator that needs the same channels on several
    sides it also flows sideways, so the walk repeats until nothing grows.
    """
    keep = {n: np.zeros(_channels(t), bool) for n, t in graph.tensors.items() if t.data is None}
    for name in (*graph.sources, *graph.sinks):
        keep[name][:] = True
    before = -1
    while (total := sum(int(mask.sum()) for mask in keep.values())) != before:
        before = total
        for node in reversed(graph.nodes):
            view, out = view_of(graph, node), node.outputs[0]
            rule = OPS[node.op].channels(view)
            acts, _ = _split(view)
            if not keep[out].any():
                keep[out][0] = True  # a tensor has at least one channel
            if rule is None:
                keep[out][:] = True
                needs = [np.ones(_channels(t), bool) for t in acts]
            else:
                needs = rule.needs(view, keep[out], [known.get(t.name) for t in acts])
            for t, need in zip(acts, needs, strict=True):
                keep[t.name] |= need
            if rule is not None and rule.same:
                union = np.logical_or.reduce([keep[out], *(keep[t.name] for t in acts)])
                for name in (out, *(t.name for t in acts)):
                    keep[name] |= union
    return keep


def _note(
    node: Node,
    view: View,
    known: dict[str, Interval | None],
    keep: dict[str, Array],
    after: Sequence[Tensor],
    before: Sequence[Tensor],
) -> list[str]:
    out = node.outputs[0]
    dropped = ~keep[out]
    interval = known[out]
    assert interval is not None
    constant = int((dropped & interval.constant).sum())
    unread = int(dropped.sum()) - constant
    saved = sum(t.nbytes for t in before) - sum(t.nbytes for t in after)
    parts = []
    if constant:
        parts.append(f"{constant} constant for every input, moved into the readers' bias")
    if unread:
        parts.append(f"{unread} read by nobody")
    if not parts and saved == 0:
        return []
    channels = _channels(view.out)
    what = f"{channels} -> {channels - int(dropped.sum())} channels ({', '.join(parts)})" if parts else "inputs removed"
    return [f"{node.name}: {what}; {saved} bytes of constants less, outputs identical"]
