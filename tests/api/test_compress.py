"""From a float model in memory to a program: recipes by name and as tables, data of every kind, modules of PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.cli_command import MODEL, call, complaint

import edgekc
from edgekc import recipe as rc
from edgekc.api.samples import layout_of
from edgekc.demo.walk import DATA

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "recipes"


# ---- recipes ----


def test_recipes_are_found_by_name() -> None:
    names = edgekc.list_recipes()
    assert set(names) == {path.stem for path in EXAMPLES.glob("*.toml")}
    for name in names:
        assert edgekc.load_recipe(name) == rc.load(EXAMPLES / f"{name}.toml")


def test_a_recipe_is_a_name_a_path_a_table_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"method": "cluster", "bits": 3}
    made = edgekc.load_recipe({"compress": [step]})
    (tmp_path / "mine.toml").write_text('[[compress]]\nmethod = "cluster"\nbits = 3\n')
    (tmp_path / "cluster4").write_text('[[compress]]\nmethod = "cluster"\nbits = 3\n')
    assert edgekc.load_recipe(tmp_path / "mine.toml") == edgekc.load_recipe(str(tmp_path / "mine.toml")) == made
    assert edgekc.load_recipe(made) is made
    assert edgekc.load_recipe(None) == rc.Recipe()
    monkeypatch.chdir(tmp_path)
    assert edgekc.load_recipe("mine.toml") == made
    assert edgekc.load_recipe("cluster4") == made  # a file of the user's goes before ours


def test_a_wrong_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(edgekc.UsageError, match=r"no recipe is called 'cluster5'.*did you mean 'cluster4'"):
        edgekc.load_recipe("cluster5")
    with pytest.raises(edgekc.UsageError, match="bits"):
        edgekc.load_recipe({"compress": [{"method": "cluster", "bits": "4"}]})
    with pytest.raises(edgekc.UsageError, match="unknown key"):
        edgekc.load_recipe({"compres": []})
    said = complaint(call("compress", MODEL, "--recipe", "cluster5", "-o", tmp_path / "x.ekc"))
    assert "did you mean 'cluster4'" in said


def test_what_is_quantised_is_not_compressed() -> None:
    for model in (MODEL, edgekc.load(MODEL)):
        with pytest.raises(edgekc.UsageError, match="quantised already"):
            edgekc.compress(model)


# ---- PyTorch ----


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    with np.load(DATA / "digits_test.npz") as data:
        return ((data["x"] + 128.0) / 240).astype(np.float32), data["y"].astype(np.int64)


@pytest.fixture(scope="module")
def net() -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    layers = torch.nn
    return layers.Sequential(
        layers.Conv2d(1, 6, 3, padding=1), layers.ReLU(), layers.Conv2d(6, 8, 3, stride=2), layers.ReLU(),
        layers.Flatten(), layers.Linear(72, 10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def packed(net: Any, digits: tuple[Any, Any]) -> edgekc.Packed:
    x, y = digits
    model = edgekc.load(net, x[:1].transpose(0, 3, 1, 2))
    assert (model.name, model.stage, model.path) == ("sequential", "float", None)
    return edgekc.compress(model, data=(x[:100], y[:100]), recipe={"quantize": {"equalise": "off"}})


def test_a_module_needs_example_inputs(net: Any) -> None:
    with pytest.raises(edgekc.UsageError, match="example_inputs"):
        edgekc.load(net)


def test_a_float_model_is_not_compiled(net: Any, digits: tuple[Any, Any]) -> None:
    model = edgekc.load(net, digits[0][:1].transpose(0, 3, 1, 2), name="small")
    with pytest.raises(edgekc.UsageError, match=r"the model is float; quantise it first: edgekc\.compress"):
        edgekc.compile(model)


def test_a_packed_model_is_saved_inspected_and_compiled(packed: edgekc.Packed, tmp_path: Path) -> None:
    path = packed.save(tmp_path / "net.ekc")
    assert path.read_bytes() == packed.data
    found = edgekc.inspect(path).to_dict()
    assert found == edgekc.inspect(packed).to_dict()
    assert found["metadata"]["source"] == "torch Sequential" and "source_sha256" not in found["metadata"]
    assert packed.to_dict()["ekc_bytes"] == len(packed.data)
    assert f"{len(packed.data):,} bytes" in str(packed)
    program = edgekc.compile(packed, name="net")
    assert program.files == edgekc.compile(path, name="net").files
    checked = program.verify(samples=4, device=False)
    assert checked.ok and "a recipe quantised and compressed its source, torch Sequential" in str(checked)
    (tmp_path / "mine.ekc").write_text("mine")
    with pytest.raises(edgekc.UsageError, match="edgekc did not write it"):
        packed.save(tmp_path / "mine.ekc")


def test_data_of_every_kind_gives_the_same_bytes(net: Any, digits: tuple[Any, Any], packed: edgekc.Packed) -> None:
    torch = pytest.importorskip("torch")
    x, y = digits[0][:100], digits[1][:100]
    first = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())  # (100, 1, 8, 8)
    pairs = torch.utils.data.TensorDataset(first, torch.from_numpy(y))
    for data in (
        (first, torch.from_numpy(y)),
        [(x[:50], y[:50]), (x[50:], y[50:])],
        torch.utils.data.DataLoader(pairs, batch_size=25),
    ):
        again = edgekc.compress(
            net_model(net), data=data, recipe={"quantize": {"equalise": "off"}}, name="sequential"
        )  # fmt: skip
        assert again.data == packed.data


def net_model(net: Any) -> edgekc.Model:
    return edgekc.load(net, np.zeros((1, 1, 8, 8), np.float32))


def test_images_may_have_channels_first_where_the_model_has(
    packed: edgekc.Packed, digits: tuple[Any, Any], tmp_path: Path
) -> None:
    """Also where a program is opened, or compiled of a saved model."""
    x, y = digits
    program, first = edgekc.compile(packed, name="net"), x.transpose(0, 3, 1, 2)
    opened = edgekc.open_program(program.save(tmp_path / "out"))
    for each in (program, opened, edgekc.compile(packed.save(tmp_path / "net.ekc"))):
        assert np.array_equal(each.run(first[:5]), program.run(x[:5]))
        assert np.array_equal(each.run(first[0]), program.run(x[0]))
        assert each.evaluate(first, y) == program.evaluate(x, y)


def test_images_have_channels_last_where_the_model_has(digits: tuple[Any, Any], tmp_path: Path) -> None:
    opened = edgekc.open_program(edgekc.compile(MODEL).save(tmp_path / "out"))
    with pytest.raises(edgekc.UsageError, match=r"samples have shape \[1, 8, 8\], the model takes \[8, 8, 1\]"):
        opened.evaluate(digits[0].transpose(0, 3, 1, 2), digits[1])


@pytest.mark.parametrize(
    ("source", "layout"), [("a/b.ONNX", "NCHW"), ("b.pt2", "NCHW"), ("torch Net", "NCHW"), ("b.tflite", ""), ("", "")]
)
def test_the_layout_is_that_of_the_source(source: str, layout: str) -> None:
    assert layout_of({"metadata": {"source": source}}) == layout
    assert layout_of({}) == ""


def test_accuracy_is_that_of_the_report(
    packed: edgekc.Packed, net: Any, digits: tuple[Any, Any], tmp_path: Path
) -> None:
    """Of samples that did not calibrate; one more comparison, with itself, finds no difference."""
    x, y = digits
    path = packed.save(tmp_path / "net.ekc")
    more = {"data": (x[:100], y[:100]), "test": (x[100:], y[100:]), "against": [path], "project": tmp_path}
    made = edgekc.compress(net_model(net), recipe={"quantize": {"equalise": "off"}}, **more)
    judgement = made.report.judgement
    assert judgement is not None and judgement.part.name == "test" and not judgement.seen
    found = edgekc.compile(made).evaluate(x[100:], y[100:], against=[path])
    assert (found.right, found.total) == (judgement.packed.right, len(x) - 100)
    assert [(beside.base, beside.disagree) for beside in found.comparisons] == [("net.ekc", 0)]
    assert "against net.ekc, same samples: +0.00 points" in str(found)
    float_base, itself = judgement.comparisons
    assert (float_base.base, itself.base) == ("float", "net.ekc")
    assert float_base.won - float_base.lost == judgement.packed.right - judgement.base.right
    assert itself.samples == len(x) - 100 and itself.right == found.right
    assert made.to_dict()["judgement"]["comparisons"][1]["points"] == itself.points
    assert "accuracy on test, " in str(made) and "packed against net.ekc, same samples: " in str(made)


def test_training_samples_judge_nothing_that_is_not_marked(packed: edgekc.Packed, net: Any) -> None:
    """Without a test part some samples are split off; where there are too few, the figure says what it is."""
    judgement = packed.report.judgement
    assert judgement is not None and (judgement.part.name, judgement.part.split_off) == ("validation", True)
    assert 10 <= judgement.part.samples <= 25
    assert "accuracy on validation, " in str(packed)
    few = edgekc.compress(net_model(net), data=(np.zeros((2, 8, 8, 1), np.float32), np.array([1, 2])))
    assert "accuracy on the 2 TRAINING samples of data, which flatters" in str(few)


def test_the_command_writes_the_same(net: Any, digits: tuple[Any, Any], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    x, y = digits
    torch.export.save(torch.export.export(net.eval(), (torch.zeros(1, 1, 8, 8),)), tmp_path / "net.pt2")
    np.savez(tmp_path / "data.npz", x=x[:100], y=y[:100])
    words = ("--data", tmp_path / "data.npz", "--recipe", "cluster4", "--name", "net", "--json")
    result = call("compress", tmp_path / "net.pt2", *words, "-o", tmp_path / "net.ekc")
    assert result.code == 0, result.err
    for model in (tmp_path / "net.pt2", edgekc.load(tmp_path / "net.pt2")):
        ours = edgekc.compress(model, data=tmp_path / "data.npz", recipe="cluster4", name="net")
        assert ours.data == (tmp_path / "net.ekc").read_bytes()
        assert json.loads(json.dumps(ours.to_dict())) == json.loads(result.out)
