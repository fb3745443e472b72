"""Comparisons and choices in files: what LiteRT says of whole chains, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import reference
from edgekc.errors import EdgekcError
from edgekc.graph.ir import AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.pipeline import to_integer

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
Q = Quant((0.03125,), (3,))
X, OTHER = Tensor("x", (1, 256), "int8", Q), Tensor("o", (1, 256), "int8", Quant((0.0625,), (0,)))
EVERY = np.arange(256, dtype=np.uint8).view(np.int8).reshape(1, 256)
ONE = constant("k", np.array(40, np.int8), Role.WEIGHTS, Q)
TWO = constant("j", np.array(-9, np.int8), Role.WEIGHTS, Q)


def truth(name: str) -> Tensor:
    return Tensor(name, (1, 256), "bool")


def node(op: str, inputs: Sequence[Tensor], out: Tensor, **attrs: AttrValue) -> View:
    return View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), attrs), tuple(inputs), (out,))


def file(views: Sequence[View]) -> bytes:
    return oracle.network(views, ["x"], [views[-1].out.name])


Y = Tensor("y", (1, 256), "int8", Q)
LESS = node("compare", [X, ONE], truth("less"), relation="less")
CHAINS = {
    "clip": [LESS, node("select", [truth("less"), X, ONE], Y)],
    "not": [LESS, node("logical_not", [truth("less")], truth("y"))],
    "equal-truths": [
        LESS,
        node("logical_not", [truth("less")], truth("not")),
        node("compare", [truth("less"), truth("not")], truth("y"), relation="equal"),
    ],
    "number": [
        LESS,
        node("cast", [truth("less")], Tensor("f", (1, 256), "float32")),
        node("quantize", [Tensor("f", (1, 256), "float32")], Tensor("y", (1, 256), "int8", Quant((0.25,), (-7,)))),
    ],
    "float-output": [LESS, node("cast", [truth("less")], Tensor("y", (1, 256), "float32"))],
    "two-constants": [LESS, node("select", [truth("less"), TWO, ONE], Y)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_equal_litert(name: str) -> None:
    data = file(CHAINS[name])
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    found = reference.outputs(graph, [EVERY])[0]
    np.testing.assert_array_equal(found, oracle.interpret(data, [EVERY])[0])


MASK = Tensor("m", (1, 256), "bool", data=np.zeros((1, 256), bool))
REFUSED = {
    "comparison of .* with scale 2.0": [
        node("compare", [Tensor("x", (1, 256), "int8", Quant((2.0,), (0,))), ONE], truth("y"), relation="less")
    ],
    "input 0: type bool": [node("logical_not", [Tensor("x", (1, 256), "bool")], truth("y"))],
    "has type int8; supported: bool": [node("logical_and", [X, X], truth("y"))],
    "a change of type; supported": [node("cast", [X], Tensor("y", (1, 256), "float32"))],
    "condition .* has type int8": [node("select", [X, X, X], Y)],
    "differ in scale or zero point": [LESS, node("select", [truth("less"), X, OTHER], Y)],
    "one of each": [node("select", [MASK, X, X], Y)],
    "different scales or zero points": [
        node("select", [MASK, X, ONE], Tensor("y", (1, 256), "int8", Quant((1.5,), (0,))))
    ],
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_covered_is_refused(said: str) -> None:
    views = REFUSED[said]
    if any(t is OTHER for view in views for t in view.inputs):
        views = [node("quantize", [X], OTHER), *views]
    with pytest.raises(EdgekcError, match=said):
        to_integer(import_tflite(file(views), "net", "net.tflite"), {})
