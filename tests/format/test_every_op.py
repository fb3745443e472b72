"""Every operator in every one of its cases goes through the format, whole and damaged."""

from __future__ import annotations

import random

import graphs
import numpy as np
import pytest

from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import OPERAND_ROLES, Case, Op
from edgekc.ops import OPS


def graph_of(op: Op, case: Case) -> Graph:
    """The case as a net of one layer; operands that C reads through a pointer in its struct are constants."""
    pointers = {name for kernel in op.kernels for c_type, name in kernel.fields if c_type.endswith("*")}
    tensors: dict[str, Tensor] = {}
    names = [*op.operands, *(f"more{i}" for i in range(len(case.inputs) - len(op.operands)))]
    for operand, value in zip(names, case.inputs, strict=True):
        name = f"layer/{operand}"
        role = OPERAND_ROLES.get(operand, Role.WEIGHTS)
        quant = Quant((1.0,), (0,)) if role is Role.CENTERS else None
        is_constant = operand in pointers
        tensors[name] = (
            constant(name, value, role, quant) if is_constant else Tensor(name, value.shape, value.dtype.name)
        )
    inputs = tuple(n for n, t in tensors.items() if t.data is None)
    (out,) = op.reference(case.attrs, case.inputs)
    node = Node(op.name, "layer", tuple(tensors), ("out",), case.attrs)
    tensors["out"] = Tensor("out", out.shape, out.dtype.name)
    return Graph(case.name, Stage.INTEGER, tensors, (node,), inputs, ("out",), {})


@pytest.mark.parametrize("damages", [8, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", sorted(OPS))
def test_cases(name: str, damages: int) -> None:
    rng = random.Random(name)
    for case in OPS[name].cases(np.random.default_rng(0)):
        graph = graph_of(OPS[name], case)
        data = pack(graph)
        graphs.same(graph, unpack(data, "x"))
        assert pack(unpack(data, "x")) == data
        for _ in range(damages):
            damaged = bytearray(data)
            damaged[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            damaged[-rng.randrange(1, min(len(data), 150))] = rng.randrange(256)
            graphs.survives(graphs.sealed(bytes(damaged)))
