"""Drops QUANTIZE from float at the inputs and DEQUANTIZE to float at the outputs."""

from __future__ import annotations

from dataclasses import replace

from ..errors import UnsupportedError
from ..graph.ir import Graph, consumers, producers, prune


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """The model then takes and returns int8; scale and zero point are in the manifest.

    Raises:
        UnsupportedError: float tensors that are not at an edge.
    """
    notes, inputs, outputs, dropped = [], list(graph.inputs), list(graph.outputs), set()
    readers, writers = consumers(graph), producers(graph)
    for i, name in enumerate(graph.inputs):
        casts = readers[name]
        if graph.tensors[name].dtype == "float32" and len(casts) == 1 and casts[0].op == "quantize":
            inputs[i] = casts[0].outputs[0]
            dropped.add(casts[0].name)
            notes.append(f"{casts[0].name}: the input is taken as int8, quantise it by the manifest's scale")
    for i, name in enumerate(graph.outputs):
        cast = writers.get(name)
        if cast is not None and cast.op == "dequantize":
            outputs[i] = cast.inputs[0]
            dropped.add(cast.name)
            notes.append(f"{cast.name}: the output is given as int8, dequantise it by the manifest's scale")
    nodes = tuple(n for n in graph.nodes if n.name not in dropped)
    result = prune(replace(graph, nodes=nodes, inputs=tuple(inputs), outputs=tuple(outputs)))
    for tensor in result.tensors.values():
        if tensor.dtype == "float32":
            raise UnsupportedError(
                f"tensor {tensor.name!r} is float32 inside the model",
                where=graph.name,
                fix="quantise the whole model to int8 (full integer quantisation)",
            )
    return result, notes
