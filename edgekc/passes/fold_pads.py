"""Folds a PAD of height and width into the convolution that reads it."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, consumers, prune
from ..ops import filters_of

_WINDOW_PADS = ("pad_top", "pad_bottom", "pad_left", "pad_right")


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because PAD fills with the zero point, which is what a convolution's own padding is."""
    notes = []
    nodes = {n.name: n for n in graph.nodes}
    readers = consumers(graph)
    for pad in graph.nodes:
        if pad.op != "pad" or pad.outputs[0] in graph.sinks or len(readers[pad.outputs[0]]) != 1:
            continue
        reader = nodes[readers[pad.outputs[0]][0].name]
        amounts = [int(v) for v in str(pad.attrs["pads"]).split(",")]
        spatial = len(amounts) == 8 and not any(amounts[:2] + amounts[6:])
        same_quant = graph.tensors[pad.inputs[0]].quant == graph.tensors[pad.outputs[0]].quant
        filters = filters_of(reader)
        if filters is None or not filters.window or filters.transposed or not spatial or not same_quant:
            continue
        attrs = dict(reader.attrs)
        for key, amount in zip(_WINDOW_PADS, amounts[2:6], strict=True):
            attrs[key] = reader.int_attr(key) + amount
        nodes[reader.name] = replace(reader, inputs=(pad.inputs[0], *reader.inputs[1:]), attrs=attrs)
        del nodes[pad.name]
        notes.append(f"{pad.name}: folded into the padding of {reader.name}, both fill with the zero point")
    return prune(replace(graph, nodes=tuple(nodes.values()))), notes
