"""A constant operand where none may be, and an activation where a constant must be, is one clear error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekc.errors import ModelError, UnsupportedError
from edgekc.graph.ir import REAL, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case, Constant, Op, View, computed, operand_at
from edgekc.ops import OPERANDS, OPS
from edgekc.ops.legal import check
from edgekc.passes.lower import lower

QUANT = Quant((0.5,), (0,))


def _quant(dtype: str) -> Quant:
    return REAL if dtype == "float32" else QUANT


def graph_of(op: Op, case: Case, constants: set[int]) -> Graph:
    """The case as a net of one layer, whose inputs of these indices are constants."""
    tensors: dict[str, Tensor] = {"spare": Tensor("spare", (1, 1), "int8", QUANT)}
    for i, value in enumerate(case.inputs):
        operand, name = operand_at(op, i), f"in{i}"
        quant = Quant((1.0,), (0,)) if operand.role is Role.CENTERS else QUANT
        given = constant(name, value, operand.role or Role.WEIGHTS, quant)
        tensors[name] = (
            given if i in constants else Tensor(name, value.shape, value.dtype.name, _quant(value.dtype.name))
        )
    (out,) = op.reference(case.attrs, case.inputs)
    tensors["out"] = Tensor("out", out.shape, out.dtype.name, _quant(out.dtype.name))
    inputs = tuple(n for n, t in tensors.items() if t.data is None and n != "out")
    node = Node(op.name, "layer", tuple(f"in{i}" for i in range(len(case.inputs))), ("out",), case.attrs)
    return Graph("net", Stage.INTEGER, tensors, (node,), inputs, ("out",), {})


@pytest.mark.parametrize("name", OPS)
def test_each_operand_is_what_its_record_says(name: str) -> None:
    op = OPS[name]
    case = op.cases(np.random.default_rng(0))[0]
    kinds = [operand_at(op, i).constant for i in range(len(case.inputs))]
    right = {i for i, kind in enumerate(kinds) if kind is not Constant.NEVER}
    check(graph_of(op, case, right))
    for i, kind in enumerate(kinds):
        if kind is Constant.NEVER:
            with pytest.raises(ModelError, match=r"is a constant, but must be|must be int8 or .*, not (float32|int32)"):
                check(graph_of(op, case, right | {i}))
        if kind is Constant.ALWAYS and case.inputs[i].dtype == np.int8:
            with pytest.raises(ModelError, match="must be a constant"):
                check(graph_of(op, case, right - {i}))


def test_operands_that_may_be_constants_come_last() -> None:
    order = list(Constant)
    for operands in OPERANDS.values():
        places = [order.index(operand.constant) for operand in operands]
        assert places == sorted(places) and not any(operand.many for operand in operands[:-1])
        assert all((operand.role is None) == (operand.constant is Constant.NEVER) for operand in operands)


def test_how_many_may_be_computed() -> None:
    assert list(computed(OPS["add"], 2)) == [1, 2]
    assert list(computed(OPS["concat"], 3)) == [3]
    assert list(computed(OPS["conv2d"], 5)) == [1]


@pytest.mark.parametrize("name", ["max_pool", "softmax", "mean", "concat"])
def test_lowering_refuses_a_constant(name: str) -> None:
    """Kernels get an argument for each activation: a constant in its place made the host's process crash."""
    windows = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w", "filter_h", "filter_w"), 1)
    windows |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0)
    attrs = {"activation": "none", "beta": 1.0, "axes": "1,2", "keep_dims": 1, "axis": 3, **windows}
    out = Tensor("out", (1, 2, 2, 4), "int8", Quant((1 / 256,), (-128,)))
    held = replace(constant("in0", np.zeros(out.shape, np.int8), Role.WEIGHTS, out.quant))
    tensors = {"input": Tensor("input", (1, 2), "int8", QUANT), "in0": held, "out": out}
    graph = Graph(
        "net", Stage.QUANTIZED, tensors, (Node(name, "layer", ("in0",), ("out",), attrs),), ("input",), ("out",), {}
    )
    with pytest.raises(UnsupportedError, match="constant"):
        lower(graph)


def test_an_operand_by_its_name() -> None:
    x, w = Tensor("x", (1, 4), "int8", QUANT), constant("w", np.zeros((2, 4), np.int8), Role.WEIGHTS, QUANT)
    view = View(Node("fully_connected", "layer", ("x", "w"), ("y",), {}), (x, w), ())
    assert view.weights is w and not view.has("bias")
    with pytest.raises(ModelError, match="fully_connected has no bias"):
        _ = view.bias
    with pytest.raises(KeyError, match="but not centers"):
        _ = view.centers
