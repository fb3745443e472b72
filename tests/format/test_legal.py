"""Graphs that must not walk on: one defect each, built in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import graphs
import numpy as np
import pytest

from edgekc.errors import ModelError
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, State, Tensor, constant
from edgekc.ops.legal import check

CONV, DENSE = 0, 2


def tensor(name: str, /, **change: object) -> Callable[[Graph], Graph]:
    return lambda g: replace(g, tensors={**g.tensors, name: replace(g.tensors[name], **change)})  # type: ignore[arg-type]


def const(name: str, value: np.ndarray, role: Role) -> Callable[[Graph], Graph]:
    return lambda g: replace(g, tensors={**g.tensors, name: constant(name, value, role)})


def node(index: int, **change: object) -> Callable[[Graph], Graph]:
    def apply(g: Graph) -> Graph:
        nodes = list(g.nodes)
        nodes[index] = replace(nodes[index], **change)  # type: ignore[arg-type]
        return replace(g, nodes=tuple(nodes))

    return apply


def attr(index: int, **change: object) -> Callable[[Graph], Graph]:
    return lambda g: node(index, attrs={**g.nodes[index].attrs, **change})(g)


def graph(**change: object) -> Callable[[Graph], Graph]:
    return lambda g: replace(g, **change)  # type: ignore[arg-type]


def states(*new: State) -> Callable[[Graph], Graph]:
    return lambda g: replace(g, states=new)


KEPT, PAST = graphs.streaming().states
STATES = [
    (states(KEPT, replace(PAST, end="dense_kept")), "twice among the ends"),
    (states(replace(KEPT, end="nowhere")), "nowhere: the tensor does not exist"),
    (states(replace(KEPT, start="dense")), "written before"),
    (states(KEPT, KEPT), "written before"),
    (states(replace(KEPT, end="dense")), "dense: a state's end must be written by a node that moves no bytes"),
    (states(replace(KEPT, end="mean")), "mean: a state's end must be written by a node that moves no bytes"),
    (states(replace(KEPT, end="input_kept")), r"the state starts as int8\[1, 3\] and ends as int8\[1, 2, 2\]"),
    (states(replace(KEPT, initial=np.zeros((1, 3), np.int16))), r"the first value is int16\[1, 3\]"),
    (states(replace(KEPT, initial=np.zeros((1, 2), np.int8))), r"the first value is int8\[1, 2\]"),
    (states(), "reads mean before it is written"),
]


@pytest.mark.parametrize(("change", "message"), STATES)
@pytest.mark.parametrize("stage", list(Stage))
def test_states(stage: Stage, change: Callable[[Graph], Graph], message: str) -> None:
    check(replace(graphs.streaming(), stage=stage))
    with pytest.raises(ModelError, match=message):
        check(change(replace(graphs.streaming(), stage=stage)))


EVERY_STAGE = [
    (graph(inputs=()), "at least one input"),
    (graph(outputs=()), "at least one input and one output"),
    (graph(outputs=("nowhere",)), "nowhere: the tensor does not exist"),
    (graph(outputs=("dense", "dense")), "twice among the outputs"),
    (graph(outputs=("conv/bias",)), "never written"),
    (graph(inputs=("input", "input")), "written before"),
    (graph(inputs=("conv/bias",)), "writes the constant"),
    (node(DENSE, inputs=("nowhere",)), "does not exist"),
    (node(CONV, outputs=("conv/bias",)), "writes the constant"),
    (node(DENSE, outputs=("conv",)), "written before"),
    (node(DENSE, name="conv"), "two nodes have this name"),
    (lambda g: replace(g, nodes=g.nodes[::-1]), "before it is written"),
    (tensor("conv", name="other"), "calls itself other"),
    (tensor("conv", role=Role.WEIGHTS), "no value"),
    (tensor("conv/bias", role=Role.ACTIVATION), "a value"),
    (tensor("conv/bias", shape=(5,)), r"the value is int32\[4\], not int32\[5\]"),
    (tensor("conv/bias", dtype="int8"), "not int8"),
]
INTEGER_STAGE = [
    (tensor("conv", dtype="float32"), "conv2d computes in integers"),
    (tensor("conv", shape=(1, 4, 5, 0)), "impossible shape"),
    (tensor("conv", shape=(1,) * 9), "impossible shape"),
    (tensor("conv", shape=(1, 1, 1, 65536)), "exceeds 65535"),
    (tensor("conv", shape=(1, 4, 5, 5)), "output shapes"),
    (tensor("input", quant=Quant((0.1,), (0,))), "impossible scale"),  # 0.1 is no float32
    (tensor("input", quant=Quant((0.5,), (-129,))), "zero point -129"),
    (tensor("input", quant=Quant((0.5, 0.5), (0, 0))), "one scale"),
    (node(CONV, op="conv3d"), "operator conv3d does not exist"),
    (node(CONV, inputs=("input",)), "1 operands, expected 5"),
    (
        lambda g: graph(inputs=("input", "dense/weights"))(tensor("dense/weights", data=None, role=Role.ACTIVATION)(g)),
        "weights of fully_connected must be a constant",
    ),
    (node(CONV, inputs=("conv/bias", *[f"conv/{k}" for k in ("weights", "bias", "multiplier", "shift")])), "conv"),
    (node(CONV, attrs={}), "other attributes"),
    (attr(CONV, extra=1), "extra"),
    (attr(CONV, rounding=True), "not an integer"),
    (attr(CONV, rounding=1.0), "not an integer"),
    (attr(CONV, stride_h=0), "stride_h of conv2d is 0, expected 1"),
    (attr(CONV, rounding=7), "rounding of conv2d is 7, expected 0 to 1"),
    (attr(CONV, out_zero=2**13), "out_zero of conv2d is 8192, expected -8192 to 8191"),
    (attr(CONV, act_min=5, act_max=4), "act_min 5 is above act_max 4"),
    (attr(CONV, pad_top=-100), "pad_top of conv2d is -100"),
    (const("conv/bias", np.zeros(1, np.int32), Role.BIAS), "do not fit 4 channels"),
    (const("conv/multiplier", np.ones(3, np.int32), Role.REQUANT), "do not fit 4 channels"),
    (const("conv/shift", np.zeros(1, np.int8), Role.REQUANT), "do not fit 4 channels"),
    (const("conv/shift", np.full(4, 31, np.int8), Role.REQUANT), "-31 to 30"),
    (const("conv/multiplier", np.full(4, -1, np.int32), Role.REQUANT), "negative"),
    (const("conv/shift", np.zeros(4, np.int32), Role.REQUANT), "must be const int8_t"),
    (const("conv/weights", np.zeros((4, 3, 3, 3), np.float32), Role.WEIGHTS), "computes in integers"),
    (const("conv/weights", np.zeros((4,), np.int8), Role.WEIGHTS), "4 dimensions"),
    (const("conv/weights", np.zeros((4, 3, 3, 2), np.int8), Role.WEIGHTS), "channels"),
]


def test_sound_graphs_pass() -> None:
    check(graphs.tiny())
    check(graphs.deep())
    check(replace(graphs.tiny(), stage=Stage.QUANTIZED))


@pytest.mark.parametrize(("change", "message"), EVERY_STAGE)
@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage(stage: Stage, change: Callable[[Graph], Graph], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check(change(replace(graphs.tiny(), stage=stage)))


@pytest.mark.parametrize(("change", "message"), INTEGER_STAGE)
def test_integer_stage(change: Callable[[Graph], Graph], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check(change(graphs.tiny()))


@pytest.mark.usefixtures("holder_op")
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (constant("c", np.zeros((2, 2), np.int16), Role.CENTERS), "no quantisation"),
        (constant("c", np.zeros((2, 2), np.int16), Role.CENTERS, Quant((1.0,), (0,))), "every index"),
        (constant("c", np.zeros((2, 2), np.int16), Role.CENTERS, Quant((1.0, 0.75), (0, 0))), "2\\*\\*-point"),
        (constant("c", np.zeros((1, 2), np.int16), Role.CENTERS, Quant((2.0**-64,), (0,))), "2\\*\\*-point"),
        (constant("c", np.zeros((1, 2), np.int16), Role.CENTERS, Quant((-1.0,), (0,))), "2\\*\\*-point"),
        (constant("c", np.zeros((1, 2), np.int16), Role.CENTERS, Quant((1.0,), (1,))), "zero points of 0"),
        (constant("c", np.zeros((2, 3), np.float16), Role.PAIRS), "last axis of 2"),
        (constant("c", np.zeros((2, 2), np.float32), Role.PAIRS), "must be float16"),
        (constant("c", np.zeros((2, 2), np.int8), Role.INDEX), "must be uint8"),
    ],
)
def test_compressed_constants(tensor: Tensor, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check(graphs.holder([tensor]))


def test_damage_behind_a_shape_rule_is_a_model_error() -> None:
    """Shape rules may index into shapes that only sound files have."""
    g = graphs.tiny()
    flat = {**g.tensors, "input": replace(g.tensors["input"], shape=())}
    first: Node = g.nodes[0]
    with pytest.raises(ModelError, match="conv"):
        check(replace(g, tensors=flat, nodes=(first, *g.nodes[1:])))
