"""A FLOAT graph and its QUANTIZED one to biases without the mean error that rounding and clipping bring.

Both graphs are walked side by side on the same samples, the quantised one in float32 with every tensor on its
int8 grid. What a channel of a layer is off in the mean, before its activation, goes into its bias; the layers
behind see the corrected one (empirical bias correction of Nagel et al. 2019, arXiv 1906.04721, section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from .. import affordable
from ..graph.ir import Array, Graph, Node, Role, Tensor, constant
from ..graph.op import View, view_of
from ..ops import filters_of, floats_of
from ..ops.shared.floats import activate
from . import float_reference
from .to_int8 import to_int8, to_real

InParts: TypeAlias = Callable[[Callable[[slice], Array]], Array]  # see `float_reference.in_parts`


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What the walk found."""

    graph: Graph  # the QUANTIZED graph, with corrected biases where asked for
    expected: tuple[Array, ...]  # the FLOAT graph's outputs, (batch, *shape[1:])
    actual: tuple[Array, ...]  # the QUANTIZED graph's, dequantised

    @property
    def relative_error(self) -> float:
        """Root of the squared output error over the squared output, all outputs together."""
        pairs = zip(self.expected, self.actual, strict=True)
        errors, powers = zip(
            *((float(np.square(e - a).sum()), float(np.square(e).sum())) for e, a in pairs), strict=True
        )
        return float(np.sqrt(sum(errors) / max(sum(powers), 1e-30)))


def walk(graph: Graph, quantized: Graph, x: Array, correct: bool) -> SideBySide:
    """Run both graphs on x, (batch, *sample shape) real numbers.

    Args:
        graph: FLOAT, with the tensor names of `quantized`.
        correct: put each channel's mean error into its bias.
    """
    exact: dict[str, Array] = {graph.inputs[0]: np.asarray(x, np.float32)}
    rough = {graph.inputs[0]: _on_grid(exact[graph.inputs[0]], quantized.tensors[graph.inputs[0]])}
    tensors = dict(quantized.tensors)
    last = {name: i for i, node in enumerate(quantized.nodes) for name in node.inputs}
    in_parts = partial(float_reference.in_parts, count=len(x), size=affordable.batch(graph, len(x)))
    for index, node in enumerate(quantized.nodes):
        view = view_of(quantized, node)
        held = [n for n in node.inputs if n not in exact]
        before = _computed(view, exact, {n: graph.tensors[n].value for n in held}, in_parts)
        after = _computed(view, rough, {n: _constant(node, n, tensors) for n in held}, in_parts)
        shift = None
        if correct and filters_of(node) is not None:
            bias = tensors[view.bias.name]
            step = _bias_steps(node, tensors)
            moved = np.round(_mean_error(before, after) / step)
            tensors[bias.name] = constant(bias.name, _add_int32(bias.value, moved), Role.BIAS)
            shift = (moved * step).astype(np.float32)
        exact[node.outputs[0]] = in_parts(partial(_behind, node, before, None, None))
        del before  # as large as what it became
        rough[node.outputs[0]] = in_parts(partial(_behind, node, after, shift, view.out))
        del after
        for name in node.inputs:
            if last[name] == index and name not in graph.outputs:
                exact.pop(name, None)
                rough.pop(name, None)
    outputs = [tuple(values[n] for n in graph.outputs) for values in (exact, rough)]
    return SideBySide(replace(quantized, tensors=tensors), *outputs)


def _computed(view: View, values: Mapping[str, Array], constants: Mapping[str, Array], in_parts: InParts) -> Array:
    """A node's output before its activation."""
    compute = floats_of(view.node).compute
    return in_parts(
        lambda part: compute(view, [values[n][part] if n in values else constants[n] for n in view.node.inputs])
    )


def _mean_error(exact: Array, rough: Array) -> Array:
    """(channels,) float64."""
    channels = exact.shape[-1]
    total = sum((e - r).reshape(-1, channels).sum(0, np.float64) for e, r in zip(exact, rough, strict=True))
    return np.asarray(total / (exact.size // channels))


def _behind(node: Node, before: Array, shift: Array | None, grid: Tensor | None, part: slice) -> Array:
    """Some samples behind a node's activation, with a corrected bias, on the int8 grid of a tensor."""
    x = activate(before[part] if shift is None else before[part] + shift, str(node.attrs.get("activation", "none")))
    return x if grid is None else _on_grid(x, grid)


def _on_grid(x: Array, t: Tensor) -> Array:
    """x rounded and clipped to what the int8 tensor can hold."""
    return to_real(to_int8(x, t.q), t.q)


def _bias_steps(node: Node, tensors: Mapping[str, Tensor]) -> Array:
    """(channels,) real value of one unit of the accumulator."""
    x, weights = tensors[node.inputs[0]], tensors[node.inputs[1]]
    return x.q.scale * np.array(weights.q.scales, np.float64)


def _constant(node: Node, name: str, tensors: Mapping[str, Tensor]) -> Array:
    """The real numbers of a constant operand."""
    t = tensors[name]
    if t.role is Role.BIAS:
        return (t.value * _bias_steps(node, tensors)).astype(np.float32)
    if filters_of(node) is None:
        return t.value if t.quant is None else to_real(t.value, t.q)  # the places of `take` have no scale
    shape = [-1 if a == t.q.axis else 1 for a in range(len(t.shape))]
    return np.asarray(t.value * np.array(t.q.scales, np.float32).reshape(shape))


def _add_int32(bias: Array, moved: Array) -> Array:
    # Half of int32 stays free for the sum, as in quantize.weight_scales.
    return np.asarray(np.clip(bias + moved, -(2**30), 2**30).astype(np.int32))
