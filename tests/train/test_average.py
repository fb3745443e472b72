"""Averages of a net's weights: the numbers, what validation does with them, and what a killed run takes up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.format.pack import pack
from edgekc.graph.ir import Graph
from edgekc.pipeline import to_integer
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from edgekc.train.average import Average, decay_for  # noqa: E402 - needs PyTorch
from edgekc.train.batches import Augment  # noqa: E402
from edgekc.train.choice import Choice, Score  # noqa: E402
from edgekc.train.loop import Options, scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402

OPTIONS = Options(
    epochs=3, batch=20, learning_rate=1e-2, latent_rate=1e-3, reassign=0, optimizer="adam", weight_decay=0.0,
    augment=Augment(False, 0), precision="float32", seed=0, ema=0.9,
)  # fmt: skip
STEPS = '[quantize]\nequalise = "off"\nsamples = 64\n[[compress]]\nmethod = "cluster"\nbits = 2\ncenters = "steps"\n'
RETRAIN = (
    '[[compress]]\nmethod = "retrain"\nepochs = 4\nbatch = 20\nlearning_rate = 1e-2\ndistill = 0.5\nema = "auto"\n'
)
LOSS = scores_loss(None, 0.0, 1.0)


def samples(count: int, seed: int) -> Dataset:
    patterns, rng = np.random.default_rng(7).normal(0, 1, (4, 4, 4, 1)), np.random.default_rng(seed)
    y = rng.integers(0, 4, count)
    return Dataset((patterns[y] + rng.normal(0, 0.9, (count, 4, 4, 1))).astype(np.float32), y, (), "patterns")


DATA, HELD = samples(120, 1), samples(80, 2)


def net() -> Graph:
    made = FloatNet(np.random.default_rng(2), (1, 4, 4, 1), "relu")
    x = made.conv("input", 6)
    return prepare(made.graph(made.fully_connected(made.mean(x), 4)))


def values(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.fast
def test_the_average_is_that_of_the_formula_and_the_net_gets_its_own_weights_back() -> None:
    module = torch.nn.Linear(3, 2)
    module.bias.requires_grad = False
    average, wanted = Average(module, 0.5), module.weight.detach().double().numpy()
    for step in range(1, 30):
        with torch.no_grad():
            module.weight += step
        average.add(module)
        keep = min(0.5, step / (step + 9))
        wanted = keep * wanted + (1 - keep) * module.weight.detach().double().numpy()
    own = values(module)
    with average.within(module):
        np.testing.assert_allclose(module.weight.detach().numpy(), wanted, rtol=1e-5)
        assert torch.equal(module.bias, own["bias"])
    assert all(torch.equal(value, own[name]) for name, value in values(module).items())
    again = Average(module, 0.5)
    again.resume(average.state())
    again.into(module)
    np.testing.assert_allclose(module.weight.detach().numpy(), wanted, rtol=1e-5)
    with pytest.raises(ValueError, match="averages of other parameters"):
        again.resume({"steps": 1, "values": {}})


@pytest.mark.fast
def test_auto_averages_a_twentieth_of_the_steps() -> None:
    assert decay_for("auto", 3500) == pytest.approx(1 - 20 / 3500) and decay_for("auto", 3) == 0
    assert decay_for(0.999, 3) == 0.999


@pytest.mark.parametrize("better", ["raw", "averaged"])
def test_validation_keeps_the_better_of_both(better: str) -> None:
    """What is left is, to the bit, what the judge liked best."""
    looks: list[dict[str, torch.Tensor]] = []

    def judge(module: torch.nn.Module) -> Score:
        looks.append(values(module))
        wanted = 3 if better == "averaged" else 4  # of raw, averaged, raw, averaged, raw, averaged
        return Score(0.0, 0.9 if len(looks) - 1 == wanted else 0.5)

    made, choice = Net(net()), Choice(judge)
    train(made, DATA, LOSS, OPTIONS, choice=choice)
    assert len(looks) == 6
    assert (choice.epoch, choice.averaged) == ((2, True) if better == "averaged" else (3, False))
    assert all(
        torch.equal(value, looks[3 if better == "averaged" else 4][name]) for name, value in values(made).items()
    )
    raw = Net(net())
    train(raw, DATA, LOSS, replace(OPTIONS, ema=None))  # averaging changes nothing of what is averaged
    assert all(torch.equal(value, looks[4][name]) for name, value in values(raw).items())
    left = Net(net())
    train(left, DATA, LOSS, OPTIONS)  # nobody judges
    assert all(torch.equal(value, looks[5][name]) for name, value in values(left).items())


class KilledError(Exception):
    """What a test throws into a run."""


@pytest.mark.parametrize("more", ["", 'arithmetic = "device"\n'], ids=["float", "device"])
@pytest.mark.parametrize("held", [HELD, None], ids=["judged", "not judged"])
def test_a_killed_run_resumes_to_the_byte(tmp_path: Path, more: str, held: Dataset | None) -> None:
    recipe = rc.parse(STEPS + RETRAIN + more)

    def run(**keys: object) -> bytes:
        result = compress(net(), recipe, DATA, validation=held, trainer=trainer, **keys)  # type: ignore[arg-type]
        return pack(to_integer(result.graph, {}))

    def kill(title: str, progress: object) -> None:
        if getattr(progress, "epoch", 0) == 2:
            raise KilledError

    whole = run()
    with pytest.raises(KilledError):
        run(on_progress=kill, checkpoints=tmp_path)
    assert run(checkpoints=tmp_path) == whole


def test_indices_that_are_chosen_anew_and_latent_weights_that_end() -> None:
    recipe = rc.parse(STEPS.replace('centers = "steps"\n', "") + RETRAIN + "reassign = 6\n")
    packed = [pack(to_integer(compress(net(), recipe, DATA, trainer=trainer).graph, {})) for _ in range(2)]
    assert packed[0] == packed[1]


@pytest.mark.parametrize("wrong", ['"fast"', "1.5", "0", "1", "true"])
def test_a_wrong_decay_is_said(wrong: str) -> None:
    with pytest.raises(UsageError, match=r'recipe: compress\[0\]\S*: .*"auto" (nor|or) a number'):
        rc.parse(RETRAIN.replace('"auto"', wrong))


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_the_recipes_with_nothing_to_tune_train(bits: int) -> None:
    """From the files as they are, but for the epochs: validation is no worse than what calibration alone gives."""
    recipe = rc.load(Path(__file__).resolve().parents[2] / "examples" / "recipes" / f"qat{bits}.toml")
    *first, last = recipe.compress
    step = last.model_copy(update={"epochs": 2, "batch": 20})
    short = recipe.model_copy(update={"compress": (*first, step)})
    said: list[str] = []
    result = compress(net(), short, DATA, said.append, validation=HELD, trainer=trainer)
    assert pack(to_integer(result.graph, {}))
    assert any(line.startswith("note: compress[2]: learning rate ") for line in said)
    assert any("compress[1]: statistics: output errors" in line for line in said)
    assert sum("validation" in line for line in said) == 1  # before and after, or why it was rolled back
