"""SVDF: whole files over sequences against LiteRT, generated code, and the variants that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekc
from edgekc.emulate import imported, reference
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Graph, Tensor
from edgekc.importers import import_model
from edgekc.pipeline import to_integer

memory_filters = pytest.importorskip("memory_filters", reason="the writer of .tflite files needs the package tflite")
streaming = pytest.importorskip("streaming")
oracle = memory_filters.oracle
STEPS = 25  # more than any memory has


def graph_of(path: Path, file: bytes) -> Graph:
    (path / "net.tflite").write_bytes(file)
    return import_model(path / "net.tflite", "net")


@pytest.mark.parametrize("seed", range(8))
def test_steps_in_a_row_equal_litert(seed: int, tmp_path: Path) -> None:
    oracle.missing() and pytest.skip(oracle.missing())
    view, rng = memory_filters.made(seed)
    file = memory_filters.file(view, {"bias": None} if seed % 3 == 0 else None)
    samples = [[rng.integers(-128, 128, view.x.shape).astype(np.int8)] for _ in range(STEPS)]
    expected = np.concatenate([row[0] for row in streaming.interpret(file, samples)])
    graph = graph_of(tmp_path, file)
    inputs = [np.concatenate([row[0] for row in samples])]
    for (found,) in (
        imported.outputs(imported.prepare(graph), inputs),
        reference.outputs(to_integer(graph, {}), inputs),
    ):
        np.testing.assert_array_equal(found.ravel(), expected.ravel())


def test_generated_code_keeps_the_state(tmp_path: Path) -> None:
    view, _ = memory_filters.made(6)
    (tmp_path / "net.tflite").write_bytes(memory_filters.file(view))
    program = edgekc.compile(tmp_path / "net.tflite", board="linux-aarch64", name="net")
    assert program.verify(device=False).ok


def test_the_state_starts_with_zeros(tmp_path: Path) -> None:
    view, _ = memory_filters.made(4)
    (state,) = graph_of(tmp_path, memory_filters.file(view)).states
    assert state.initial.shape == (1, 2 * view.inputs[3].value.size)
    assert not state.initial.any()


def _changed(name: str, **fields: Any) -> dict[str, Any]:
    view = memory_filters.made(4)[0]
    tensors = {t.name: t for t in (*view.inputs, replace(view.out, name="out", shape=(1, view.inputs[4].shape[0])))}
    tensors["state"] = Tensor("state", (1, view.inputs[3].value.size), "int16", view.inputs[3].quant)
    t = replace(tensors[name], **fields)
    return dict(changed={name: t})


FEATURE, TIME = (t.value for t in memory_filters.made(4)[0].inputs[2:4])
UNITS = memory_filters.made(4)[0].inputs[4].shape[0]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "activation": (dict(activation=0), "fused activation number 0; supported: RELU"),
    "rank": (dict(rank=7 * len(FEATURE)), "with rank"),
    "rank of 0": (dict(rank=0), "with rank 0"),
    "int8 time": (_changed("time", dtype="int8", data=TIME.astype(np.int8)), "time .* has type int8; supported: int16"),
    "int8 state": (_changed("state", dtype="int8"), "state .* of type int8"),
    "state": (_changed("state", shape=(1, 3 * TIME.size)), "state .* of shape"),
    "out": (_changed("out", shape=(1, 99)), "an output of shape"),
    "bias": (_changed("bias", dtype="int8", data=np.zeros(UNITS, np.int8)), "unit_bias .* has type int8"),
    "steps": (_changed("x", shape=(2, FEATURE.shape[1])), "batch"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_variants_are_refused_by_name(what: str, tmp_path: Path) -> None:
    changes, text = REFUSED[what]
    with pytest.raises(EdgekcError, match=text):
        graph_of(tmp_path, memory_filters.file(memory_filters.made(4)[0], **changes))


def test_sums_that_leave_32_bits_are_refused(tmp_path: Path) -> None:
    view, _ = memory_filters.made(4)
    view = replace(view, node=replace(view.node, attrs={"state_scale": 1e-12}))
    with pytest.raises(EdgekcError, match="sums of a filter leave 32 bits"):
        to_integer(graph_of(tmp_path, memory_filters.file(view)), {})
