"""A QUANTIZED graph and inputs to every activation: each node by its own definition, as it was imported.

No pass has touched what is run here, so that the passes can be checked against it. Nodes that only a pass makes
something of are defined here instead: casts between float and int8, and dealing pixels out to phases and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..graph.ir import Array, Graph, Node
from ..graph.op import View, int_attrs, view_of
from ..ops import OPS
from ..passes.lower import lower_node


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to be run: its operands' names, and what it computes of their values."""

    node: Node
    inputs: tuple[str, ...]
    compute: Callable[[Sequence[Array]], Array]


@dataclass(frozen=True, slots=True)
class Program:
    """A QUANTIZED graph whose nodes all have a definition."""

    graph: Graph
    steps: tuple[Step, ...]

    @property
    def at_once(self) -> int:
        """How many samples may share a batch: where pixels are dealt out to a batch of phases, only one."""
        return 1 if any(s.node.op == "space_to_batch" for s in self.steps) else 32


def prepare(graph: Graph, rounding: str = "tflite") -> Program:
    """Raises ModelError and UnsupportedError, as `lower.lower`, where a node has no definition by itself."""
    return Program(graph, tuple(_step(graph, node, rounding) for node in graph.nodes))


def run(program: Program, inputs: Sequence[Array]) -> dict[str, Array]:
    """All activations by name.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of its type, float32 included; at most
            `program.at_once` samples.
    """
    graph = program.graph
    values: dict[str, Array] = dict(zip(graph.inputs, inputs, strict=True))
    for step in program.steps:
        values[step.node.outputs[0]] = step.compute([values[name] for name in step.inputs])
    return values


def outputs(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs only, of any number of samples."""
    parts = []
    for start in range(0, len(inputs[0]), program.at_once):
        values = run(program, [x[start : start + program.at_once] for x in inputs])
        parts.append([values[name] for name in program.graph.outputs])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def _step(graph: Graph, node: Node, rounding: str) -> Step:
    view = view_of(graph, node)
    direct = _DIRECT.get(node.op)
    if direct is not None and (node.op in _DEALING or "float32" in (view.x.dtype, view.out.dtype)):
        return Step(node, node.inputs[:1], lambda operands: direct(view, operands[0]))
    lowered, constants = lower_node(graph, node, rounding)
    op, attrs, tail = OPS[lowered.op], int_attrs(lowered), view.out.shape[1:]
    values = [t.value for t in constants]
    if op.view:
        whole = view.x.shape[0] != view.out.shape[0]  # of one sample
        return Step(node, node.inputs, lambda ops: ops[0].reshape(view.out.shape if whole else (len(ops[0]), *tail)))
    activations = lowered.inputs[: len(lowered.inputs) - len(constants)]
    return Step(node, activations, lambda operands: op.reference(attrs, [*operands, *values])[0])


def quantize(real: Array, scale: float, zero_point: int, dtype: str) -> Array:
    """Reals to levels, in single precision and halves away from zero, as TensorFlow Lite's reference kernel."""
    info = np.iinfo(dtype)
    ratio = (np.asarray(real, np.float32) / np.float32(scale)).astype(np.float64)
    levels = np.trunc(ratio + np.copysign(0.5, ratio)) + zero_point
    return np.asarray(np.clip(levels, info.min, info.max).astype(dtype))


def dequantize(levels: Array, scale: float, zero_point: int) -> Array:
    """Levels to reals, float32."""
    return np.asarray((scale * (levels.astype(np.int64) - zero_point)).astype(np.float32))


def _quantize(view: View, x: Array) -> Array:
    return quantize(x, view.out.q.scale, view.out.q.zero_point, view.out.dtype)


def _dequantize(view: View, x: Array) -> Array:
    return dequantize(x, view.x.q.scale, view.x.q.zero_point)


def _numbers(view: View, key: str) -> list[int]:
    return [int(v) for v in str(view.node.attrs[key]).split(",")]


def _space_to_batch(view: View, x: Array) -> Array:
    """Pixel (y, x) of the padded image to pixel (y // block, x // block) of the image of phase (y, x) % block."""
    blocks, pads = _numbers(view, "blocks"), _numbers(view, "pads")
    pairs = [(0, 0), *zip(pads[::2], pads[1::2], strict=True), (0, 0)]
    padded = np.pad(x, pairs, constant_values=view.out.q.zero_point)
    count = len(blocks)
    split: list[int] = [len(x)]
    for size, block in zip(padded.shape[1:], blocks, strict=False):
        split += [size // block, block]
    phases, places = [2 + 2 * i for i in range(count)], [1 + 2 * i for i in range(count)]
    dealt = padded.reshape(*split, x.shape[-1]).transpose(*phases, 0, *places, 2 * count + 1)
    return np.ascontiguousarray(dealt).reshape(-1, *view.out.shape[1:])


def _batch_to_space(view: View, x: Array) -> Array:
    """The inverse, less what is cropped."""
    blocks, crops = _numbers(view, "blocks"), _numbers(view, "crops")
    count, sizes = len(blocks), x.shape[1:-1]
    apart = x.reshape(*blocks, -1, *sizes, x.shape[-1])
    order = [count, *(axis for i in range(count) for axis in (count + 1 + i, i)), 2 * count + 1]
    whole = apart.transpose(order).reshape(-1, *(s * b for s, b in zip(sizes, blocks, strict=True)), x.shape[-1])
    for axis, (before, after) in enumerate(zip(crops[::2], crops[1::2], strict=True), start=1):
        whole = np.take(whole, range(before, whole.shape[axis] - after), axis)
    return whole


_DEALING = ("space_to_batch", "batch_to_space")
_DIRECT: dict[str, Callable[[View, Array], Array]] = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "space_to_batch": _space_to_batch,
    "batch_to_space": _batch_to_space,
}
