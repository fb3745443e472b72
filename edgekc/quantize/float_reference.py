"""A FLOAT graph and inputs to every activation, in float32 numpy: what calibration and accuracy are measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..errors import ModelError, UsageError
from ..graph.ir import Array, Graph, Node
from ..graph.op import view_of
from ..ops import in_reals


def run(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    """All activations by name, float32, graph inputs included.

    Args:
        inputs: one array per graph input, (batch, *shape[1:]) of any real type; the batch is free, and every
            activation of it is kept, so feed large sets in chunks or call `outputs`. With states the samples are
            the steps of one sequence, from its start.

    Raises:
        UsageError: number or shape of the inputs is not what the graph takes.
        UnsupportedError: an operator has no float definition.
    """
    if graph.states:
        steps = list(_steps(graph, inputs))
        return {name: np.concatenate([values[name] for values in steps]) for name in steps[0]}
    values = _inputs(graph, inputs)
    for name, value in _walk(graph, values):
        values[name] = value
    return values


def outputs(graph: Graph, inputs: Sequence[Array], chunk: int = 128) -> list[Array]:
    """The graph's outputs only, (batch, *shape[1:]) float32; at most `chunk` samples are in memory at a time.

    With states the samples are the steps of one sequence, from its start.
    """
    parts = []
    if graph.states:
        parts = [[values[name] for name in graph.outputs] for values in _steps(graph, inputs)]
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    readers = {
        name: max([i for i, n in enumerate(graph.nodes) if name in n.inputs], default=-1) for name in graph.tensors
    }
    for start in range(0, max(len(inputs[0]), 1), chunk):
        values = _inputs(graph, [x[start : start + chunk] for x in inputs])
        for index, (name, value) in enumerate(_walk(graph, values)):
            values[name] = value
            for old in graph.nodes[index].inputs:  # free what nobody reads any more
                if readers[old] == index and old not in graph.outputs:
                    values.pop(old, None)
        parts.append([values[name] for name in graph.outputs])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def in_parts(of: Callable[[slice], Array], count: int, size: int) -> Array:
    """What a function makes of `count` samples, `size` at a time: operators hold several times what they read."""
    if count <= size:
        return of(slice(0, count))
    first = of(slice(0, size))
    out = np.empty((count, *first.shape[1:]), first.dtype)
    out[:size] = first
    for at in range(size, count, size):
        part = slice(at, min(at + size, count))
        out[part] = of(part)
    return out


def _steps(graph: Graph, inputs: Sequence[Array]) -> Iterator[dict[str, Array]]:
    """All activations of one step after the other, states at its start included."""
    kept = {s.start: s.initial for s in graph.states}
    for i in range(len(inputs[0])):
        values = {**_inputs(graph, [x[i : i + 1] for x in inputs]), **kept}
        for name, value in _walk(graph, values):
            values[name] = value
        kept = {s.start: values[s.end] for s in graph.states}
        yield values


def _inputs(graph: Graph, inputs: Sequence[Array]) -> dict[str, Array]:
    if len(inputs) != len(graph.inputs):
        raise UsageError(f"{len(inputs)} arrays for {len(graph.inputs)} inputs", where=graph.name)
    values = {}
    for name, x in zip(graph.inputs, inputs, strict=True):
        shape = graph.tensors[name].shape
        if x.shape[1:] != shape[1:]:
            raise UsageError(f"samples of shape {list(x.shape[1:])}, expected {list(shape[1:])}", where=f"input {name}")
        values[name] = np.ascontiguousarray(x, np.float32)
    return values


def _walk(graph: Graph, values: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """(name, value) of each node's output, in order; the caller puts them into `values`."""
    for node in graph.nodes:
        yield node.outputs[0], run_node(graph, node, values)


def run_node(graph: Graph, node: Node, values: Mapping[str, Array]) -> Array:
    """A node's output from the activations that it reads, each (batch, *shape[1:]); constants are the graph's.

    Raises:
        ModelError: the file states other shapes than its operators make.
    """
    view = view_of(graph, node)
    operands = [values[n] if n in values else graph.tensors[n].value for n in node.inputs]
    stated = list(view.out.shape)
    try:
        value = in_reals(view, operands)
    except ValueError as error:  # numpy's, of shapes that do not go together
        shapes = ", ".join(str(list(t.shape)) for t in view.inputs)
        what = f"{node.op} makes no {stated} of {shapes} ({error})"
        raise ModelError(what, where=node.name, fix="export the model again") from error
    if value.shape[1:] != view.out.shape[1:]:
        what = f"the file gives its output shape {stated}, its inputs make {[*stated[:1], *value.shape[1:]]}"
        raise ModelError(what, where=node.name, fix="export the model again")
    return value
