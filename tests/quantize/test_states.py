"""Float networks that keep a state: as LiteRT runs them, and quantised, in C, over a sequence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe
from edgekc.compression.run import compress
from edgekc.data import Dataset, load, portion
from edgekc.emulate import reference
from edgekc.errors import EdgekcError, ModelError, UnsupportedError, UsageError
from edgekc.evaluate import host_outputs, input_levels, output_error
from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Array, Graph, Quant, State, Tensor
from edgekc.importers import import_model
from edgekc.ops import SOURCES
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import to_real

float_streaming = pytest.importorskip("float_streaming", reason="the writer of .tflite files needs the package tflite")
PLAIN = recipe.parse("")
CLUSTERED = recipe.parse('[[compress]]\nmethod = "cluster"\nbits = 3\nassignment = "second-order"\n')
FILES = {
    **{f"svdf-{act}": float_streaming.svdf(act, act) for act in (0, 1, 3)},
    "windows": float_streaming.windows(1),
    "windows-start": float_streaming.windows(2, 0.7),
}


def graph_of(folder: Path, file: bytes) -> Graph:
    (folder / "net.tflite").write_bytes(file)
    return import_model(folder / "net.tflite", "net")


def noise(graph: Graph, steps: int) -> Dataset:
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(66).uniform(-1, 1, (steps, *shape)).astype(np.float32)
    return Dataset(x, None, (), "noise")


def near(graph: Graph, quantised: Graph, samples: Dataset, in_c: bool = False) -> float:
    """SQNR in dB of the packed model over one sequence; its C, where it is asked for, gives what its reference does."""
    ekc = pack(to_integer(quantised, {}))
    packed = unpack(ekc, "net.ekc")
    levels = input_levels(samples, packed)
    (found,) = reference.outputs(packed, [levels])
    if in_c:
        np.testing.assert_array_equal(host_outputs(ekc, levels)[0], found)
    (wanted,) = float_reference.outputs(graph, [samples.x])
    error = to_real(found, packed.tensors[packed.outputs[0]].q) - wanted
    return float(10 * np.log10(np.square(wanted).sum() / np.square(error).sum()))


@pytest.mark.parametrize(
    "name", [n if n in ("svdf-1", "windows-start") else pytest.param(n, marks=pytest.mark.slow) for n in FILES]
)
def test_a_sequence_equals_litert(name: str, tmp_path: Path) -> None:
    """Float outputs are LiteRT's, and those of the quantised network are near."""
    float_streaming.streaming.oracle.missing() and pytest.skip(float_streaming.streaming.oracle.missing())
    graph = graph_of(tmp_path, FILES[name])
    train = noise(graph, 300)
    test = portion(train, graph, 60, 0)
    (found,) = float_reference.outputs(graph, [test.x])
    np.testing.assert_allclose(found, float_streaming.interpret(FILES[name], test.x), rtol=1e-4, atol=1e-5)
    result = compress(graph, CLUSTERED if "windows" in name else PLAIN, train)
    assert near(result.model.graph, result.graph, test, in_c=True) > 30
    assert [s.initial.dtype for s in result.graph.states] == [np.int8] * len(graph.states)


def test_what_has_fixed_steps_is_kept_in_them() -> None:
    """Probabilities are kept; where they meet larger numbers in the next step, they are brought to their scale."""
    net = FloatNet(np.random.default_rng(3), (1, 1, 1, 4))
    net.tensors["past"] = Tensor("past", (1, 1, 1, 4), "float32")
    y = net.conv(net.concat("past", "input"), 4, 1)
    graph = net.graph(y)
    end = net.reshape(net.unary("softmax", y, beta=1.0), (1, 1, 1, 4))
    first = np.full((1, 1, 1, 4), 0.25, np.float32)
    graph = replace(graph, tensors=net.tensors, nodes=tuple(net.nodes), states=(State("past", end, first),))
    samples = noise(graph, 200)
    quantised = post_training(graph, samples, Quantize())
    (state,) = quantised.states
    assert quantised.tensors[state.start].q == quantised.tensors[state.end].q
    assert quantised.tensors[state.start].q.scale == 1 / 256 and np.all(state.initial == -64)
    assert near(graph, quantised, samples) > 30


def test_sequences_begin_where_the_data_says(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, FILES["windows"])
    one = noise(graph, 20)
    starts = np.isin(np.arange(20), (0, 5, 13))
    np.savez(tmp_path / "x.npz", x=one.x, starts=starts)
    data = load(tmp_path / "x.npz")
    assert portion(data, graph, 7, 0).x.tolist() == one.x[:7].tolist()
    ekc = pack(to_integer(post_training(graph, data, Quantize(bias_correction=False)), {}))
    packed = unpack(ekc, "net.ekc")
    levels = input_levels(data, packed)
    apart = np.concatenate([reference.outputs(packed, [levels[a:b]])[0] for a, b in ((0, 5), (5, 13), (13, 20))])
    np.testing.assert_array_equal(host_outputs(ekc, levels, sequences=(5, 8, 7))[0], apart)
    assert not np.array_equal(reference.outputs(packed, [levels])[0], apart)
    assert output_error(graph, ekc, data) < 0.05


@pytest.mark.parametrize("starts", [np.ones(3), np.full(20, 2), np.zeros((20, 1), bool)])
def test_starts_that_are_none(starts: Array, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((20, 4), np.float32), starts=starts)
    with pytest.raises(UsageError, match="starts"):
        load(tmp_path / "x.npz")


REFUSED: dict[str, tuple[bytes, type[EdgekcError], str]] = {
    "nan": (float_streaming.windows(1, float("nan")), ModelError, "the variable's first value holds NaN or infinity"),
    "tanh": (float_streaming.svdf(1, 4), UnsupportedError, "operator 0 SVDF: fused activation number 4"),
    "state": (
        float_streaming.svdf(1, state=Tensor("state", (1, 5), "float32")), UnsupportedError, r"of shape \[1, 5\]; supp"
    ),
    "half": (
        float_streaming.svdf(1, state=Tensor("state", (1, 5), "int16")), UnsupportedError, "has type int16 in a float"
    ),
    "bias": (
        float_streaming.svdf(1, bias=Tensor("bias", (99,), "float32", data=np.ones(99, np.float32))),
        ModelError,
        r"unit_bias of shape \[99\] for",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(name: str, tmp_path: Path) -> None:
    file, error, message = REFUSED[name]
    with pytest.raises(error, match=message) as caught:
        graph_of(tmp_path, file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["gap", "dominant"])
def test_steps_that_take_no_state(method: str, tmp_path: Path) -> None:
    graph = graph_of(tmp_path, FILES["windows"])
    steps = recipe.parse(f'[[compress]]\nmethod = "{method}"\n')
    with pytest.raises(UsageError, match=rf"compress\[0\]: method {method} takes no network that keeps a state"):
        compress(graph, steps, noise(graph, 4), trainer=pytest.fail)


def test_training_computes_the_same(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    graph = graph_of(tmp_path, FILES["svdf-1"])
    node = next(n for n in graph.nodes if n.op == "memory_filters")
    view = float_reference.view_of(graph, node)
    rng = np.random.default_rng(0)
    operands = [rng.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in view.inputs[:2]]
    operands += [t.value for t in view.inputs[2:]]
    floats = SOURCES[node.op].floats
    assert floats is not None
    found = floats.torch(torch, view, [torch.tensor(x) for x in operands])
    np.testing.assert_allclose(found.numpy(), floats.compute(view, operands), rtol=1e-5, atol=1e-5)


def test_weights_of_dynamic_range(tmp_path: Path) -> None:
    """Stored as int8, they are what they stand for; the graph does not round activations, as LiteRT does."""
    rng, stored, levels = np.random.default_rng(5), {}, {}
    graph = graph_of(tmp_path, FILES["svdf-1"])
    for what in ("feature", "time"):
        (t,) = (t for name, t in graph.tensors.items() if name.endswith(f"/{what}"))
        levels[what] = rng.integers(-127, 128, t.shape).astype(np.int8)
        stored[what] = Tensor(what, t.shape, "int8", Quant((1 / 256,), (0,)), data=levels[what])
    found = graph_of(tmp_path, float_streaming.svdf(1, **stored))
    for what, value in levels.items():
        (t,) = (t for name, t in found.tensors.items() if name.endswith(f"/{what}"))
        np.testing.assert_array_equal(t.value, value / np.float32(256))
