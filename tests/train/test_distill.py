"""`distill = "auto"`: a teacher that knows its samples teaches alone, one that does not leaves it to the labels."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.format.pack import pack
from edgekc.graph.ir import Graph, Role
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.batches import Augment  # noqa: E402 - needs PyTorch
from edgekc.train.loop import Options, scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402

CLUSTER = '[quantize]\nequalise = "off"\nsamples = 64\n[[compress]]\nmethod = "cluster"\nbits = 2\n'
RETRAIN = '[[compress]]\nmethod = "retrain"\nepochs = 1\nbatch = 20\nlearning_rate = 1e-3\n'


def samples(labels: bool = True) -> Dataset:
    patterns, rng = np.random.default_rng(7).normal(0, 1, (4, 4, 4, 1)), np.random.default_rng(1)
    y = rng.integers(0, 4, 120)
    x = (patterns[y] + rng.normal(0, 0.3, (120, 4, 4, 1))).astype(np.float32)
    return Dataset(x, y if labels else None, (), "patterns")


def net() -> Graph:
    made = FloatNet(np.random.default_rng(2), (1, 4, 4, 1), "relu")
    x = made.conv("input", 6)
    flat = made.node("reshape", (x,), (1, int(np.prod(made.shape_of(x)[1:]))), {})
    return prepare(made.graph(made.unary("softmax", made.fully_connected(flat, 4), beta=1.0)))


@pytest.fixture(scope="module")
def trained() -> Graph:
    made = Net(net())
    options = Options(10, 20, 1e-2, 1e-3, 0, "adam", 0.0, Augment(False, 0), "float32", 0)
    train(made, samples(), scores_loss(None, 0.0, 1.0), options)
    return made.model().graph


def run(graph: Graph, more: str, labels: bool = True) -> tuple[bytes, list[str]]:
    said: list[str] = []
    result = compress(graph, rc.parse(CLUSTER + RETRAIN + more), samples(labels), said.append, trainer=trainer)
    return pack(to_integer(result.graph, {})), [line for line in said if "distill" in line]


def test_a_model_as_it_came_learns_from_labels(trained: Graph) -> None:
    """From itself it would learn nothing."""
    said: list[str] = []
    made = compress(trained, rc.parse(RETRAIN), samples(), said.append, trainer=trainer)
    weights = next(name for name, t in trained.tensors.items() if t.role is Role.WEIGHTS)
    assert not np.array_equal(made.model.graph.tensors[weights].value, trained.tensors[weights].value)
    assert any("the labels alone teach" in line for line in said)


def test_a_good_teacher_teaches_alone(trained: Graph) -> None:
    found, said = run(trained, "")
    assert found == run(trained, "distill = 1.0\n")[0] != run(trained, "distill = 0.0\n")[0]
    assert len(said) == 1 and said[0].endswith("% of training samples right, so its scores teach")
    assert run(trained, 'distill = "auto"\n') == (found, said)


def test_a_bad_teacher_leaves_it_to_the_labels() -> None:
    found, said = run(net(), "")  # whose weights are random
    assert found == run(net(), "distill = 0.0\n")[0] != run(net(), "distill = 1.0\n")[0]
    assert len(said) == 1 and said[0].endswith("so the labels alone teach")


@pytest.mark.parametrize("more", ["", "mix = true\n"], ids=["no labels", "blends"])
def test_where_labels_mean_nothing_the_teacher_is_asked_whatever_it_knows(more: str) -> None:
    labels = bool(more)
    found, said = run(net(), more, labels)
    assert found == run(net(), more + "distill = 1.0\n", labels)[0] and not said


@pytest.mark.parametrize("wrong", ['"teacher"', "1.5", "-0.1", "true"])
def test_a_wrong_share_is_said(wrong: str) -> None:
    with pytest.raises(UsageError, match=r'recipe: compress\[0\]\.distill: .* is neither "auto" nor a number'):
        rc.parse(RETRAIN + f"distill = {wrong}\n")
