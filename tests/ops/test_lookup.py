"""Embeddings and one-hot codes in files: chains of integers against LiteRT, and what is refused."""

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
WORDS, SHAPE = 20, (1, 256)
Q = Quant((0.03125,), (3,))
X = Tensor("x", SHAPE, "int8", Quant((float(np.float32(2 * (WORDS - 1) / 255)),), (0,)))  # from -19 to 18
REAL, NUMBER = Tensor("real", SHAPE, "float32"), Tensor("number", SHAPE, "int32")
ROWS = constant("rows", np.random.default_rng(0).integers(-128, 128, (WORDS, 3)).astype(np.int8), Role.WEIGHTS, Q)
EVERY = np.arange(256, dtype=np.uint8).view(np.int8).reshape(SHAPE)


def integer(name: str, value: int | None = None, dtype: str = "int32") -> Tensor:
    data = None if value is None else np.array(value, np.int32)
    return Tensor(name, SHAPE if value is None else (), dtype, data=data)


def node(op: str, inputs: Sequence[Tensor], out: Tensor, **attrs: AttrValue) -> View:
    return View(Node(op, out.name, tuple(t.name for t in inputs), (out.name,), attrs), tuple(inputs), (out,))


START = [node("dequantize", [X], REAL), node("cast", [REAL], NUMBER)]
FOUND = Tensor("y", (*SHAPE, 3), "int8", Q)


def file(views: Sequence[View]) -> bytes:
    return oracle.network(views, ["x"], [views[-1].out.name])


def test_an_embedding_whose_numbers_count_from_the_end() -> None:
    """As Keras writes it."""
    wrapped = [
        node("compare", [NUMBER, integer("zero", 0)], integer("below", dtype="bool"), relation="less"),
        node("add", [NUMBER, integer("count", WORDS)], integer("more")),
        node("select_whole", [integer("below", dtype="bool"), integer("more"), NUMBER], integer("place")),
        node("lookup", [integer("place"), ROWS], FOUND),
    ]
    data = file([*START, *wrapped])
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    assert [n.op for n in graph.nodes] == ["lookup"]
    np.testing.assert_array_equal(reference.outputs(graph, [EVERY])[0], oracle.interpret(data, [EVERY])[0])


def test_rows_by_the_places_of_the_largest_values() -> None:
    scores = Tensor("x", (1, 16, WORDS), "int8", Q)
    places = Tensor("places", (1, 16), "int32")
    out = Tensor("y", (1, 16, 3), "int8", Q)
    data = file([node("arg_max", [scores], places, axis=2), node("lookup", [places, ROWS], out)])
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    x = np.random.default_rng(1).integers(-128, 128, scores.shape).astype(np.int8)
    np.testing.assert_array_equal(reference.outputs(graph, [x])[0], oracle.interpret(data, [x])[0])


@pytest.mark.parametrize("depth", [1, WORDS, 2 * WORDS])
def test_one_hot_codes_of_bytes(depth: int) -> None:
    """Numbers that there is no place for are off everywhere."""
    ends = [constant(name, np.array(v, np.int8), Role.WEIGHTS, Q) for name, v in (("on", 77), ("off", -5))]
    out = Tensor("y", (*SHAPE, depth), "int8", Q)
    data = file([*START, node("one_hot", [NUMBER, integer("depth", depth), *ends], out)])
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    np.testing.assert_array_equal(reference.outputs(graph, [EVERY])[0], oracle.interpret(data, [EVERY])[0])


OTHER = Tensor("y", (*SHAPE, 3), "int8", Quant((0.5,), (0,)))
REFUSED = {
    "an input of type int32; supported: int8": [node("lookup", [integer("x"), ROWS], FOUND)],
    "different scales": [*START, node("lookup", [NUMBER, ROWS], OTHER)],
    "has type float32; supported: int8": [
        *START,
        node(
            "lookup",
            [NUMBER, constant("rows", ROWS.value.astype(np.float32), Role.WEIGHTS)],
            Tensor("y", (*SHAPE, 3), "float32"),
        ),
    ],
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_covered_is_refused(said: str) -> None:
    with pytest.raises(EdgekcError, match=said):
        to_integer(import_tflite(file(REFUSED[said]), "net", "net.tflite"), {})


def test_numbers_below_the_first_row_and_behind_the_last_get_those() -> None:
    data = file([*START, node("lookup", [NUMBER, ROWS], FOUND)])
    found = reference.outputs(to_integer(import_tflite(data, "net", "net.tflite"), {}), [EVERY])[0]
    lowest = EVERY.ravel().tolist().index(-128)
    np.testing.assert_array_equal(found[0, lowest], ROWS.value[0])
