"""A FLOAT graph to its blocks: the parts between the points that a single activation gets past.

Li et al. 2021, BRECQ (arXiv 2102.05426): the outputs of such a part are what its layers are rounded for together. A
residual block is one, as its shortcut spans its layers; a layer that stands alone is one by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..graph.ir import Graph, Node
from ..ops import source_of


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes in execution order.

    Attributes:
        reads: the one activation in front of them.
        gives: the one behind them; those that the graph gives, where it ends with several.
    """

    nodes: tuple[Node, ...]
    reads: str
    gives: tuple[str, ...]


def blocks(graph: Graph, layers: Collection[str]) -> list[Block]:
    """The blocks of a FLOAT graph with one input and no state, all nodes in their order.

    Args:
        layers: names of the layers that blocks are wanted for. What is none of these, and leaves the shape of an
            activation as it is, belongs to the block in front of it: a block ends behind its activation function.
    """
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    live, reads, nodes = {graph.inputs[0]}, graph.inputs[0], []
    found: list[Block] = []
    for i, node in enumerate(graph.nodes):
        nodes.append(node)
        live = {name for name in {*live, *node.outputs} if last.get(name, -1) > i}
        if len(live) != 1 and i + 1 < len(graph.nodes):
            continue
        gives = tuple(sorted(live))
        block, nodes = Block(tuple(nodes), reads, gives), []
        if found and _follows(graph, block, layers):
            found[-1] = Block((*found[-1].nodes, *block.nodes), found[-1].reads, gives)
        else:
            found.append(block)
        reads = gives[0]
    return found


def _follows(graph: Graph, block: Block, layers: Collection[str]) -> bool:
    """Whether it only does something to each value; a softmax at the end would hide how far scores are off."""
    shape = graph.tensors[block.reads].shape
    return all(
        node.name not in layers and not source_of(node).makes_probabilities
        and all(graph.tensors[name].shape == shape for name in node.outputs)
        for node in block.nodes
    )  # fmt: skip
