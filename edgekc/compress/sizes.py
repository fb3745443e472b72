"""What each layer of a packed model takes, by part, beside what it took as float32 and as dense int8."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..ir import Graph, Role
from ..op import View
from ..ops import OPS
from ..pack import Packed

PARTS = {
    Role.WEIGHTS: "weights",
    Role.CODEBOOK: "codebook",
    Role.INDEX: "indices",
    Role.PAIRS: "pairs",
    Role.CENTERS: "centers",
    Role.BIAS: "bias",
    Role.REQUANT: "requant",
}
# What stands for the weights; bias and requantisation are there with dense weights too.
WEIGHT_PARTS = ("weights", "codebook", "indices", "pairs", "pair indices", "centers")


@dataclass(frozen=True, slots=True)
class LayerSize:
    """Bytes of one layer with weights; `weights` of the layer are counted by its shape, whatever holds them."""

    name: str
    op: str
    weights: int  # number of weights of the dense layer that it computes
    macs: int
    parts: dict[str, int]

    @property
    def packed(self) -> int:
        """Bytes of what stands for the weights."""
        return sum(self.parts.get(part, 0) for part in WEIGHT_PARTS)


def layer_sizes(packed: Packed) -> tuple[LayerSize, ...]:
    """The layers with constants, in execution order; a codebook that layers share counts with the first."""
    found, seen = [], set()
    for node in packed.graph.nodes:
        view = View(node, tuple(packed.graph.of(node.inputs)), tuple(packed.graph.of(node.outputs)))
        parts: dict[str, int] = {}
        names = OPS[node.op].operands
        for i, t in enumerate(view.inputs):
            if t.data is not None and t.name not in seen:
                seen.add(t.name)
                part = "pair indices" if names[min(i, len(names) - 1)] == "pair_indices" else PARTS[t.role]
                parts[part] = parts.get(part, 0) + packed.offsets[t.name][1]
        if any(part in parts for part in WEIGHT_PARTS):
            found.append(LayerSize(node.name, node.op, _weights(view), OPS[node.op].macs(view), parts))
    return tuple(found)


def _weights(view: View) -> int:
    for t in view.inputs:
        if t.role is Role.WEIGHTS:
            return math.prod(t.shape)
    indices = next(t for t in view.inputs if t.role is Role.INDEX)
    templates = [t for t in view.inputs if t.role is Role.CODEBOOK]
    taps = math.prod(templates[0].shape[1:]) if templates else 1
    return math.prod(indices.shape) * taps


def dense_weights(graph: Graph) -> int:
    """Number of weights of a FLOAT or QUANTIZED graph: bytes as int8, a quarter of bytes as float32."""
    return sum(math.prod(t.shape) for t in graph.tensors.values() if t.data is not None and t.role is Role.WEIGHTS)
