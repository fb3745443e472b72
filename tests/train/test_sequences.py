"""Training of networks that keep a state: windows of sequences, the device's integers in them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.api.samples import source_of
from edgekc.compression.checkpoints import Checkpoints
from edgekc.compression.model import Model
from edgekc.compression.run import compress
from edgekc.compression.state import Progress
from edgekc.compression.substitute import pack_layers
from edgekc.data import Dataset, lengths, load
from edgekc.emulate import reference
from edgekc.errors import UsageError
from edgekc.evaluate import float_accuracy, input_levels, output_error
from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Graph, State, Tensor
from edgekc.importers import import_model
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import calibrated_ranges
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import prepare, quantize, to_real
from edgekc.quantize.wide_states import words

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.batches import Augment  # noqa: E402 - needs PyTorch
from edgekc.train.device import DeviceNet  # noqa: E402
from edgekc.train.loop import Options, scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402
from edgekc.train.retrain import integer  # noqa: E402
from edgekc.train.windows import schedule, windows  # noqa: E402

STEPS = 6  # of each sequence whose beginning is asked for at its end


def recurrent(units: int = 8) -> Graph:
    """units = tanh(W [units of the step before, input] + b), and scores of two classes."""
    net = FloatNet(np.random.default_rng(3), (1, 1, 1, 2))
    net.tensors["past"] = Tensor("past", (1, 1, 1, units), "float32")
    units_now = net.unary("tanh", net.conv(net.concat("past", "input"), units, 1))
    end = net.reshape(units_now, (1, 1, 1, units))
    graph = net.graph(net.fully_connected(net.reshape(units_now, (1, units)), 2))
    first = np.zeros((1, 1, 1, units), np.float32)
    return prepare(replace(graph, tensors=net.tensors, nodes=tuple(net.nodes), states=(State("past", end, first),)))


def remembered(count: int, seed: int = 0) -> Dataset:
    """Sequences that end with a label: the sign of their first value."""
    x = np.random.default_rng(seed).uniform(-1, 1, (count, STEPS, 1, 1, 2)).astype(np.float32)
    y = np.full((count, STEPS), -1, np.int64)
    y[:, -1] = x[:, 0, 0, 0, 0] > 0
    starts = np.arange(count * STEPS) % STEPS == 0
    return Dataset(x.reshape(-1, 1, 1, 2), y.reshape(-1), (), "sequences", None, starts)


def retrain(**keys: object) -> str:
    keys = {"epochs": 10, "batch": 96, "window": STEPS, "learning_rate": 0.02, "distill": 0.0, **keys}
    return '[[compress]]\nmethod = "retrain"\n' + "".join(f"{k} = {v!r}\n" for k, v in keys.items())


def test_windows_hold_each_sample_once_and_end_with_their_sequence() -> None:
    counts = [7, 3, 1, 8, 4]
    ends = np.cumsum(counts) - 1
    blocks = schedule(counts, 4, 2, [3, 0, 4, 1, 2])
    there = np.concatenate([block[block >= 0] for block in blocks])
    assert sorted(there) == list(range(sum(counts)))
    for lane in range(2):
        column = [block[:, lane] for block in blocks if (block[:, lane] >= 0).any()]
        for part, later in pairwise(column):
            assert part[-1] in ends or later[0] == part[-1] + 1
        for part in column:
            held = part[part >= 0]
            assert np.array_equal(held, np.arange(held[0], held[-1] + 1)) and (part[: -len(held)] < 0).all()


@pytest.mark.parametrize("window", [6, 2])
def test_gradients_go_back_as_far_as_a_window(window: int) -> None:
    graph = recurrent()
    net, data = Net(graph), remembered(1)
    for x, _ in windows(data, window, 1, None):
        net(x).square().sum().backward()
    w, b = (torch.tensor(graph.tensors[f"conv2d_1/{n}"].value, requires_grad=True) for n in ("weights", "bias"))
    last, bias = (torch.tensor(graph.tensors[f"fully_connected_5/{n}"].value) for n in ("weights", "bias"))
    units = torch.zeros(8)
    for t, sample in enumerate(torch.from_numpy(data.x).reshape(STEPS, 2)):
        units = units.detach() if t % window == 0 else units
        units = torch.tanh(w.reshape(8, 10) @ torch.cat([units, sample]) + b)
        (last @ units + bias).square().sum().backward(retain_graph=True)
    found = net.biases[net._keys["conv2d_1"]].grad
    np.testing.assert_allclose(found.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)


def device_net(graph: Graph, data: Dataset) -> tuple[Net, DeviceNet, Graph]:
    """A float net, the same on the device's integers, and the packed graph."""
    ranges = calibrated_ranges(graph, data, Quantize())

    def quantized(model: Model) -> Graph:
        return pack_layers(model, quantize(model.graph, ranges))[0]

    first = quantized(Model(graph))
    net = Net(graph)
    packed = unpack(pack(to_integer(first, {})), "net.ekc")
    return net, DeviceNet(net, lambda model: integer(quantized(model)), words(graph, first)), packed


def packed_outputs(packed: Graph, data: Dataset) -> np.ndarray:
    """What the reference gives for each sequence of the data, as real numbers."""
    (out,) = packed.of(packed.outputs)
    parts = np.split(input_levels(data, packed), np.cumsum(lengths(data))[:-1])
    return np.concatenate([to_real(reference.outputs(packed, [part])[0], out.q) for part in parts])


@pytest.mark.parametrize(
    "name", ["recurrent", *(pytest.param(n, marks=pytest.mark.slow) for n in ("svdf", "relu", "windows"))]
)
def test_sequences_are_those_of_the_packed_model(name: str, tmp_path: Path) -> None:
    """Over windows of several sequences, and gradients reach every trained value through states of 8 and 16 bits."""
    graph = recurrent()
    if name != "recurrent":
        float_streaming = pytest.importorskip("float_streaming", reason="the writer of files needs the package tflite")
        made = {"svdf": float_streaming.svdf(0, 0), "relu": float_streaming.svdf(1, 1)}
        (tmp_path / "net.tflite").write_bytes(made.get(name) or float_streaming.windows(2, 0.7))
        graph = prepare(import_model(tmp_path / "net.tflite", "net"))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(1).uniform(-1, 1, (23, *shape)).astype(np.float32)
    data = Dataset(x, None, (), "noise", None, np.isin(np.arange(23), (0, 5, 14, 15)))
    net, device, packed = device_net(graph, data)
    wanted = packed_outputs(packed, data)
    real = np.concatenate([float_reference.outputs(graph, [part])[0] for part in np.split(x, (5, 14, 15))])
    for window, chosen in windows(data, 4, 2, np.random.default_rng(3)):
        found = device(window)
        np.testing.assert_allclose(found.detach().numpy(), wanted[chosen], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(net(window).detach().numpy(), real[chosen], rtol=1e-4, atol=1e-5)
        found.square().sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []
    back = net.model().graph
    assert [
        np.array_equal(back.tensors[n].value, t.value) for n, t in graph.tensors.items() if t.data is not None
    ].count(False) == 0


class KilledError(Exception):
    """What a test throws into a run."""


LEARNING = retrain(batch=48, epochs=6, learning_rate=0.03)
ON_DEVICE = retrain(batch=48, epochs=1, learning_rate=0.005, arithmetic="device")


def made(graph: Graph, recipe: str, data: Dataset, **more: object) -> bytes:
    return pack(to_integer(compress(graph, rc.parse(recipe), data, trainer=trainer, **more).graph, {}))


def test_it_learns_what_came_first() -> None:
    """A label at the end of a sequence, about its beginning; in real numbers, then on the device's integers."""
    losses: list[float] = []

    def watch(title: str, progress: Progress) -> None:
        losses.append(progress.loss)

    ekc = made(recurrent(), LEARNING + ON_DEVICE, remembered(64), on_progress=watch)
    assert losses[-1] < 0.4 * losses[0]
    test = remembered(100, 1)
    ends = test.labels >= 0
    answers = packed_outputs(unpack(ekc, "net.ekc"), test)[ends].argmax(1)
    assert (answers == test.labels[ends]).mean() > 0.8


def test_windows_without_a_label_teach_nothing() -> None:
    net, biases = Net(recurrent()), []
    options = Options(1, 96, 0.1, 0.1, 0, "adam", 0.0, Augment(False, 0), "float32", 0, window=2)

    def watch(progress: Progress) -> None:
        biases.append(next(iter(net.biases.values())).detach().clone())

    train(net, remembered(16), scores_loss(None, 0.0, 1.0), options, on_progress=watch)
    assert torch.equal(biases[0], biases[1]) and not torch.equal(biases[1], biases[2])


@pytest.mark.slow
def test_a_killed_run_resumes_with_the_same_result(tmp_path: Path) -> None:
    graph, data = recurrent(), remembered(40)
    recipe = LEARNING + ON_DEVICE.replace("epochs = 1", "epochs = 2")
    whole = made(graph, recipe, data)

    def kill(title: str, progress: Progress) -> None:
        if title.startswith("compress[1]") and (progress.epoch, progress.step) == (1, 1):
            raise KilledError

    with pytest.raises(KilledError):
        made(graph, recipe, data, on_progress=kill, checkpoints=tmp_path)
    steps: list[tuple[int, int]] = []
    again = made(graph, recipe, data, on_progress=lambda _, p: steps.append((p.epoch, p.step)), checkpoints=tmp_path)
    assert again == whole
    assert steps == [(1, step) for step in range(5)]  # what was done is not done again
    other = replace(data, starts=np.arange(len(data)) % 3 == 0)
    keys = [Checkpoints.open(tmp_path, graph, rc.parse(recipe), each).keys for each in (data, other)]
    assert keys[0] != keys[1]


@pytest.mark.slow
def test_teachers_walk_the_same_sequences() -> None:
    """A student on two centers comes back to the float model's answers, at the ends of sequences and within them."""
    data = remembered(48)
    taught = compress(recurrent(), rc.parse(LEARNING), data, trainer=trainer).model.graph
    rough = '[[compress]]\nmethod = "cluster"\nbits = 1\n'
    exact = [float_reference.outputs(taught, [part])[0] for part in np.split(data.x, len(data) // STEPS)]

    def agreeing(recipe: str) -> float:
        packed = packed_outputs(unpack(made(taught, recipe, data), "net.ekc"), data)
        return float((packed.argmax(1) == np.concatenate(exact).argmax(1)).mean())

    before = agreeing(rough)
    step = retrain(batch=48, epochs=6, distill=1.0)
    assert agreeing(rough + step) > before + 0.04
    hints = step + 'transfer = "hints"\ntransfer_epochs = 1\narithmetic = "device"\n'
    assert agreeing(rough + hints) > before + 0.04
    lines: list[str] = []
    made(taught, rough + step + 'transfer = "kp"\ntransfer_layers = ["tanh_2"]\n', data, log=lines.append)
    (known,) = (line for line in lines if "which knows" in line)
    assert (
        float(known.rsplit("knows ", 1)[1].split("%")[0]) > 85
    )  # of the ends of sequences, in the order of their labels


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["taylor", "apoz"])
def test_pruning_takes_units_of_the_state(criterion: str) -> None:
    graph, data = recurrent(), remembered(48)
    keys = f'[[compress]]\nmethod = "prune"\nkeep = 0.6\ncriterion = "{criterion}"\nleast = 2\nbatch = 48\nwindow = 3\n'
    result = compress(graph, rc.parse(keys + "distill = 0.0\ntolerance = 9.0\n"), data, trainer=trainer)
    (state,) = result.model.graph.states
    assert state.initial.shape[-1] < 8
    assert result.model.graph.tensors[state.start].shape == state.initial.shape
    assert np.isfinite(packed_outputs(unpack(pack(to_integer(result.graph, {})), "net.ekc"), data)).all()


WRONG = {
    "window = 6\n": ("", r"compress\[0\]: a network that keeps a state is trained over sequences; say how many steps"),
    "window = 6": (
        "window = 7",
        r"compress\[0\]\.window: 7 steps are more than the longest sequence of sequences has, 6",
    ),
    "batch = 96": ("batch = 4", r"compress\[0\]\.batch: 4 samples are less than a window of 6 steps; set it to a"),
    "distill = 0.0": ("distill = 0.0\nflip = true", r"compress\[0\]\.flip: the steps of a sequence cannot be changed"),
}


@pytest.mark.parametrize("old", WRONG)
def test_recipes_that_are_refused(old: str) -> None:
    new, message = WRONG[old]
    with pytest.raises(UsageError, match=message) as caught:
        compress(recurrent(), rc.parse(retrain().replace(old, new)), remembered(4), trainer=pytest.fail)
    assert "\n" not in str(caught.value)


def test_data_that_is_refused(tmp_path: Path) -> None:
    recipe, data = rc.parse(retrain()), remembered(4)
    with pytest.raises(UsageError, match="sequences: does not say where sequences begin, which training needs; put an"):
        compress(recurrent(), recipe, replace(data, starts=None), trainer=pytest.fail)
    net = FloatNet(np.random.default_rng(0), (1, 1, 1, 2))
    plain = net.graph(net.conv("input", 2, 1))
    with pytest.raises(UsageError, match=r"compress\[0\]\.window: the network keeps no state, so it has no sequences"):
        compress(plain, recipe, data, trainer=pytest.fail)
    for y, message in (
        (np.zeros(5, int), r"y has shape \[5\], expected \[24\], one class number a sample, or \[4\]"),
        (np.full(4, -1), "label -1 is negative"),
    ):
        np.savez(tmp_path / "x.npz", x=data.x, y=y, starts=data.starts)
        with pytest.raises(UsageError, match=message):
            load(tmp_path / "x.npz")


def test_labels_of_sequences(tmp_path: Path) -> None:
    """One a sequence is that of its last step, from a file as from arrays; only such steps are counted."""
    data = remembered(5)
    y = data.y[data.y >= 0]
    np.savez(tmp_path / "x.npz", x=data.x, y=y, starts=data.starts)
    for found in (load(tmp_path / "x.npz"), load(source_of((data.x, y, data.starts)))):
        np.testing.assert_array_equal(found.labels, data.y)
        np.testing.assert_array_equal(found.starts, data.starts)
    assert float_accuracy(recurrent(), found).total == 5


def lstm(folder: Path) -> Graph:
    """UNIDIRECTIONAL_SEQUENCE_LSTM of a float .tflite file."""
    made_by = pytest.importorskip("recurrent", reason="the writer of files needs the package tflite")
    (folder / "net.tflite").write_bytes(made_by.float_file(1)[0])
    return import_model(folder / "net.tflite", "net")


def torch_gru(folder: Path) -> Graph:
    """The rows alone, not the last state beside them."""
    net = torch.nn.GRU(4, 5, batch_first=True).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(1, 4, 4),)), folder / "net.pt2")
    graph = import_model(folder / "net.pt2", "net")
    return replace(graph, outputs=graph.outputs[:1])


def keras_gru(folder: Path) -> Graph:
    """A loop over steps, as Keras writes it."""
    tf = pytest.importorskip("tensorflow", reason="the package tensorflow is not installed")
    inputs = tf.keras.layers.Input((4, 3))
    net = tf.keras.Model(inputs, tf.keras.layers.GRU(5, return_sequences=True)(inputs))
    net.save(folder / "net.keras")
    return import_model(folder / "net.keras", "net")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporters
@pytest.mark.parametrize("source", [lstm, torch_gru, keras_gru])
def test_unrolled_recurrences_stay_one_layer(source: Callable[[Path], Graph], tmp_path: Path) -> None:
    """Trained in real numbers and on the device's integers; the steps' weights are stored once, as before."""
    torch.manual_seed(0)
    graph = prepare(source(tmp_path))
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(1).normal(0, 1, (64, *shape)).astype(np.float32)
    data = Dataset(x, None, (), "noise")
    rough = '[[compress]]\nmethod = "cluster"\nbits = 2\n'
    step = retrain(batch=16, epochs=4, distill=1.0).replace(f"window = {STEPS}\n", "")
    errors, sizes = [], []
    for recipe in (rough, rough + step + step.replace("epochs = 4", "epochs = 1") + 'arithmetic = "device"\n'):
        ekc = made(graph, recipe, data)
        errors.append(output_error(graph, ekc, data))
        sizes.append(len(ekc))
    assert errors[1] < 0.85 * errors[0]
    assert abs(sizes[1] - sizes[0]) < 64


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "svdf"])
def test_validation_sequences_choose(first: str, tmp_path: Path) -> None:
    """Learning rate and epoch, by whole sequences; a training that makes it worse is rolled back."""
    graph, data, held = recurrent(), remembered(64), remembered(30, 1)
    if first:
        float_streaming = pytest.importorskip("float_streaming", reason="the writer of files needs the package tflite")
        (tmp_path / "net.tflite").write_bytes(float_streaming.svdf(1, 1))
        graph = prepare(import_model(tmp_path / "net.tflite", "net"))
        shape = graph.tensors[graph.inputs[0]].shape[1:]
        data, held = (
            replace(d, x=np.random.default_rng(1).uniform(-1, 1, (len(d), *shape)).astype(np.float32), y=None)
            for d in (data, held)
        )
    lines: list[str] = []
    free = retrain(batch=48, epochs=3, distill=1.0 if first else 0.0).replace("learning_rate = 0.02\n", "")
    rough = '[[compress]]\nmethod = "cluster"\nbits = 1\n' if first else ""
    device = retrain(batch=48, epochs=1, arithmetic="device", distill=1.0 if first else 0.0)
    made(graph, rough + free + device, data, validation=held, log=lines.append)
    assert any("learning rate" in line and "found by short trainings" in line for line in lines)
