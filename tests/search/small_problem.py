"""A small network and samples of it, for tests of a search's engine."""

from __future__ import annotations

import numpy as np
from float_nets import FloatNet

from edgekc.data import Dataset
from edgekc.evaluate import classes_of
from edgekc.exploration.problem import Problem
from edgekc.graph.ir import Array, Graph
from edgekc.quantize import float_reference

BOARD = "mps2-an386"


def net(seed: int = 0) -> Graph:
    """A residual block, a depthwise and a 1x1 convolution, and a fully connected layer behind their mean."""
    made = FloatNet(np.random.default_rng(seed), (1, 10, 10, 3), "relu")
    x = made.conv("input", 16)
    x = made.binary("add", x, made.conv(x, 16), "relu")
    x = made.conv(made.depthwise(made.conv(x, 32, stride=2)), 32, k=1)
    return made.graph(made.fully_connected(made.mean(x), 8))


def labelled(graph: Graph, count: int = 120) -> tuple[Array, Array]:
    """Samples with the classes that the float model gives, mean by class taken off, so that there are several."""
    x = np.random.default_rng(5).normal(0, 1, (count, 10, 10, 3)).astype(np.float32)
    scores = float_reference.outputs(graph, [x])[0]
    return x, classes_of(scores - scores.mean(0)).astype(np.int64)


def problem(graph: Graph | None = None, labels: bool = True) -> Problem:
    graph = net() if graph is None else graph
    x, y = labelled(graph)
    return Problem.open(graph, [(x, y) if labels else x], board=BOARD, name="small")


def float_scores(graph: Graph, samples: Dataset) -> Array:
    return float_reference.outputs(graph, [samples.x])[0].astype(np.float64)
