from __future__ import annotations

from pathlib import Path

import numpy as np
import oracle
import pytest

from edgekc.emulate import imported, reference
from edgekc.graph.ir import Array, Graph
from edgekc.importers import import_model
from edgekc.pipeline import to_integer

MODEL = Path(__file__).parent / "pruned.tflite"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_model(MODEL, "pruned")


@pytest.fixture(scope="module")
def inputs() -> Array:
    x = np.random.default_rng(1).integers(-128, 128, (18, 4, 4, 3)).astype(np.int8)
    x[0], x[1] = -128, 127
    return x


def test_it_is_the_file(graph: Graph, inputs: Array) -> None:
    expected = imported.outputs(imported.prepare(graph), [inputs])[0]
    assert len(np.unique(expected)) > 50  # there is something to be right about
    assert np.array_equal(reference.outputs(to_integer(graph, {}), [inputs])[0], expected)


@pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())
def test_it_is_litert_s(graph: Graph, inputs: Array) -> None:
    expected = np.concatenate([oracle.interpret(MODEL.read_bytes(), [x[None]])[0] for x in inputs])
    assert np.array_equal(reference.outputs(to_integer(graph, {}), [inputs])[0], expected)
