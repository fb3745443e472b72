"""What a student learns from its teacher's activations: losses, matching names, two stages, and a run that resumes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset
from edgekc.errors import UsageError
from edgekc.evaluate import float_accuracy
from edgekc.graph.ir import Graph
from edgekc.quantize.to_int8 import prepare

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from test_retrain import OPTIONS, KilledError, digits, trained  # noqa: E402, F401 - needs PyTorch; fixtures

from edgekc.train import transfer  # noqa: E402
from edgekc.train.comparison import compare, parameters, variants  # noqa: E402
from edgekc.train.device import DeviceNet  # noqa: E402
from edgekc.train.loop import scores_loss, train  # noqa: E402
from edgekc.train.net import Net  # noqa: E402
from edgekc.train.pytorch import trainer  # noqa: E402
from edgekc.train.retrain import integer  # noqa: E402

Digits = tuple[Dataset, Dataset]
DOMINANT = '[[compress]]\nmethod = "dominant"\nfit = "responses"\n'
RETRAIN = '[[compress]]\nmethod = "retrain"\nepochs = 3\nbatch = 32\nlearning_rate = 3e-3\ndistill = 0.0\n'


def hidden(graph: Graph) -> list[str]:
    """Outputs of the convolutions."""
    return [node.outputs[0] for node in graph.nodes if node.op == "conv2d"]


def narrow(teacher: Graph) -> Graph:
    """An untrained net of the same layers' names with fewer channels."""
    made = FloatNet(np.random.default_rng(7), (1, 8, 8, 1), "relu")
    x = made.conv(made.conv("input", 4), 6, stride=2)
    x = made.fully_connected(made.mean(made.conv(x, 5)), 10)
    graph = prepare(made.graph(made.unary("softmax", x, beta=1.0)))
    assert [node.name for node in graph.nodes] == [node.name for node in teacher.nodes]
    return graph


def attached(
    kind: transfer.Kind, student: Net | DeviceNet, graph: Graph, teacher: Graph, samples: Dataset, seed: int = 0
) -> tuple[transfer.Transfer, transfer.Teacher, tuple[float, ...]]:
    pairs = transfer.matching(teacher, graph, None, kind, "here")
    asked = transfer.Teacher(Net(teacher), [pair.teacher for pair in pairs])
    made, shares = transfer.attach(kind, student, asked, pairs, samples, replace(OPTIONS, seed=seed))
    return made, asked, shares


@pytest.mark.parametrize("kind", ["hints", "kp"])
def test_a_teacher_has_nothing_to_teach_itself(kind: transfer.Kind, trained: Graph, digits: Digits) -> None:  # noqa: F811
    net, asked, _ = attached(kind, Net(trained), trained, trained, digits[0])
    x = torch.from_numpy(digits[0].x[:64])
    net(x)
    term = net.term(asked.activations(x), 3.0)
    assert term.item() == pytest.approx(0.0, abs=1e-5)
    term.backward()
    # At the least of the term: no gradient to the student, whose heads start as the teacher's.
    assert max(float(p.grad.abs().max()) for p in net.student.parameters() if p.grad is not None) < 1e-4


def test_the_teacher_s_heads_know_the_classes_and_stay(trained: Graph, digits: Digits) -> None:  # noqa: F811
    student = Net(narrow(trained))
    net, asked, shares = attached("kp", student, student.source.graph, trained, digits[0])
    assert len(shares) == 2 and shares[1] > 0.85 and min(shares) > 0.2  # ten classes; the last maps know most
    before = {name: p.detach().clone() for name, p in net.state_dict().items()}
    train(
        net, digits[0], transfer.transfer_loss(scores_loss(None, 0.0, 1.0), asked, 1.0, 3.0),
        replace(OPTIONS, epochs=1),
    )  # fmt: skip
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith("taught.")]
    assert {"heads.0.weight", "heads.1.weight"} <= changed
    assert not any(p.requires_grad for p in asked.net.parameters())


def test_pre_regression_finds_the_best_linear_head() -> None:
    """On samples of a known softmax model the head gives its probabilities back."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(20000, 3, generator=generator) * torch.tensor([1.0, 100.0, 0.01]) + 5.0
    true = torch.tensor([[1.0, 0.02, 50.0], [-1.0, 0.0, 30.0]])
    probabilities = torch.softmax((features - 5.0) @ true.T, 1)
    head = transfer._logistic(features, probabilities, 2)
    found = torch.softmax(head(features), 1)
    assert (found - probabilities).abs().max().item() < 0.01


@pytest.mark.parametrize(("kind", "share"), [("hints", 0.8), ("kp", 0.95)])
def test_a_narrow_student_comes_nearer_to_its_teacher(
    kind: transfer.Kind, share: float, trained: Graph, digits: Digits  # noqa: F811
) -> None:  # fmt: skip
    x = torch.from_numpy(digits[0].x[:256])

    def distance(weight: float) -> tuple[float, float]:
        """Of activations, as the same heads would learn to see them, and accuracy after training."""
        student = Net(narrow(trained))
        net, asked, _ = attached(kind, student, student.source.graph, trained, digits[0])
        base = scores_loss(None, 0.0, 1.0)
        loss = transfer.transfer_loss(base, asked, weight, 3.0)
        train(net, digits[0], loss, replace(OPTIONS, learning_rate=1e-2))
        with torch.no_grad():
            net(x)
            return float(net.term(asked.activations(x), 3.0)), float_accuracy(student.model().graph, digits[1]).percent

    without, plain = distance(1e-6)
    term, percent = distance(1.0)
    assert term < share * without
    assert percent > plain + 2  # of about 36: six epochs are few for labels alone


@pytest.mark.parametrize("kind", ["hints", "kp"])
def test_by_recipe_it_wins_back_what_dominant_kernels_lost(kind: str, trained: Graph, digits: Digits) -> None:  # noqa: F811
    before = compress(trained, rc.parse(DOMINANT), digits[0], trainer=trainer).model.graph
    extra = f'transfer = "{kind}"\n'
    after = compress(trained, rc.parse(DOMINANT + RETRAIN + extra), digits[0], trainer=trainer).model.graph
    assert parameters(after) == parameters(before) < 0.5 * parameters(trained)
    base, lost, won = (float_accuracy(graph, digits[1]).percent for graph in (trained, before, after))
    assert lost < base - 3
    assert won > lost + 0.5 * (base - lost)


def test_without_labels_the_teacher_s_own_answers_are_learned(trained: Graph, digits: Digits) -> None:  # noqa: F811
    recipe = rc.parse(DOMINANT + RETRAIN.replace("distill = 0.0", "distill = 1.0") + 'transfer = "kp"\n')
    after = compress(trained, recipe, replace(digits[0], y=None), trainer=trainer).model.graph
    assert float_accuracy(after, digits[1]).percent > 45  # it starts at 26


@pytest.mark.parametrize("extra", ['transfer = "kp"\n', 'transfer = "hints"\ntransfer_epochs = 1\n'])
@pytest.mark.parametrize("stop", [(0, 3), (1, 5)])
def test_a_killed_run_resumes_with_the_same_result(
    trained: Graph, digits: Digits, tmp_path: Path, extra: str, stop: tuple[int, int]  # noqa: F811
) -> None:  # fmt: skip
    codebook = '[[compress]]\nmethod = "codebook"\ntemplates = 4\ntrain_templates = true\n'
    recipe = rc.parse(codebook + RETRAIN + "reassign = 6\n" + extra)
    whole = compress(trained, recipe, digits[0], trainer=trainer).model

    def kill(title: str, progress: object) -> None:
        if (getattr(progress, "epoch", 0), getattr(progress, "step", 0)) == stop:
            raise KilledError

    with pytest.raises(KilledError):
        compress(trained, recipe, digits[0], on_progress=kill, checkpoints=tmp_path, trainer=trainer)
    resumed = compress(trained, recipe, digits[0], checkpoints=tmp_path, trainer=trainer).model
    for name, t in whole.graph.tensors.items():
        if t.data is not None:
            np.testing.assert_array_equal(resumed.graph.tensors[name].value, t.value, err_msg=name)
    for name, layer in whole.templates.items():
        np.testing.assert_array_equal(resumed.templates[name].kernels.index, layer.kernels.index)


def test_the_first_stage_learns_the_transfer_alone(trained: Graph, digits: Digits) -> None:  # noqa: F811
    """What lies behind the last pair gets no gradient from it."""
    student = Net(narrow(trained))
    net, asked, _ = attached("hints", student, student.source.graph, trained, digits[0])
    fc = student._keys[next(n.name for n in trained.nodes if n.op == "fully_connected")]
    before = {name: p.detach().clone() for name, p in student.named_parameters()}
    train(net, digits[0], transfer.transfer_loss(None, asked, 1.0, 3.0), replace(OPTIONS, epochs=1))
    same = {name for name, p in student.named_parameters() if torch.equal(p, before[name])}
    assert same == {f"layers.{fc}.relative", f"biases.{fc}"}


@pytest.mark.parametrize(("epochs", "opening", "reassign"), [(6, 2, 9), (3, 2, 1), (5, 0, 4), (4, 1, 0)])
def test_stages_share_epochs_and_turns(epochs: int, opening: int, reassign: int) -> None:
    options = replace(OPTIONS, epochs=epochs, reassign=reassign)
    first, rest = transfer.stages(options, opening)
    assert (0 if first is None else first.epochs) == opening and rest.epochs == epochs - opening
    turns = rest.reassign + (0 if first is None else first.reassign)
    assert reassign <= turns <= reassign + 1
    assert (rest.reassign > 0) == (reassign > 0)  # else latent values would never end


def test_on_the_device_s_arithmetic(trained: Graph, digits: Digits) -> None:  # noqa: F811
    from test_device_arithmetic import quantized_by

    x = digits[0].x[:64]
    student = Net(trained)
    device = DeviceNet(student, lambda model: integer(quantized_by(model, x)))
    for kind in ("hints", "kp"):
        net, asked, _ = attached(kind, device, trained, trained, digits[0])
        batch = torch.from_numpy(x)
        scores = net(batch)
        assert torch.equal(scores, device(batch))
        term = net.term(asked.activations(batch), 3.0)
        assert 0 < term.item() < 0.5  # int8 activations are near the teacher's, and not the same
        term.backward()
        assert any(p.grad is not None and p.grad.any() for p in student.parameters())


def test_automatic_pairs_are_the_last_of_each_size(trained: Graph) -> None:  # noqa: F811
    first, _, third = hidden(trained)
    assert transfer.matching(trained, trained, None, "kp", "") == (
        transfer.Pair(first, first), transfer.Pair(third, third),
    )  # fmt: skip
    net = FloatNet(np.random.default_rng(0), (1, 6), "relu")
    flat = prepare(net.graph(net.fully_connected(net.fully_connected("input", 5), 3)))
    name = flat.nodes[0].outputs[0]
    assert transfer.matching(flat, flat, None, "hints", "") == (transfer.Pair(name, name),)


def test_wrong_names_and_keys(trained: Graph, digits: Digits) -> None:  # noqa: F811
    first, second, _ = hidden(trained)

    def run(extra: str) -> None:
        compress(trained, rc.parse(DOMINANT + RETRAIN + extra), digits[0], trainer=trainer)

    wrong = first[:-1] + "x" + first[-1]
    with pytest.raises(UsageError, match=rf"transfer_layers: teacher: no layer .*{wrong}.*; did you mean '{first}'"):
        run(f'transfer = "kp"\ntransfer_layers = ["{wrong}"]\n')
    with pytest.raises(UsageError, match="transfer_layers: student: no layer"):
        run(f'transfer = "kp"\ntransfer_layers = [["{first}", "{wrong}"]]\n')
    with pytest.raises(UsageError, match=r"is \[8, 8\], .* of the student \[4, 4\]; hints need maps of one size"):
        run(f'transfer = "hints"\ntransfer_layers = [["{first}", "{second}"]]\n')
    run(f'transfer = "kp"\ntransfer_layers = [["{first}", "{second}"]]\n')  # pooled: any sizes
    with pytest.raises(UsageError, match="unknown key; did you mean 'transfer_weight'"):
        run('transfer = "kp"\ntransfer_wieght = 1.0\n')
    with pytest.raises(UsageError, match="transfer_layers and transfer_epochs need transfer"):
        run("transfer_epochs = 1\n")
    with pytest.raises(UsageError, match="transfer_epochs must be below epochs"):
        run('transfer = "kp"\ntransfer_epochs = 3\n')
    with pytest.raises(UsageError, match="'kip' is not 'none', 'hints' or 'kp'"):
        run('transfer = "kip"\n')


def test_pre_regression_needs_classes(digits: Digits) -> None:  # noqa: F811
    net = FloatNet(np.random.default_rng(0), (1, 8, 8, 1), "relu")
    graph = net.graph(net.conv(net.conv("input", 4), 2))
    samples = replace(digits[0], y=None)
    recipe = rc.parse(RETRAIN.replace("distill = 0.0", "distill = 1.0") + 'transfer = "kp"\n')
    with pytest.raises(UsageError, match=r"compress\[0\]\.transfer: pre-regression needs classes"):
        compress(graph, recipe, samples, trainer=trainer)


def test_a_recipe_with_transfer_comes_back_from_its_text() -> None:
    recipe = rc.parse(RETRAIN + 'transfer = "kp"\ntransfer_layers = ["a", ["b", "c"]]\ntransfer_weight = 0.5\n')
    assert rc.parse(rc.dump(recipe)) == recipe


def test_variants_differ_in_what_is_learned_alone() -> None:
    recipe = rc.parse(
        DOMINANT + RETRAIN.replace("distill = 0.0", "distill = 0.4") + 'transfer = "kp"\ntransfer_epochs = 1\n'
    )
    made = variants(recipe)
    learned = {name: made[name].compress[1] for name in made}
    assert {n: (s.distill, s.transfer, s.transfer_epochs) for n, s in learned.items()} == {
        "plain": (0.0, "none", 0),
        "distillation": (0.4, "none", 0),
        "hints": (0.0, "hints", 0),
        "hints first": (0.0, "hints", 1),
        "kp": (0.0, "kp", 0),
    }
    assert all(variant.compress[0] == recipe.compress[0] for variant in made.values())
    with pytest.raises(UsageError, match="does not retrain"):
        variants(rc.parse(DOMINANT))


def test_a_comparison_runs_every_variant_for_every_seed(
    trained: Graph, digits: Digits, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    recipe = rc.parse(DOMINANT + RETRAIN.replace("epochs = 3", "epochs = 1"))
    seen, states = [], []

    def judging() -> Dataset:
        states.append(len(list(tmp_path.glob("01-*.state"))))
        return digits[1]

    found = compare(
        trained, recipe, digits[0], judging, 2, lambda text: None, checkpoints=tmp_path,
        done=lambda comparison: seen.append(len(comparison.runs)),
    )  # fmt: skip
    assert seen == [1, 2, 3, 4, 5, 6]
    assert states == [6]  # the samples that judge are read once, when all students are trained
    assert [(run.variant, run.seed) for run in found.runs] == [
        (name, seed) for seed in (0, 1) for name in ("plain", "hints", "kp")
    ]
    # One state of the step in front for all, one of each training.
    assert len(list(tmp_path.glob("00-*.state"))) == 1 and len(list(tmp_path.glob("01-*.state"))) == 6
    spread = found.packed("plain")
    first, second = (run.packed_percent for run in found.runs if run.variant == "plain")
    assert spread.mean == pytest.approx((first + second) / 2)
    assert spread.deviation == pytest.approx(abs(first - second) / 2**0.5)
    assert found.as_json()["teacher"]["parameters"] == parameters(trained)


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    from unittest.mock import patch

    from edgekc.cli.main import run

    with patch.object(sys, "argv", ["edgekc", *map(str, arguments)]), pytest.raises(SystemExit) as end:
        run()
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


def test_one_command_compares(digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, 2, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, 1, 1), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 10),
    )  # fmt: skip
    model, data, recipe = tmp_path / "net.pt2", tmp_path / "digits.npz", tmp_path / "recipe.toml"
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 1, 8, 8),)), model)
    few = digits[0].x[:96].transpose(0, 3, 1, 2)
    np.savez(data, x=few, y=digits[0].labels[:96])
    recipe.write_text(DOMINANT + RETRAIN.replace("epochs = 3", "epochs = 1"))
    command = ("transfer", model, "--recipe", recipe, "--data", data, "--seeds", "1", "--checkpoints", tmp_path / "c")
    code, out, err = run_command(capsys, *command, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert list(found["variants"]) == ["plain", "hints", "kp"]
    assert 0 < found["student_parameters"] < found["teacher"]["parameters"] == 80 + 584 + 90
    code, out, err = run_command(capsys, *command)
    assert code == 0, err
    assert "nothing else (plain)" in out and "kp" in out and "teacher: 754 parameters" in out
    recipe.write_text(DOMINANT)
    code, out, err = run_command(capsys, *command)
    assert (code, out) == (2, "") and err.startswith("edgekc: error: compress: the recipe does not retrain")
