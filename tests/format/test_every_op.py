"""Every operator in cases of each kind goes through the format, whole and damaged."""

from __future__ import annotations

import random

import graphs
import numpy as np
import pytest
from some_cases import MOST, some

from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case, Constant, Op, operand_at
from edgekc.ops import OPS


def graph_of(op: Op, case: Case) -> Graph:
    """The case as a net of one layer; operands are constants where they may be."""
    tensors: dict[str, Tensor] = {}
    for i, value in enumerate(case.inputs):
        operand = operand_at(op, i)
        name = f"layer/{operand.name}{i}"
        role = operand.role or Role.WEIGHTS
        quant = Quant((1.0,), (0,)) if role is Role.CENTERS else None
        is_constant = operand.constant is not Constant.NEVER
        tensors[name] = (
            constant(name, value, role, quant) if is_constant else Tensor(name, value.shape, value.dtype.name)
        )
    inputs = tuple(n for n, t in tensors.items() if t.data is None)
    (out,) = op.reference(case.attrs, case.inputs)
    node = Node(op.name, "layer", tuple(tensors), ("out",), case.attrs)
    tensors["out"] = Tensor("out", out.shape, out.dtype.name)
    return Graph(case.name, Stage.INTEGER, tensors, (node,), inputs, ("out",), {})


@pytest.mark.parametrize("damages", [4, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(OPS))
def test_cases(name: str, damages: int) -> None:
    rng = random.Random(name)
    for case in some(OPS[name].cases(np.random.default_rng(0)), MOST):
        graph = graph_of(OPS[name], case)
        data = pack(graph)
        graphs.same(graph, unpack(data, "x"))
        assert pack(unpack(data, "x")) == data
        for _ in range(damages):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            damaged[-rng.randrange(1, min(len(data), 150))] = rng.randrange(256)
            graphs.survives(graphs.sealed(bytes(damaged)))
