"""Retraining by recipe on the digits of scikit-learn: it wins back accuracy, repeats, and resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.checkpoints import Checkpoints
from edgekc.compression.run import compress
from edgekc.data import Dataset, take
from edgekc.errors import UsageError
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.format.pack import pack, unpack
from edgekc.graph.ir import Graph
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.batches import Augment  # noqa: E402 - needs PyTorch
from edgekc.train.loop import Options, scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402

CODEBOOK = '[[compress]]\nmethod = "codebook"\ntemplates = 4\n'
RETRAIN = '[[compress]]\nmethod = "retrain"\nepochs = 6\nbatch = 32\nlearning_rate = 3e-3\n'
OPTIONS = Options(
    epochs=6, batch=32, learning_rate=3e-3, latent_rate=1e-3, reassign=0, optimizer="adam", weight_decay=0.0,
    augment=Augment(False, 1), precision="float32", seed=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    load_digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits
    found = load_digits()
    x = found.images[..., None].astype(np.float32)
    both = Dataset(x, found.target.astype(np.int64), (), "digits")
    order = np.random.default_rng(0).permutation(len(x))
    return take(both, order[:1200]), take(both, order[1200:])


@pytest.fixture(scope="module")
def trained(digits: tuple[Dataset, Dataset]) -> Graph:
    """A small net for 8 x 8 digits, trained from random weights by the same loop."""
    made = FloatNet(np.random.default_rng(2), (1, 8, 8, 1), "relu")
    x = made.conv(made.conv("input", 8), 16, stride=2)
    x = made.fully_connected(made.mean(made.conv(x, 16)), 10)
    net = Net(prepare(made.graph(made.unary("softmax", x, beta=1.0))))
    train(net, digits[0], scores_loss(None, 0.0, 1.0), replace(OPTIONS, epochs=20))
    return net.model().graph


def accuracy(graph: Graph, recipe: str, digits: tuple[Dataset, Dataset], **more: object) -> tuple[bytes, float]:
    packed = pack(to_integer(compress(graph, rc.parse(recipe), digits[0], trainer=trainer, **more).graph, {}))
    return packed, host_accuracy(packed, digits[1]).percent


def test_the_loop_learns(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    assert float_accuracy(trained, digits[1]).percent > 90


@pytest.mark.parametrize(
    ("codebook", "retrain"),
    [("", ""), ("train_templates = true\n", "reassign = 20\nlatent_rate = 3e-4\n")],
    ids=["paper", "templates trained"],
)
def test_retraining_wins_back_what_templates_lost(
    trained: Graph, digits: tuple[Dataset, Dataset], codebook: str, retrain: str
) -> None:
    before = accuracy(trained, CODEBOOK, digits)[1]
    after = accuracy(trained, CODEBOOK + codebook + RETRAIN + retrain, digits)[1]
    base = float_accuracy(trained, digits[1]).percent
    assert before < base - 5  # else there is nothing to win back
    assert after > before + 0.5 * (base - before)


def test_pairs_and_centers_retrained_on_device_arithmetic(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    chain = (
        CODEBOOK + "train_templates = true\n" + RETRAIN + '[[compress]]\nmethod = "pairs"\nbits = 2\n'
        '[[compress]]\nmethod = "cluster"\nbits = 2\nrow_scale = "rms"\n'
    )
    before = accuracy(trained, chain, digits)[1]
    device = RETRAIN.replace("epochs = 6", "epochs = 12") + 'distill = 0.0\narithmetic = "device"\n'
    packed, after = accuracy(trained, chain + device, digits)
    assert after > before + 10
    assert len(packed) < 2500


@pytest.mark.parametrize("more", ["gradient_scaling = 0.01\n", 'arithmetic = "device"\n'])
def test_two_bits_with_learned_steps(trained: Graph, digits: tuple[Dataset, Dataset], more: str) -> None:
    steps = '[[compress]]\nmethod = "cluster"\nbits = 2\ncenters = "steps"\n'
    before = accuracy(trained, steps, digits)[1]
    packed, after = accuracy(trained, steps + RETRAIN + more, digits)
    base = float_accuracy(trained, digits[1]).percent
    assert before < base - 5  # else there is nothing to win back
    assert after > before + 0.5 * (base - before)
    assert "clustered_conv2d" in {n.op for n in unpack(packed, "net.ekc").nodes}


def test_depthwise_layers_are_retrained_in_their_packed_form(digits: tuple[Dataset, Dataset]) -> None:
    """One on templates with four pairs, one on four centers, both on the device's integers."""
    made = FloatNet(np.random.default_rng(3), (1, 8, 8, 1), "relu")
    x = made.conv(made.depthwise(made.conv("input", 16, stride=2)), 32, k=1)
    x = made.fully_connected(made.mean(made.depthwise(x, times=2)), 10)
    net = Net(prepare(made.graph(x)))
    train(net, digits[0], scores_loss(None, 0.0, 1.0), replace(OPTIONS, epochs=20))
    chain = CODEBOOK + 'layers = ["depthwise_1"]\ntrain_templates = true\n[[compress]]\nmethod = "pairs"\nbits = 2\n'
    chain += '[[compress]]\nmethod = "cluster"\nlayers = ["depthwise_3"]\nbits = 2\nrow_scale = "rms"\n'
    packed, before = accuracy(net.model().graph, chain, digits)
    assert {"template_pairs_depthwise", "clustered_depthwise"} <= {n.op for n in unpack(packed, "net.ekc").nodes}
    device = RETRAIN.replace("epochs = 6", "epochs = 2") + 'reassign = 20\narithmetic = "device"\n'
    assert accuracy(net.model().graph, chain + device, digits)[1] > before + 10


def test_a_seed_repeats_a_run(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    short = CODEBOOK + RETRAIN.replace("epochs = 6", "epochs = 1") + "shift = 1\nflip = true\n"
    assert accuracy(trained, short, digits)[0] == accuracy(trained, short, digits)[0]


def test_a_student_of_blended_samples_needs_no_labels(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    before = accuracy(trained, CODEBOOK, digits)[1]
    unlabelled = replace(digits[0], y=None), digits[1]
    after = accuracy(trained, CODEBOOK + RETRAIN + "distill = 1.0\nmix = true\n", unlabelled)[1]
    assert after > before + 2


class KilledError(Exception):
    """What a test throws into a run."""


def test_a_killed_run_resumes_with_the_same_result(
    trained: Graph, digits: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    recipe = CODEBOOK + "train_templates = true\n" + RETRAIN.replace("epochs = 6", "epochs = 3") + "reassign = 9\n"
    whole = accuracy(trained, recipe, digits)[0]

    def kill(title: str, progress: object) -> None:
        if getattr(progress, "epoch", 0) == 2 and getattr(progress, "step", 0) == 5:
            raise KilledError

    with pytest.raises(KilledError):
        accuracy(trained, recipe, digits, on_progress=kill, checkpoints=tmp_path)
    assert list(tmp_path.glob("*.training")) and not list(tmp_path.glob("*.part"))
    steps = []
    resumed = accuracy(
        trained, recipe, digits, on_progress=lambda title, p: steps.append(p.epoch), checkpoints=tmp_path
    )[0]  # fmt: skip
    assert set(steps) == {2}  # the first two epochs are not run again
    assert resumed == whole
    assert accuracy(trained, recipe, digits, on_progress=kill, checkpoints=tmp_path)[0] == whole  # nothing is trained


def test_checkpoints_of_other_data_or_recipes_are_not_taken(
    trained: Graph, digits: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    recipe = rc.parse(CODEBOOK)
    first = Checkpoints.open(tmp_path, trained, recipe, digits[0])
    assert first.keys != Checkpoints.open(tmp_path, trained, recipe, digits[1]).keys
    other = rc.parse(CODEBOOK.replace("4", "5"))
    assert first.keys != Checkpoints.open(tmp_path, trained, other, digits[0]).keys


def test_what_retraining_needs(trained: Graph, digits: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    recipe = rc.parse(CODEBOOK + RETRAIN)
    with pytest.raises(UsageError, match=r"compress\[1\]: retraining needs samples; pass --data"):
        compress(trained, recipe, None, trainer=trainer)
    labelled = rc.parse(CODEBOOK + RETRAIN + "distill = 0.7\n")
    with pytest.raises(UsageError, match=r"compress\[1\]\.distill: the samples have no labels"):
        compress(trained, labelled, replace(digits[0], y=None), trainer=trainer)
    labels = digits[0].labels.copy()
    labels[3] = 10
    with pytest.raises(UsageError, match="label 10 of sample 3 is out of range; the model has 10 classes"):
        compress(trained, recipe, replace(digits[0], y=labels), trainer=trainer)
