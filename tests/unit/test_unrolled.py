"""Recurrences that the converter has unrolled: they start from zeros, and every step has the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekc.emulate import imported, reference
from edgekc.format.pack import pack
from edgekc.graph.ir import Array, AttrValue, Graph, Quant, Role, Tensor, constant
from edgekc.importers import import_model
from edgekc.pipeline import to_integer

oracle = pytest.importorskip("oracle", reason="the writer of .tflite files needs the package tflite")
from edgekc.fuzzing.layers import SIGNED_UNIT, Builder, linear  # noqa: E402
from edgekc.fuzzing.values import tensor  # noqa: E402

UNITS, STEPS = 12, 5
ROOMY = 1  # a seed of which no channel is constant


def elman(seed: int, *, as_output: bool = False) -> bytes:
    """h = tanh(W x + U h), STEPS times. `as_output`: what the zeros alone make of it is an output too."""
    b = Builder(np.random.default_rng([seed, 21]), extreme=False)
    x = tensor("x", (1, 8), b.quant())
    h = zeros(b)
    w, u = (b.rng.integers(-127, 128, (UNITS, n)).astype(np.int8) for n in (8, UNITS))
    first: list[str] = []
    for _ in range(STEPS):
        a, c = layer(b, x, w), layer(b, h, u)
        first = first or [c.name]
        q = b.quant()
        s = b.emit("add", {"activation": "none"}, [c, a], b.new("add", (1, UNITS), q))
        h = b.emit("tanh", {}, [s], b.new("tanh", (1, UNITS), SIGNED_UNIT))
    return bytes(oracle.network(b.views, ["x"], [h.name, *(first if as_output else ())]))


def zeros(b: Builder) -> Tensor:
    dims = constant("dims", np.array([1, UNITS], np.int32), Role.WEIGHTS)
    value = Tensor("value", (), "int8", SIGNED_UNIT, Role.WEIGHTS, np.array(SIGNED_UNIT.zero_point, np.int8))
    return b.emit("fill", {}, [dims, value], tensor("zeros", (1, UNITS), SIGNED_UNIT))


def layer(b: Builder, x: Tensor, weights: Array) -> Tensor:
    """The same weights in each step, under another output scale."""
    none: dict[str, AttrValue] = {}
    return linear(b, "fully_connected", none, x, weights, 0, (1, UNITS), bounded=True)


def imported_graph(file: bytes, folder: Path) -> Graph:
    (folder / "net.tflite").write_bytes(file)
    return import_model(folder / "net.tflite", "net")


@pytest.mark.parametrize("seed", range(4))
def test_an_unrolled_recurrence_equals_litert(seed: int, tmp_path: Path) -> None:
    if reason := oracle.missing():
        pytest.skip(reason)
    file = elman(seed)
    x = np.random.default_rng(seed).integers(-128, 128, (20, 8)).astype(np.int8)
    expected = np.concatenate([oracle.interpret(file, [row[None]])[0] for row in x])
    graph = imported_graph(file, tmp_path)
    np.testing.assert_array_equal(imported.outputs(imported.prepare(graph), [x])[0], expected)
    packed = to_integer(graph, {})
    np.testing.assert_array_equal(reference.outputs(packed, [x])[0], expected)


def test_what_zeros_alone_compute_runs_nowhere(tmp_path: Path) -> None:
    graph = imported_graph(elman(0), tmp_path)
    packed = to_integer(graph, {})
    kinds = [node.op for node in packed.nodes]
    assert kinds.count("fully_connected") == 2 * STEPS - 1
    assert sum(node.op == "fully_connected" for node in graph.nodes) == 2 * STEPS


def test_weights_of_all_steps_are_stored_once(tmp_path: Path) -> None:
    packed = to_integer(imported_graph(elman(ROOMY), tmp_path), {})
    stored = sum(t.nbytes for t in packed.tensors.values() if t.role is Role.WEIGHTS and t.shape[-1] in (8, UNITS))
    assert stored == UNITS * (8 + UNITS) + UNITS  # and what the zeros alone made
    assert len(pack(packed)) < 6000


def test_double_rounding_reaches_the_constants_too(tmp_path: Path) -> None:
    """What is computed when the model is compiled rounds as the same layer does on the device."""
    graph = imported_graph(elman(1), tmp_path)
    x = np.zeros((1, 8), np.int8)
    for rounding in ("tflite", "double"):
        packed = to_integer(graph, {}, rounding)
        np.testing.assert_array_equal(
            reference.outputs(packed, [x])[0], imported.outputs(imported.prepare(graph, rounding), [x])[0]
        )


def test_scales_of_fill_are_the_outputs(tmp_path: Path) -> None:
    graph = imported_graph(elman(2), tmp_path)
    inputs = [graph.tensors[node.inputs[0]] for node in graph.nodes if node.op == "fully_connected"]
    (made,) = [t for t in inputs if t.data is not None]
    assert made.quant == Quant(SIGNED_UNIT.scales, SIGNED_UNIT.zero_points) and not made.value.any()
