"""What each layer of a packed model takes, by part, beside what it took as float32 and as dense int8."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..format.pack import Packed
from ..graph.ir import Graph, Role
from ..graph.op import View, operand_at, view_of
from ..ops import OPS

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
        view = view_of(packed.graph, node)
        parts: dict[str, int] = {}
        op = OPS[node.op]
        for i, t in enumerate(view.inputs):
            if t.data is not None and t.name not in seen:
                seen.add(t.name)
                part = "pair indices" if operand_at(op, i).name == "pair_indices" else PARTS[t.role]
                parts[part] = parts.get(part, 0) + packed.offsets[t.name][1]
        if any(part in parts for part in WEIGHT_PARTS):
            found.append(LayerSize(node.name, node.op, _weights(view), op.macs(view), parts))
    return tuple(found)


def _weights(view: View) -> int:
    for t in view.inputs:
        if t.role is Role.WEIGHTS:
            return math.prod(t.shape)
    indices = next(t for t in view.inputs if t.role is Role.INDEX)
    templates = [t for t in view.inputs if t.role is Role.CODEBOOK]
    taps = math.prod(templates[0].shape[1:]) if templates else 1
    return math.prod(indices.shape) * taps


def clustered_bytes(weights: int, bits: int) -> int:
    """Of a layer with so many weights: its indices and 16-bit centers."""
    return _stream(weights, bits) + (2 << bits)


def template_bytes(kernels: Sequence[int], taps: int, templates: int, pair_bits: int | None) -> int:
    """Of layers with so many kernels each on one codebook; `pair_bits`: of indices of pairs; None: a pair a kernel."""
    found = templates * taps
    for count in kernels:
        found += _stream(count, max((templates - 1).bit_length(), 1))
        found += 4 * count if pair_bits is None else min(coded_pair_bytes(count, pair_bits), 4 * count)
    return found


def coded_pair_bytes(kernels: int, bits: int) -> int:
    """Of the indices of pairs, and the pairs; each kernel's own pair takes 4 bytes."""
    return _stream(kernels, bits) + (4 << bits)


def _stream(count: int, bits: int) -> int:
    return -(-count * bits // 8)


def before(source: Graph, packed: tuple[LayerSize, ...]) -> dict[str, int]:
    """Number of weights of the layer of a FLOAT graph that each packed layer was made of.

    Of several that one was split into (`fc` to `fc_0` and `fc`) the first has all of them, and the others none.
    """
    left = {
        node.name: sum(math.prod(t.shape) for t in source.of(node.inputs) if t.role is Role.WEIGHTS)
        for node in source.nodes
        if any(t.role is Role.BIAS for t in source.of(node.inputs))
    }
    names = sorted(left, key=len, reverse=True)
    found = {}
    for layer in packed:
        origin = next((n for n in names if layer.name == n or layer.name.startswith(f"{n}_")), "")
        found[layer.name] = left.pop(origin, 0)
    return found


def dense_weights(graph: Graph) -> int:
    """Number of weights of a FLOAT or QUANTIZED graph: bytes as int8, a quarter of bytes as float32."""
    return sum(math.prod(t.shape) for t in graph.tensors.values() if t.data is not None and t.role is Role.WEIGHTS)
