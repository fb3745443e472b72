"""States of 16 bits: two bytes for each value in an int8 graph, and a scale that is an attribute of the node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..graph.ir import Graph, Node, State, consumers
from ..ops import source_of
from .calibrate import Range


def wide(graph: Graph) -> dict[str, State]:
    """States of 16-bit values, by the name of the node that keeps them; ModelError where it keeps something else."""
    starts = {s.start: s for s in graph.states}
    found = {}
    for node in graph.nodes:
        floats = source_of(node).floats
        if floats is not None and floats.keeps_words:
            if node.inputs[1] not in starts:
                raise ModelError(f"{node.inputs[1]} is no state", where=node.name)
            found[node.name] = starts[node.inputs[1]]
    return found


def as_bytes(graph: Graph, ranges: Mapping[str, Range]) -> tuple[Graph, dict[str, Range]]:
    """A FLOAT graph whose wide states have two bytes for each value, and the ranges that belong to it.

    A wide state's bytes, and what they are copied through, take the range of the outputs beside them: they are not
    int8 numbers. Twice of what was seen fits into 16 bits.
    """
    kept = wide(graph)
    tensors, nodes, found = dict(graph.tensors), {n.name: n for n in graph.nodes}, dict(ranges)
    readers, states = consumers(graph), {s.start: s for s in graph.states}
    for name, state in kept.items():
        node = nodes[name]
        out, size = node.outputs[0], tensors[state.start].shape[1]
        beside = (0.0, 0.0)
        names = [state.start, state.end, out]
        for reader in readers[out]:
            if _first_column(reader):  # the outputs
                beside = _seen(graph, reader, readers, found)
                nodes[reader.name] = replace(reader, attrs={**reader.attrs, "begins": f"0,{2 * size}"})
            else:
                names.append(reader.outputs[0])
                nodes[reader.name] = replace(reader, attrs={**reader.attrs, "sizes": f"1,{2 * size}"})
        peak = max(map(abs, found[state.end]))
        scale = float(np.float32(max(2 * peak / 32767, float(np.finfo(np.float32).tiny))))
        nodes[name] = replace(node, attrs={**node.attrs, "state_scale": scale})
        for each in names:
            t = tensors[each]
            tensors[each] = replace(t, shape=(1, t.shape[1] + size))
            found[each] = beside
        initial = np.round(state.initial / scale).clip(-32768, 32767).astype("<i2").view(np.int8)
        initial.setflags(write=False)
        states[state.start] = replace(state, initial=initial)
    changed = replace(graph, tensors=tensors, nodes=tuple(nodes[n.name] for n in graph.nodes))
    return replace(changed, states=tuple(states[s.start] for s in graph.states)), found


def words(graph: Graph, quantized: Graph) -> dict[str, tuple[int, float]]:
    """Activations of a FLOAT graph that begin with words of 16 bits in its QUANTIZED one: how many, and their scale."""
    nodes, readers = {n.name: n for n in quantized.nodes}, consumers(graph)
    found: dict[str, tuple[int, float]] = {}
    for name, state in wide(graph).items():
        out = nodes[name].outputs[0]
        copies = [reader.outputs[0] for reader in readers[out] if not _first_column(reader)]
        held = graph.tensors[state.start].shape[1], float(nodes[name].attrs["state_scale"])
        found.update(dict.fromkeys((state.start, state.end, out, *copies), held))
    return found


def _first_column(part: Node) -> int:
    """Of a node that takes a part of all columns."""
    return int(str(part.attrs["begins"]).split(",")[1])


def _seen(graph: Graph, outputs: Node, readers: Mapping[str, list[Node]], ranges: dict[str, Range]) -> Range:
    """The range of the outputs; of those behind an activation, if nothing else reads them."""
    name = outputs.outputs[0]
    behind = readers[name]
    if len(behind) == 1 and source_of(behind[0]).is_activation and name not in graph.sinks:
        ranges[name] = ranges[behind[0].outputs[0]]
    return ranges[name]
