"""Folds a stand-alone ReLU into the operator before it."""

from __future__ import annotations

from dataclasses import replace

from ..graph.ir import Graph, Node, consumers, producers, prune
from ..ops import source_of


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because clamping to the activation's range and rescaling by one commute with a clamp to int8.

    Only where the ReLU keeps scale and zero point: a rescaling ReLU rounds a second time.
    """
    notes = []
    nodes = {n.name: n for n in graph.nodes}
    for relu in graph.nodes:
        if not source_of(relu).is_activation:
            continue
        producer = producers(replace(graph, nodes=tuple(nodes.values()))).get(relu.inputs[0])
        if producer is None or not _foldable(graph, producer, relu):
            continue
        del nodes[relu.name]
        nodes[producer.name] = replace(
            producer, outputs=relu.outputs, attrs={**producer.attrs, "activation": relu.attrs["activation"]}
        )
        notes.append(f"{relu.name}: folded into {producer.name}, same scale and zero point, so only the clamp changes")
    return prune(replace(graph, nodes=tuple(nodes.values()))), notes


def _foldable(graph: Graph, producer: Node, relu: Node) -> bool:
    before, after = graph.tensors[relu.inputs[0]], graph.tensors[relu.outputs[0]]
    only_reader = len(consumers(graph)[before.name]) == 1 and before.name not in graph.sinks
    clamps = source_of(producer).clamps and producer.attrs.get("activation") == "none"
    return only_reader and before.quant == after.quant and clamps
