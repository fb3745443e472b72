"""UNIDIRECTIONAL_SEQUENCE_LSTM: whole files over sequences against LiteRT, and the variants that are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekc
from edgekc.api.devices import ask, sequences_of
from edgekc.emulate import imported, reference
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Array, Graph, Quant, Role, Tensor, constant
from edgekc.importers import import_model
from edgekc.ops.shared import fixed16
from edgekc.pipeline import to_integer

recurrent = pytest.importorskip("recurrent", reason="the writer of .tflite files needs the package tflite")
streaming = pytest.importorskip("streaming")
oracle = recurrent.oracle
STEPS = 6  # calls, each of a sequence's part


def graph_of(path: Path, file: bytes) -> Graph:
    (path / "net.tflite").write_bytes(file)
    return import_model(path / "net.tflite", "net")


@pytest.mark.parametrize("seed", range(12))
def test_calls_in_a_row_equal_litert(seed: int, tmp_path: Path) -> None:
    """What it keeps goes from call to call, with the time in front of the batch or behind it."""
    oracle.missing() and pytest.skip(oracle.missing())
    view, rng = recurrent.made(seed)
    file = recurrent.file(view, time_major=seed % 3 == 0)
    samples = [[rng.integers(-128, 128, view.x.shape).astype(np.int8)] for _ in range(STEPS)]
    expected = np.concatenate([row[0] for row in streaming.interpret(file, samples)])
    graph = graph_of(tmp_path, file)
    integer = to_integer(graph, {})
    inputs = [np.concatenate([row[0] for row in samples])]
    for (found,) in (imported.outputs(imported.prepare(graph), inputs), reference.outputs(integer, inputs)):
        np.testing.assert_array_equal(found.ravel(), expected.ravel())


@pytest.mark.parametrize("seed", [2, 7])
def test_generated_code_keeps_the_state(seed: int, tmp_path: Path) -> None:
    view, _ = recurrent.made(seed)
    (tmp_path / "net.tflite").write_bytes(recurrent.file(view))
    program = edgekc.compile(tmp_path / "net.tflite", board="linux-aarch64", name="net")
    assert program.verify(device=False).ok


def test_samples_may_start_anew(tmp_path: Path) -> None:
    """With `reset_each` no sample sees what came before it: on this machine, in the emulator, over the console.

    So it is where sequences of more than one sample begin.
    """
    view, rng = recurrent.made(2)
    (tmp_path / "net.tflite").write_bytes(recurrent.file(view))
    program = edgekc.compile(tmp_path / "net.tflite", board="mps2-an386", name="net")
    samples = rng.integers(-128, 128, (3, *view.x.shape[1:])).astype(np.int8)
    alone = np.concatenate([program.run(sample[None]) for sample in samples])
    assert (program.run(samples) != alone).any()
    np.testing.assert_array_equal(program.run(samples, reset_each=True), alone)
    for way in (None, edgekc.Way()):
        found = program.run(samples, device="board", way=way, reset_each=True)
        np.testing.assert_array_equal(found, alone)
    wanted = np.concatenate([alone[:1], program.run(samples[1:])]).tobytes()
    data = samples.tobytes()
    assert ask(program.folder, program.board, edgekc.Way(), data, parts=(1, 2)).outputs == wanted
    parts = sequences_of(data, program.manifest, False, (1, 2))
    assert b"".join(parts) == data and len(parts[1]) == 2 * len(parts[0])


def test_the_state_starts_with_zeros(tmp_path: Path) -> None:
    view, _ = recurrent.made(4)
    (state,) = graph_of(tmp_path, recurrent.file(view)).states
    units = view.out.shape[2]
    assert state.initial.tolist() == [[[view.out.q.zero_point] * units, [0] * units, [0] * units]]


def _some(name: str, shape: tuple[int, ...], dtype: str = "int16") -> Tensor:
    return constant(name, np.ones(shape, dtype), Role.WEIGHTS, Quant((1.0,), (0,)))


UNITS = recurrent.made(4)[0].out.shape[2]
HIDDEN = recurrent.made(4)[0].out
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "peephole": (dict(more={9: _some("peephole", (UNITS,))}), "peephole connections"),
    "projection": (dict(more={16: _some("projection", (UNITS, UNITS), "int8")}), "a projection"),
    "norm": (dict(more={20: _some("norm", (UNITS,))}), "layer normalisation"),
    "activation": (dict(options=dict(FusedActivationFunction=1)), "fused activation number 1"),
    "diagonal": (dict(options=dict(DiagonalRecurrentTensors=True)), "diagonal recurrent weights"),
    "cell": (dict(changed=dict(cell=Tensor("cell", (1, UNITS), "int16", Quant((0.3,), (0,))))), "cells with a scale"),
    "wide cell": (dict(changed=dict(cell=Tensor("cell", (1, UNITS), "int16", Quant((2.0**-8,), (0,))))), "cells with"),
    "int8 cell": (dict(changed=dict(cell=Tensor("cell", (1, UNITS), "int8", Quant((0.5,), (0,))))), "cell state"),
    "inside": (dict(changed=dict(inside=replace(HIDDEN, name="inside", shape=(0,), quant=Quant((0.5,), (0,))))), "scale inside"),  # noqa: E501
    "out": (dict(changed=dict(out=Tensor("out", (1, recurrent.made(4)[0].x.shape[1], UNITS), "int8", Quant((0.5,), (0,))))), "another scale"),  # noqa: E501
    "intermediates": (dict(intermediates=4), "4 intermediates"),
    "float": (dict(changed=dict(hidden=Tensor("hidden", (1, UNITS), "float32"))), "hidden state"),
    "clip": (dict(options=dict(CellClip=float("nan"))), "no number"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_variants_are_refused_by_name(what: str, tmp_path: Path) -> None:
    changes, text = REFUSED[what]
    with pytest.raises(EdgekcError, match=text):
        graph_of(tmp_path, recurrent.file(recurrent.made(4)[0], **changes))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (lambda x: fixed16.sigmoid(x), lambda x: 1 / (1 + np.exp(-x / 2**12))),
        *((lambda x, b=b: fixed16.tanh(x, b), lambda x, b=b: np.tanh(x / 2 ** (15 - b))) for b in range(7)),
    ],
)
def test_functions_are_close_for_all_numbers(found: Callable[[Array], Array], wanted: Callable[[Array], Array]) -> None:
    every = np.arange(-(2**15), 2**15)
    assert np.abs(found(every) / 2**15 - wanted(every)).max() < 2**-10
