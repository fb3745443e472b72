"""No kernel is told of more centers than an index can name; the operators' cases run each on such a layer, guarded."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.graph.bits import index_bits
from edgekc.graph.ir import Node, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import OPS

CLUSTERED = sorted(name for name in OPS if name.startswith("clustered"))


@pytest.mark.parametrize("name", CLUSTERED)
def test_centers_that_no_index_can_name_are_not_counted(name: str) -> None:
    op = OPS[name]
    cases = [case for case in op.cases(np.random.default_rng(0)) if case.name.endswith("-unused")]
    assert cases
    for case in cases:
        x, *held = case.inputs
        inputs = [
            Tensor("x", x.shape, "int8"),
            *(constant(str(i), value, Role.REQUANT) for i, value in enumerate(held)),
        ]
        (shape,) = op.infer(case.attrs, [value.shape for value in case.inputs])
        node = Node(name, "layer", tuple(t.name for t in inputs), ("y",), dict(case.attrs))
        view = View(node, tuple(inputs), (Tensor("y", shape, "int8"),))
        bits = index_bits(view.indices.value)
        assert view.centers.shape[1] > 1 << bits
        for kernel in op.kernels:
            if kernel.accepts(view):
                assert kernel.params(view)["center_count"] == 1 << bits, kernel.symbol
