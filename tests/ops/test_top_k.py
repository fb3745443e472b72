"""TOPK_V2 in files: both of its outputs, rows in place of a batch, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from importing import import_tflite

from edgekc.emulate import reference
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Node, Quant, Tensor
from edgekc.graph.op import View
from edgekc.pipeline import to_integer

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
Q = Quant((0.03125,), (3,))


def view_of(shape: tuple[int, ...], count: int, dtypes: tuple[str, ...] = ("int8", "int32")) -> View:
    made = (*shape[:-1], count)
    outs = tuple(Tensor(f"y{i}", made, dtype, Q if dtype == "int8" else None) for i, dtype in enumerate(dtypes))
    return View(Node("top_k", "y", ("x",), ("y0", "y1"), {"count": count}), (Tensor("x", shape, "int8", Q),), outs)


@pytest.mark.parametrize("outputs", [["y0"], ["y1"], ["y1", "y0"]])
def test_outputs_equal_litert(outputs: list[str]) -> None:
    """An output that nobody reads costs nothing."""
    data = oracle.network([view_of((1, 4, 9), 3)], ["x"], outputs)
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    assert len(graph.nodes) == len(outputs)
    x = np.random.default_rng(0).integers(-3, 4, (1, 4, 9)).astype(np.int8)
    for found, expected in zip(reference.outputs(graph, [x]), oracle.interpret(data, [x]), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_rows() -> None:
    x, rows = (
        Tensor("x", (1, 3, 4, 5), "int8", Q),
        replace(view_of((12, 5), 2), inputs=(Tensor("r", (12, 5), "int8", Q),)),
    )
    rows = replace(rows, node=replace(rows.node, inputs=("r",)))
    reshape = View(Node("reshape", "r", ("x",), ("r",), {}), (x,), (Tensor("r", (12, 5), "int8", Q),))
    data = oracle.network([reshape, rows], ["x"], ["y0", "y1"])
    graph = to_integer(import_tflite(data, "net", "net.tflite"), {})
    given = np.random.default_rng(0).integers(-128, 128, x.shape).astype(np.int8)
    for found, expected in zip(reference.outputs(graph, [given]), oracle.interpret(data, [given]), strict=True):
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (view_of((1, 4), 9), "the 9 largest"),
        (view_of((7,), 2), "a batch in front"),
        (view_of((1, 4), 2, ("int8", "int8")), "output 1 has type int8"),
    ],
)
def test_what_is_not_covered_is_refused(view: View, said: str) -> None:
    with pytest.raises(EdgekcError, match=said):
        import_tflite(oracle.network([view], ["x"], ["y0", "y1"]), "net", "net.tflite")
