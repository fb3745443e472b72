"""A compressed model to one whose output channels have the float network's mean and size again, without training.

Imported batch norms are folded into weights and biases. So nothing notices any more that the outputs of a compressed
layer have other statistics than those that the norm was fitted to. To estimate them anew for the compressed network
wins much of its loss back ("batch-normalization tuning" of Hubara, Nahshan, Hanani, Banner, Soudry 2020, arXiv
2006.10518; the mean alone: Nagel et al. 2019, arXiv 1906.04721, section 4.2). Here each output channel of a layer gets
a gain and an offset. The gain goes into the scale of the channel's weights, the offset into its bias. The device
multiplies each channel by a scale of its own anyway, so both cost nothing there.

The gain is that of least squared error, not the ratio of the standard deviations: what compression adds is noise that
no gain should restore. Both networks are walked side by side. Each layer is fitted on the inputs that it really sees,
behind the layers that are corrected already. It is changed only where its error on other samples falls.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..graph.ir import Array, Graph, Node, Role
from ..graph.op import view_of
from ..ops import filters_of, floats_of, layer_filters
from ..ops.shared.floats import activate
from .model import Model, Templates

_LARGEST = 4.0  # gain, and 1 over the smallest: beyond it a channel's outputs are noise
_CHUNK = 64  # samples that an operator sees at a time


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one layer: squared errors on held samples over the square of the float outputs."""

    layer: str
    before: float
    after: float

    @property
    def better(self) -> bool:
        """Whether the layer is changed."""
        return self.after < self.before


def reestimate(model: Model, layers: Collection[str], x: Array, held: Array) -> tuple[Model, list[Found]]:
    """Give output channels the mean and the size that they have in the float network.

    Args:
        model: with compressed layers, one input and no state; `Model.exact` is the float network.
        layers: names of those that may change. Without weights of their own and a bias they stay as they are.
        x: (n, *sample shape) real numbers, which gains and offsets are fitted to.
        held: others of the kind, which say whether a layer is better for it.

    Returns:
        The model, and what was found of each layer that may change, in execution order.
    """
    graph, exact, found = model.graph, model.exact(), []
    wanted = {graph.inputs[0]: np.concatenate([x, held]).astype(np.float32)}
    seen = dict(wanted)
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for index, node in enumerate(graph.nodes):
        aim, out = _computed(exact, node, wanted), _computed(model.graph, node, seen)
        activation = str(node.attrs.get("activation", "none"))
        if node.name in layers and _alone(graph, node):
            bias = view_of(graph, node).bias.value
            gain, moved = _fitted(aim[: len(x)], out[: len(x)], bias)
            changed = (out - bias) * gain + moved
            errors = [_error(activate(aim, activation), activate(each, activation), len(x)) for each in (out, changed)]
            found.append(Found(node.name, *errors))
            if found[-1].better:
                model, out = scaled(model, node, gain, moved), changed
        wanted[node.outputs[0]], seen[node.outputs[0]] = activate(aim, activation), activate(out, activation)
        for name in node.inputs:
            if last[name] == index:
                wanted.pop(name, None)
                seen.pop(name, None)
    return model, found


def scaled(model: Model, node: Node, gain: Array, bias: Array) -> Model:
    """The model with a layer's weights multiplied channel by channel, in whatever form it holds them, and its bias.

    Args:
        gain: (oc,) positive.
        bias: (oc,) the new one.
    """
    weights, name = view_of(model.graph, node).weights, node.name
    model = model.with_value(view_of(model.graph, node).bias.name, bias)
    if (record := model.clusters.get(name)) is not None:
        return model.with_cluster(name, replace(record, scales=(record.scales * gain).astype(np.float32)))
    if (layer := model.templates.get(name)) is not None:
        return model.with_templates(name, _larger(layer, gain), model.books[layer.book])
    shape = [1] * len(weights.shape)
    shape[layer_filters(node).axis] = -1
    return model.with_value(weights.name, weights.value * gain.reshape(shape))


def _alone(graph: Graph, node: Node) -> bool:
    """Whether a layer has a bias, and weights that no other layer has: shared ones are stored once, and stay shared."""
    if filters_of(node) is None or all(t.role is not Role.BIAS for t in graph.of(node.inputs)):
        return False
    mine = view_of(graph, node).weights.value
    others = [n for n in graph.nodes if n is not node and n.op == node.op]
    return not any(np.array_equal(mine, view_of(graph, other).weights.value) for other in others)


def _larger(layer: Templates, gain: Array) -> Templates:
    """Template kernels times a gain for each output channel."""
    rows = gain[:, None].astype(np.float32)
    kernels = replace(layer.kernels, a=layer.kernels.a * rows, b=layer.kernels.b * rows)
    pairs, free = layer.pairs, layer.unclustered
    if pairs is not None:
        pairs = replace(pairs, scales=(pairs.scales * gain).astype(np.float32))
    return replace(layer, kernels=kernels, pairs=pairs, unclustered=None if free is None else free * rows[..., None])


def _computed(graph: Graph, node: Node, values: Mapping[str, Array]) -> Array:
    """A node's output before its activation, (n, ...) float32."""
    view, count = view_of(graph, node), max(len(values[n]) for n in node.inputs if n in values)
    parts = []
    for at in range(0, count, _CHUNK):
        operands = [values[n][at : at + _CHUNK] if n in values else graph.tensors[n].value for n in node.inputs]
        parts.append(floats_of(node).compute(view, operands))
    return np.concatenate(parts)


def _fitted(aim: Array, out: Array, bias: Array) -> tuple[Array, Array]:
    """Gain and bias (oc,) of least squared error for each channel of a layer's outputs (n, ..., oc)."""
    wanted, found = (np.asarray(each.reshape(-1, len(bias)), np.float64) for each in (aim, out - bias))
    means = wanted.mean(0), found.mean(0)
    spread = found.var(0)
    both = ((wanted - means[0]) * (found - means[1])).mean(0)
    gain = both / np.where(spread > 0, spread, 1)
    gain = np.where((spread > 0) & (gain > 0), np.clip(gain, 1 / _LARGEST, _LARGEST), 1.0)
    return gain, means[0] - gain * means[1]


def _error(aim: Array, out: Array, first: int) -> float:
    """Squared error over the squared size, of the samples behind the first ones."""
    power = float(np.square(aim[first:], dtype=np.float64).sum())
    return float(np.square(out[first:] - aim[first:], dtype=np.float64).sum()) / max(power, 1e-30)
