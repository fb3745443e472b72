"""One layer and a choice to what takes its place: a recipe's steps, on a graph that has nothing but the layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .. import recipe as rc
from ..compression.model import Model
from ..compression.state import Job, State
from ..data import Dataset
from ..graph.ir import Array, Graph, Node
from ..progress import unsaid


def compressed(graph: Graph, node: Node, steps: Sequence[dict[str, Any]], x: Array) -> Graph:
    """A FLOAT graph with one layer compressed, all else as it was.

    Args:
        node: of the graph, a layer with weights.
        steps: tables of a recipe, see `space.steps`.
        x: (n, ...) float32, what the layer reads of samples that calibrate.
    """
    names = (*node.inputs, *node.outputs)
    alone = replace(
        graph,
        tensors={name: graph.tensors[name] for name in names},
        nodes=(node,),
        inputs=node.inputs[:1],
        outputs=node.outputs,
        metadata={},
    )
    found = applied(alone, steps, Dataset(x, None, (), "activations")).model.graph
    nodes = tuple(new for old in graph.nodes for new in (found.nodes if old is node else (old,)))
    return replace(graph, tensors={**graph.tensors, **found.tensors}, nodes=nodes)


def applied(graph: Graph, steps: Sequence[dict[str, Any]], samples: Dataset) -> State:
    """What steps that train nothing make of a prepared FLOAT graph; raises as they do."""
    recipe = rc.from_table({"compress": list(steps)}, "choice")
    job = Job(graph, recipe, samples, samples, unsaid, lambda title, progress: None)
    state = State(Model(graph))
    for i, step in enumerate(recipe.compress):
        state = step.apply(replace(job, where=f"compress[{i}]"), state)
    return state
