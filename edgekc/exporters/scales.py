"""An INTEGER graph to scale and zero point of each activation, as far as its integers determine them.

A packed model keeps no scales of inner activations: only their ratios are in it, as multipliers. Those of a layer with
weights say nothing, since the scale of the weights is free too. An addition, a pool or a copy ties the scales of its
tensors. Where nothing ties a tensor to an input, an output or a softmax, any scale gives the same integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..graph.ir import Graph, Node
from ..graph.op import view_of
from ..ops import OPS
from ..ops.add import LEFT_SHIFT
from ..ops.shared import reduce
from ..ops.softmax import DIFF_BITS

FREE = 1 / 16  # scale of what nothing determines
SAME = ("reshape", "average_pool", "max_pool", "pad", "concat", "transpose", "slice")  # output in the scale of inputs


@dataclass(frozen=True, slots=True)
class Level:
    """real = scale * (q - zero_point)."""

    scale: float
    zero_point: int


def factor(multiplier: int, shift: int) -> float:
    """What a multiplier and its shift stand for."""
    return float(multiplier) * 2.0 ** (shift - 31)


def term_ratio(node: Node, prefix: str) -> float:
    """Of an addition: the scale of an operand, `a` or `b`, over that of the output."""
    own, out = (factor(node.int_attr(f"{part}_multiplier"), node.int_attr(f"{part}_shift")) for part in (prefix, "out"))
    return 2.0**LEFT_SHIFT * own * out


class _Ties:
    """Sets of tensors whose scales are known times one another: a forest in which each knows the ratio to its root."""

    def __init__(self) -> None:
        self._above: dict[str, tuple[str, float]] = {}

    def find(self, name: str) -> tuple[str, float]:
        """Its root, and its scale over the root's."""
        ratio = 1.0
        while name in self._above:
            name, step = self._above[name]
            ratio *= step
        return name, ratio

    def tie(self, a: str, b: str, ratio: float) -> None:
        """The scale of a is `ratio` times that of b; what is tied already stays as it is."""
        (root_a, of_a), (root_b, of_b) = self.find(a), self.find(b)
        if root_a != root_b and ratio > 0:
            self._above[root_a] = (root_b, ratio * of_b / of_a)


def levels(graph: Graph) -> dict[str, Level]:
    """Of every activation. Inputs and outputs of the graph have theirs, unless their quantisation is not known."""
    ties, fixed = _Ties(), dict[str, float]()
    for t in graph.of((*graph.inputs, *graph.outputs)):
        if t.quant is not None:
            fixed[t.name] = t.quant.scale
    for node in graph.nodes:
        _tie(graph, node, ties, fixed)
    known: dict[str, float] = {}
    for name, scale in fixed.items():
        root, ratio = ties.find(name)
        known.setdefault(root, scale / ratio)
    zeros = _zeros(graph)
    found = {}
    for name, zero in zeros.items():
        root, ratio = ties.find(name)
        found[name] = Level(fixed.get(name, known.get(root, FREE) * ratio), zero)
    return found


def _tie(graph: Graph, node: Node, ties: _Ties, fixed: dict[str, float]) -> None:
    out, attrs = node.outputs[0], node.attrs
    reads = [t.name for t in graph.of(node.inputs) if t.data is None]
    if node.op in SAME or OPS[node.op].view:
        for name in reads:
            ties.tie(out, name, 1.0)
    elif node.op == "add":
        for prefix, name in zip("ab", node.inputs, strict=False):
            if name in reads:
                ties.tie(name, out, term_ratio(node, prefix))
    elif node.op == "mean":
        count = reduce.count(view_of(graph, node))
        ties.tie(reads[0], out, count * factor(node.int_attr("multiplier"), node.int_attr("shift")))
    elif node.op == "softmax":
        scale = factor(node.int_attr("multiplier"), node.int_attr("shift")) / 2.0 ** (31 - DIFF_BITS)
        fixed.setdefault(reads[0], scale)
        fixed.setdefault(out, 1 / 256)
    elif "out_zero" not in attrs and not OPS[node.op].tabulates:
        for name in reads:
            ties.tie(out, name, 1.0)


def _zeros(graph: Graph) -> dict[str, int]:
    found = {t.name: t.quant.zero_point if t.quant is not None else 0 for t in graph.of(graph.inputs)}
    for node in graph.nodes:
        out = node.outputs[0]
        reads = [name for name in node.inputs if name in found]
        if "out_zero" in node.attrs:
            found[out] = node.int_attr("out_zero")
        elif node.op == "softmax":
            found[out] = -128
        elif OPS[node.op].tabulates:
            quant = graph.tensors[out].quant
            found[out] = 0 if quant is None else quant.zero_point
        else:
            found[out] = found[reads[0]] if reads else 0
    return found
