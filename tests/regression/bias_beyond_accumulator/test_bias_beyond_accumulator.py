"""A bias of more than 32 bits of its accumulator's unit was cut off, where a source asks for the nearest levels."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.errors import UnsupportedError
from edgekc.fuzzing.values import quant
from edgekc.graph.ir import Graph, Node, Role, Stage, Tensor, constant
from edgekc.ops.shared.anchored import NEAREST, coarse


@pytest.mark.parametrize("scale", [1e-9, 1e-30], ids=["too-large", "no-unit"])
def test_it_is_refused(scale: float) -> None:
    tensors = {
        "x": Tensor("x", (1, 2), "int8", quant(scale)),
        "w": constant("w", np.ones((1, 2), np.int8), Role.WEIGHTS, quant(scale)),
        "b": constant("b", np.array([2**20], np.int32), Role.BIAS, quant(1e-9)),
        "y": Tensor("y", (1, 1), "int8", quant(0.1)),
    }
    node = Node("fully_connected", "y", ("x", "w", "b"), ("y",), {"activation": "none", NEAREST: 1})
    graph = Graph("net", Stage.QUANTIZED, tensors, (node,), ("x",), ("y",), {})
    with pytest.raises(UnsupportedError, match="does not fit an accumulator of 32 bits"):
        coarse(graph, node)
