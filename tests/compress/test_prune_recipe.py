"""Pruning by recipe: on scikit-learn's digits it reaches its budget and keeps what was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.methods import prune
from edgekc.compression.run import compress
from edgekc.compression.sizes import layer_sizes
from edgekc.data import Dataset, take
from edgekc.errors import UsageError
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Graph, Role
from edgekc.ops import legal
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="retraining needs PyTorch")
from edgekc.train import loop, pruning  # noqa: E402
from edgekc.train.batches import Augment  # noqa: E402
from edgekc.train.loop import Options, scores_loss  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402
from edgekc.train.steps.prune import Prune  # noqa: E402

CRITERIA = ("l1", "l2", "apoz", "taylor")


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    """Training and test images of 8x8, 0 to 16."""
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")
    found = datasets.load_digits()
    whole = Dataset(found.images[..., None].astype(np.float32) / 16, found.target.astype(np.int64), (), "digits")
    order = np.random.default_rng(0).permutation(len(whole))
    return take(whole, order[:1400]), take(whole, order[1400:])


def train(graph: Graph, data: Dataset, epochs: int, rate: float) -> Graph:
    net = Net(graph)
    options = Options(
        epochs=epochs, batch=64, learning_rate=rate, latent_rate=0.0, reassign=0, optimizer="adam", weight_decay=0.0,
        augment=Augment(False, 0), precision="float32", seed=0,
    )  # fmt: skip
    loop.train(net, data, scores_loss(None, 0.0, 1.0), options)
    return net.model().graph


def untrained(seed: int = 0) -> Graph:
    net = FloatNet(np.random.default_rng(seed), (1, 8, 8, 1), "relu")
    x = net.conv("input", 12)
    y = net.binary("add", net.conv(x, 12, activation="none"), x, "relu")
    z = net.pool("max_pool", net.conv(y, 16))
    z = net.fully_connected(net.reshape(z, (1, 256)), 24, "relu")
    return prepare(net.graph(net.fully_connected(z, 10)))


@pytest.fixture(scope="module")
def trained(digits: tuple[Dataset, Dataset]) -> Graph:
    return train(untrained(), digits[0], 6, 3e-3)


def step(**keys: object) -> Prune:
    return Prune.model_validate({"method": "prune", "keep": 0.5, "samples": 256, **keys})


@pytest.mark.parametrize("criterion", CRITERIA)
def test_half_the_computation_at_little_loss(trained: Graph, digits: tuple[Dataset, Dataset], criterion: str) -> None:
    before = float_accuracy(trained, digits[1])
    assert before.percent > 93
    tuned: list[int] = []

    def fine_tune(graph: Graph) -> Graph:
        tuned.append(prune.macs(graph))
        return train(graph, digits[0], 1, 1e-3)

    lines: list[str] = []
    made = pruning.run(trained, step(criterion=criterion), "compress[0]", digits[0], fine_tune, lines.append)
    legal.check(made.graph)
    assert made.reached and prune.macs(made.graph) <= prune.macs(trained) // 2
    assert tuned and tuned[-1] == prune.macs(made.graph)  # what is left was trained
    assert float_accuracy(made.graph, digits[1]).percent > before.percent - 3
    assert len(lines) == len(made.rounds) and "fine-tuning" in "".join(lines)


def test_the_criterion_matters_more_than_chance(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    """Without fine-tuning, filters of least Taylor score cost less loss than those of most."""
    samples = pruning.calibration(trained, digits[0], 512, 0)
    layer = trained.nodes[3].name
    scores = pruning.importance(trained, "taylor", samples)[layer]
    order = np.argsort(scores)
    losses = [pruning.loss_of(prune.remove_filters(trained, layer, part), samples, False) for part in (order[:6], order[-6:])]  # fmt: skip  # noqa: E501
    assert losses[0] < losses[1]


def test_loss_and_scores_are_those_of_the_reference(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    samples = pruning.calibration(trained, digits[0], 300, 1)
    x = np.concatenate([part.numpy() for part in samples.x])
    y = np.concatenate([part.numpy() for part in samples.labels])
    values = float_reference.run(trained, [x])
    scores = values[trained.outputs[0]].astype(np.float64)
    expected = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(len(y)), y])
    assert pruning.loss_of(trained, samples, False) == pytest.approx(expected, rel=1e-4)
    found = pruning.importance(trained, "apoz", samples)
    for node in trained.nodes:
        if node.name in found:
            zeros = (values[node.outputs[0]] != 0).reshape(-1, len(found[node.name])).mean(0)
            assert found[node.name] == pytest.approx(zeros, abs=1e-3)


def test_taylor_is_the_first_order_change_of_the_loss(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    """With one sample: |sum of output * gradient|, the gradient by finite differences through the bias."""
    one = pruning.calibration(trained, take(digits[0], np.array([3])), 1, 0)
    last = trained.nodes[-1]
    found = pruning.importance(trained, "taylor", one)[last.name]
    x = one.x[0].numpy()
    z = float_reference.run(trained, [x])[last.outputs[0]][0].astype(np.float64)
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    assert found == pytest.approx(np.abs(z * (p - np.eye(10)[int(one.labels[0][0])])), rel=1e-3, abs=1e-6)


def test_only_the_layers_that_are_named(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    names = [node.name for node in trained.nodes if node.op in ("conv2d", "fully_connected")]
    chosen = step(layers=[names[2]], keep=0.9, step=0.3)
    made = pruning.run(trained, chosen, "compress[0]", digits[0], lambda g: g, lambda line: None)
    assert {layer for r in made.rounds for layer in r.layers} == {names[2]}
    lines: list[str] = []
    made = pruning.run(trained, step(layers=[names[3]], keep=0.1), "compress[0]", digits[0], lambda g: g, lines.append)
    assert not made.reached and lines[-1].startswith("warning: compress[0]: the layers that it names")


def test_weights_are_a_budget_too(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    chosen = step(measure="weights", multiple=4)
    made = pruning.run(trained, chosen, "compress[0]", digits[0], lambda g: g, lambda line: None)
    assert made.reached and prune.weight_bytes(made.graph) <= prune.weight_bytes(trained) // 2
    for node in made.graph.nodes[:-1]:
        if node.op in ("conv2d", "fully_connected"):
            assert made.graph.tensors[node.outputs[0]].shape[-1] % 4 == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: take(d, np.arange(0)), "digits: holds no samples"),
        (lambda d: replace(d, y=None), "digits: has no labels"),
        (lambda d: replace(d, y=d.y + 5), "label"),
        (lambda d: replace(d, x=d.x[:, :, :7]), "samples have shape"),
    ],
)
def test_data_that_do_not_serve_are_refused(
    trained: Graph, digits: tuple[Dataset, Dataset], spoil: object, message: str
) -> None:
    assert callable(spoil)
    with pytest.raises(UsageError, match=message) as found:
        pruning.run(trained, step(), "compress[0]", spoil(digits[0]), lambda g: g, lambda line: None)
    assert "\n" not in str(found.value)


def test_layers_that_cannot_lose_filters_are_refused(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    last = trained.nodes[-1].name
    with pytest.raises(UsageError, match="no filter of these layers can be removed"):
        pruning.run(trained, step(layers=[last]), "compress[0]", digits[0], lambda g: g, lambda line: None)
    with pytest.raises(UsageError, match="no layer is called 'conv9'"):
        pruning.run(trained, step(layers=["conv9"]), "compress[0]", digits[0], lambda g: g, lambda line: None)


def test_a_recipe_prunes_and_packs(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    """prune - svd - retrain - cluster - retrain, and the packed model is as good as promised."""
    text = """
    [[compress]]
    method = "prune"
    keep = 0.7
    samples = 128
    tolerance = 0.3
    learning_rate = 2e-3

    [[compress]]
    method = "svd"
    layers = ["fully_connected_*"]
    rank = 10

    [[compress]]
    method = "retrain"
    epochs = 4
    learning_rate = 4e-3

    [[compress]]
    method = "cluster"
    bits = 5

    [[compress]]
    method = "retrain"
    epochs = 2
    learning_rate = 1e-3
    """
    lines: list[str] = []
    result = compress(trained, rc.parse(text), digits[0], lines.append, trainer=trainer)
    assert any(line.startswith("prune: ") for line in lines)
    ekc = pack(to_integer(result.graph, {}))
    sizes = layer_sizes(read(ekc, "digits"))
    dense = sum(t.value.size for t in trained.tensors.values() if t.role is Role.WEIGHTS)
    assert sum(size.packed for size in sizes) < dense * 0.4
    assert host_accuracy(ekc, digits[1]).percent > float_accuracy(trained, digits[1]).percent - 4


def test_fine_tuning_is_a_retraining_with_the_same_keys() -> None:
    chosen = step(epochs=3, learning_rate=0.02, optimizer="sgd", distill=0.25, shift=2, seed=7)
    tuning = chosen.fine_tuning
    assert (tuning.epochs, tuning.learning_rate, tuning.optimizer, tuning.distill) == (3, 0.02, "sgd", 0.25)
    assert (tuning.shift, tuning.seed, tuning.reassign, tuning.arithmetic) == (2, 7, 0, "float")
    again = rc.parse(rc.dump(rc.Recipe(compress=(chosen,))))
    assert again.compress == (chosen,)


PRUNE = '[[compress]]\nmethod = "prune"\nkeep = 0.8\n'


def test_pruning_comes_before_packing_and_needs_samples(trained: Graph, digits: tuple[Dataset, Dataset]) -> None:
    with pytest.raises(UsageError, match=r"compress\[1\]: conv2d_0 is packed already"):
        compress(trained, rc.parse('[[compress]]\nmethod = "cluster"\nbits = 4\n' + PRUNE), digits[0], trainer=trainer)
    with pytest.raises(UsageError, match=r"compress\[0\]: pruning needs labelled samples; pass --data"):
        compress(trained, rc.parse(PRUNE), None, trainer=trainer)
    with pytest.raises(UsageError, match="digits: has no labels"):
        compress(trained, rc.parse(PRUNE), replace(digits[0], y=None), trainer=trainer)
