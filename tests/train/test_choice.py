"""What validation samples decide of a training: the epoch that is kept, when it is rolled back, how fast it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.format.pack import pack
from edgekc.graph.ir import Graph
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.batches import Augment  # noqa: E402 - needs PyTorch
from edgekc.train.choice import Choice, Score, judge_by  # noqa: E402
from edgekc.train.loop import Options, scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402
from edgekc.train.rates import find_rate  # noqa: E402

CLUSTER = '[quantize]\nequalise = "off"\nsamples = 64\n[[compress]]\nmethod = "cluster"\nbits = 2\n'
RETRAIN = '[[compress]]\nmethod = "retrain"\nepochs = 4\nbatch = 20\ndistill = 0.5\n'
OPTIONS = Options(
    epochs=6, batch=20, learning_rate=1e-2, latent_rate=1e-3, reassign=0, optimizer="adam", weight_decay=0.0,
    augment=Augment(False, 0), precision="float32", seed=0,
)  # fmt: skip


def samples(count: int, seed: int) -> Dataset:
    """Four classes of 4 x 4 images, each a pattern and noise."""
    patterns, rng = np.random.default_rng(7).normal(0, 1, (4, 4, 4, 1)), np.random.default_rng(seed)
    y = rng.integers(0, 4, count)
    return Dataset((patterns[y] + rng.normal(0, 0.9, (count, 4, 4, 1))).astype(np.float32), y, (), "patterns")


DATA, HELD = samples(240, 1), samples(120, 2)


def net() -> Graph:
    made = FloatNet(np.random.default_rng(2), (1, 4, 4, 1), "relu")
    x = made.conv("input", 12)
    flat = made.node("reshape", (x,), (1, int(np.prod(made.shape_of(x)[1:]))), {})
    return prepare(made.graph(made.fully_connected(flat, 4)))


@pytest.fixture(scope="module")
def trained() -> Graph:
    made = Net(net())
    train(made, DATA, scores_loss(None, 0.0, 1.0), OPTIONS)
    return made.model().graph


def run(graph: Graph, recipe: str, **more: object) -> tuple[bytes, list[str]]:
    lines: list[str] = []
    result = compress(graph, rc.parse(recipe), DATA, lines.append, validation=HELD, trainer=trainer, **more)  # type: ignore[arg-type]
    return pack(to_integer(result.graph, {})), [line for line in lines if line.startswith(("warning", "note"))]


def score(net: Net) -> Score:
    return judge_by(HELD, scores_loss(None, 0.0, 1.0), False)(net)


@pytest.mark.parametrize("arithmetic", ["float", "device"])
@pytest.mark.parametrize("rate", [3.0, 1e30], ids=["too fast", "no number"])
def test_what_makes_validation_worse_is_rolled_back(trained: Graph, arithmetic: str, rate: float) -> None:
    """The result is that of the recipe without the step, to the byte."""
    step = RETRAIN + f'learning_rate = {rate}\narithmetic = "{arithmetic}"\n'
    found, said = run(trained, CLUSTER + step)
    assert found == run(trained, CLUSTER)[0]
    assert "compress[1]: retraining made validation worse and is rolled back" in said[-1]
    assert ("stopped" in said[0]) == (rate == 1e30)


def test_the_first_of_two_stages_may_come_to_no_number_too(trained: Graph) -> None:
    found, said = run(trained, CLUSTER + RETRAIN + KP + "learning_rate = 1e30\n")
    assert found == run(trained, CLUSTER)[0]
    assert "training stopped by epoch 1" in said[0] and "is rolled back" in said[1]


def test_a_rate_is_found_and_the_better_epoch_is_said(trained: Graph) -> None:
    before, (found, said) = run(trained, CLUSTER)[0], run(trained, CLUSTER + RETRAIN)
    assert found != before and len(said) == 2
    assert said[0].startswith("note: compress[1]: learning rate ") and said[1].startswith(
        "note: compress[1]: validation "
    )
    assert run(trained, CLUSTER + RETRAIN) == (found, said)


def test_the_rate_that_is_found_learns_and_leaves_the_net_as_it_was(trained: Graph) -> None:
    made, loss = Net(net()), scores_loss(None, 0.0, 1.0)
    start = {name: value.clone() for name, value in made.state_dict().items()}
    rate, tried = find_rate(made, DATA, loss, OPTIONS, lambda held: judge_by(held, loss, False), HELD)
    assert all(torch.equal(value, start[name]) for name, value in made.state_dict().items())
    losses = dict(tried)
    assert losses[rate] == min(losses.values()) and rate > 1e-3  # an untrained net wants to move
    assert find_rate(made, DATA, loss, OPTIONS, lambda held: judge_by(held, loss, False), HELD) == (rate, tried)


def test_the_best_epoch_is_left_and_scores_are_those_of_the_samples() -> None:
    made, seen = Net(net()), []
    choice = Choice(lambda net: Score(0.0, [0.5, 0.9, 0.7, 0.9, 0.2, 0.6][len(seen)]))
    look = choice.look

    def watched(net: Net, epoch: int) -> None:
        look(net, epoch)
        seen.append({name: value.clone() for name, value in net.state_dict().items()})

    choice.look = watched  # type: ignore[method-assign]
    train(made, DATA, scores_loss(None, 0.0, 1.0), OPTIONS, choice=choice)
    assert (choice.epoch, choice.stopped) == (2, 0)  # the first of equal ones
    assert all(torch.equal(value, seen[1][name]) for name, value in made.state_dict().items())
    right = (made(torch.from_numpy(HELD.x)).argmax(1).numpy() == HELD.labels).mean()
    assert score(made).accuracy == pytest.approx(float(right))


def test_scores_are_compared() -> None:
    assert Score(1.0, 0.9).better(Score(0.1, 0.8)) and Score(0.1, 0.9).better(Score(0.2, 0.9))
    assert Score(0.1, None).better(Score(0.2, None)) and not Score(0.2, None).better(Score(0.2, None))
    assert not Score(float("nan"), 0.9).better(Score(9.0, 0.1)) and Score(9.0, 0.1).better(Score(float("nan"), 0.9))


class KilledError(Exception):
    """What a test throws into a run."""


KP = 'transfer = "kp"\ntransfer_epochs = 1\n'


@pytest.mark.parametrize("more", ["reassign = 6\n", KP], ids=["indices", "transfer"])
def test_a_killed_run_resumes_its_choice_and_its_rate(trained: Graph, tmp_path: Path, more: str) -> None:
    recipe = CLUSTER + RETRAIN + more
    whole = run(trained, recipe)[0]

    def kill(title: str, progress: object) -> None:
        if getattr(progress, "epoch", 0) == 2:
            raise KilledError

    with pytest.raises(KilledError):
        run(trained, recipe, on_progress=kill, checkpoints=tmp_path)
    resumed, said = run(trained, recipe, checkpoints=tmp_path)
    assert resumed == whole
    assert not any("learning rate" in line for line in said)  # it is in the checkpoint
