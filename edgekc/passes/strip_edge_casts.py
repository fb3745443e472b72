"""Drops QUANTIZE from float at the inputs and DEQUANTIZE to float at the outputs."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import REAL, Graph, consumers, producers, prune


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """The model then takes and returns integers; scale and zero point are in the manifest.

    Inputs that something else reads in float, and outputs that something else computes in float, stay float32.
    """
    notes, inputs, outputs, dropped = [], list(graph.inputs), list(graph.outputs), set()
    readers, writers = consumers(graph), producers(graph)
    for i, name in enumerate(graph.inputs):
        casts = readers[name]
        if graph.tensors[name].dtype == "float32" and len(casts) == 1 and casts[0].op == "quantize":
            inputs[i] = casts[0].outputs[0]
            dropped.add(casts[0].name)
            kind = graph.tensors[inputs[i]].dtype
            notes.append(f"{casts[0].name}: the input is taken as {kind}, quantise it by the manifest's scale")
    for i, name in enumerate(graph.outputs):
        cast = writers.get(name)
        if cast is not None and cast.op == "dequantize" and not readers[name]:
            outputs[i] = cast.inputs[0]
            dropped.add(cast.name)
            kind = graph.tensors[outputs[i]].dtype
            notes.append(f"{cast.name}: the output is given as {kind}, dequantise it by the manifest's scale")
    nodes = tuple(n for n in graph.nodes if n.name not in dropped)
    ends = {n: graph.tensors[n] for n in (*inputs, *outputs)}
    real = {n: replace(t, quant=REAL) for n, t in ends.items() if t.dtype == "float32"}
    tensors = {**graph.tensors, **real}
    return prune(replace(graph, tensors=tensors, nodes=nodes, inputs=tuple(inputs), outputs=tuple(outputs))), notes
