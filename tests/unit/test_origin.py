"""`verify` starts at the user's file: it finds it, compares with it as imported and with LiteRT, and tells a lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cli_command as cli
import numpy as np
import oracle
import pytest

import edgekc.passes
import edgekc.passes.lower
import edgekc.pipeline
from edgekc.emulate import host, imported, litert, origin, reference
from edgekc.emulate.compare import split_inputs
from edgekc.errors import UnsupportedError, VerifyError
from edgekc.format.pack import read
from edgekc.fuzzing import tflite_file
from edgekc.graph.ir import AttrValue, Graph, Node, Quant, Tensor
from edgekc.graph.op import Lowered, View
from edgekc.passes import INTEGER_PASSES, QUANTIZED_PASSES, Pass
from edgekc.pipeline import Target, compile_model

DATA = Path(__file__).resolve().parents[1] / "data" / "converter"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "models"
MODELS = sorted(DATA.glob("*.tflite"))
needs_litert = pytest.mark.skipif(litert.find("tflite") is None, reason="ai-edge-litert is not installed")
ANY = Target("any", frozenset(), None, None)


def check(path: Path, source: origin.Source | None = None, samples: int = 5) -> origin.Checked:
    """What `verify` does with the source of a model, without C."""
    compiled = compile_model(path, "net", ANY)
    manifest, graph = json.loads(compiled.files["manifest.json"]), compiled.packed.graph
    inputs = split_inputs(graph, host.samples(manifest, samples), samples)
    expected = reference.outputs(graph, inputs)
    return origin.check(source or origin.Source(path, "tflite", ""), graph, manifest, inputs, expected, 2)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_packed_model_is_its_file(path: Path) -> None:
    """Dilation by SPACE_TO_BATCH, float and uint8 edges, several inputs and outputs: no pass is needed for any."""
    checked = check(path)
    assert checked.oracles[0] == f"{path.name} as imported, before any pass"
    if litert.find("tflite") is not None:
        assert checked.oracles[1].startswith("LiteRT (ai-edge-litert ")
        assert checked.notes == ()


@needs_litert
def test_versions_that_the_reference_kernels_do_not_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's converter writes version 2 of DEPTH_TO_SPACE, which they have as version 1 alone."""
    x, y = (Tensor(n, s, "int8", Quant((0.1,), (3,))) for n, s in (("x", (1, 2, 2, 8)), ("y", (1, 4, 4, 2))))
    view = View(Node("depth_to_space", "y", ("x",), ("y",), {"block": 2}), (x,), (y,))
    monkeypatch.setattr(tflite_file, "FIRST_VERSION", ())
    path = tmp_path / "net.tflite"
    path.write_bytes(oracle.model(view))
    checked = check(path)
    assert checked.notes == () and checked.oracles[1].startswith("LiteRT (ai-edge-litert ")
    assert not checked.oracles[1].endswith("its own kernels")


def lying(run: Pass, spoil: Callable[[Graph], Graph]) -> Pass:
    def lies(graph: Graph) -> tuple[Graph, list[str]]:
        graph, notes = run(graph)
        return spoil(graph), notes

    return lies


def less(graph: Graph) -> Graph:
    """A graph that does one thing less: the clamp of its last layer with one is another."""
    key = "act_max" if graph.stage.value == "integer" else "activation"
    node = next(n for n in reversed(graph.nodes) if key in n.attrs and n.op != "concat")
    value = node.int_attr(key) - 40 if key == "act_max" else "relu6" if node.attrs[key] == "none" else "none"
    changed = replace(node, attrs={**node.attrs, key: value})
    return replace(graph, nodes=tuple(changed if n is node else n for n in graph.nodes))


def with_liar(passes: tuple[tuple[str, Pass], ...], liar: str) -> tuple[tuple[str, Pass], ...]:
    return tuple((name, lying(run, less) if name == liar else run) for name, run in passes)


@pytest.mark.parametrize("liar", [name for name, _ in (*QUANTIZED_PASSES, *INTEGER_PASSES)])
def test_a_pass_that_lies_is_named(liar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (edgekc.passes, edgekc.pipeline, origin):
        monkeypatch.setattr(module, "QUANTIZED_PASSES", with_liar(QUANTIZED_PASSES, liar))
        monkeypatch.setattr(module, "INTEGER_PASSES", with_liar(INTEGER_PASSES, liar))
    with pytest.raises(VerifyError, match=f"the pass {liar} changes them") as caught:
        check(DATA / "mobilenet_v2.tflite")
    assert "mobilenet_v2.tflite as imported, before any pass" in str(caught.value)


@needs_litert
def test_a_lowering_that_lies_is_seen_by_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pass is at fault, and the reference of the file tells the same lie: only the other oracle can know."""
    right = edgekc.passes.lower.LOWER["logistic"]

    def off_by_one(view: View) -> Lowered:
        lowered = right(view)
        (table,) = lowered.constants
        data = np.where(table.value > 0, table.value - 1, table.value).astype(np.int8)
        return replace(lowered, constants=(replace(table, data=data),))

    monkeypatch.setitem(edgekc.passes.lower.LOWER, "logistic", off_by_one)
    with pytest.raises(VerifyError, match=r"the first layer that differs is LOGISTIC \d+"):
        check(DATA / "squeeze_excite.tflite")


def test_double_rounding_is_not_litert_s() -> None:
    path = DATA / "alone.tflite"
    source = origin.Source(path, "double", "")
    compiled = compile_model(path, "net", ANY, rounding="double")
    manifest, graph = json.loads(compiled.files["manifest.json"]), compiled.packed.graph
    inputs = split_inputs(graph, host.samples(manifest, 4), 4)
    checked = origin.check(source, graph, manifest, inputs, reference.outputs(graph, inputs), 1)
    assert checked.oracles[0] == "alone.tflite as imported, before any pass"
    if any(n.op == "fully_connected" for n in graph.nodes) and litert.find("double") is None:
        assert "do not round as --rounding double does" in checked.notes[0]


@pytest.mark.slow
@needs_litert
def test_random_networks_are_their_files(tmp_path: Path) -> None:
    random_nets = pytest.importorskip("edgekc.fuzzing.nets", reason="there is no maker of random networks")
    path = tmp_path / "random.tflite"
    equal = 0
    for seed in range(30):
        path.write_bytes(random_nets.random_model(seed))
        try:
            equal += len(check(path).oracles) == 2
        except UnsupportedError:
            continue
    assert equal >= 27


def test_a_recipe_s_model_has_no_file_to_go_back_to(tmp_path: Path) -> None:
    """The source of a compressed model is float: found or not, it does not say what the packed model computes."""
    packed = read((EXAMPLES / "ad_lowrank.ekc").read_bytes(), "ad")
    assert packed.graph.metadata["recipe"] not in ("none", "rounding=double")
    (tmp_path / "ad.ekc").write_bytes((EXAMPLES / "ad_lowrank.ekc").read_bytes())
    source = origin.find_source(tmp_path, "ad")
    assert source.path is None
    assert source.note.startswith("the reference starts at the packed model: a recipe quantised and compressed its")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cli.compile_demo(tmp_path_factory.mktemp("origin") / "out")


def verify(folder: Path, *more: str | Path) -> cli.Result:
    return cli.call("verify", folder, "--no-device", "--samples", "3", *more)


def test_the_file_is_found_by_name_and_hash(demo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "below" / "out"
    shutil.copytree(demo, folder)
    said = verify(folder).out
    assert "the reference starts at the packed model: digits_int8.tflite is not here; name it with --model" in said
    for place in (tmp_path, folder.parent, folder):
        shutil.copy(cli.MODEL, place)
        assert "reference = digits_int8.tflite as imported, before any pass" in verify(folder).out
        (place / cli.MODEL.name).unlink()
    assert "reference = digits_int8.tflite as imported" in verify(folder, "--model", cli.MODEL).out


def test_another_file_is_no_source(demo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    changed = tmp_path / cli.MODEL.name
    changed.write_bytes(cli.GOOD + b"\0")
    assert "the packed model: digits_int8.tflite has changed since it was compiled" in verify(demo).out
    assert "is not what the packed model was made from: that was digits_int8.tflite with the SHA-256" in cli.complaint(
        verify(demo, "--model", changed)
    )
    assert "cannot be read: No such file" in cli.complaint(verify(demo, "--model", tmp_path / "none.tflite"))


def test_the_oracles_are_in_the_json(demo: Path) -> None:
    found = json.loads(verify(demo, "--model", cli.MODEL, "--json").out)
    assert found["oracles"][0] == "digits_int8.tflite as imported, before any pass"
    assert len(found["oracles"]) + len(found["notes"]) == 2


def test_without_an_interpreter_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "_INTERPRETERS", (("no_such_module.interpreter", "none", "tflite"),))
    assert check(DATA / "alone.tflite").notes == (
        "not compared with LiteRT, which is not installed: pip install 'edgekc[litert]'",
    )


def test_an_interpreter_that_fails_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "find", lambda rounding: litert.Interpreter("no_such_module.interpreter", "LiteRT 0"))
    (note,) = check(DATA / "alone.tflite").notes
    assert note.startswith("not compared with LiteRT: LiteRT 0: could not run alone.tflite: ModuleNotFoundError")


def one_operator(folder: Path, op: str, shape: tuple[int, ...], **attrs: AttrValue) -> Path:
    """A file of one operator on a tensor of (1, 4, 4, 4)."""
    q = Quant((0.0625,), (-3,))
    x, y = Tensor("x", (1, 4, 4, 4), "int8", q), Tensor("y", shape, "int8", q)
    path = folder / f"{op}.tflite"
    path.write_bytes(oracle.model(View(Node(op, "y", ("x",), ("y",), attrs), (x,), (y,))))
    return path


@needs_litert
def test_where_litert_s_reference_kernel_is_wrong_its_own_is_asked(tmp_path: Path) -> None:
    checked = check(one_operator(tmp_path, "sum", (1, 4), axes="1,2", keep_dims=0))
    assert checked.oracles[1].endswith("its own kernels")
    assert "its reference kernel of SUM is wrong" in checked.notes[0]


@needs_litert
def test_where_litert_has_no_reference_kernel_its_own_is_asked(tmp_path: Path) -> None:
    checked = check(one_operator(tmp_path, "elu", (1, 4, 4, 4)))
    assert checked.oracles[1].endswith("its own kernels")
    assert "could not run elu.tflite" in checked.notes[0]


def test_phases_are_dealt_out_and_back() -> None:
    """SPACE_TO_BATCH by its definition, pixel by pixel."""
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (1, 3, 5, 2)).astype(np.int8)
    from nets import Net

    net = Net(rng, x.shape)
    dealt = net.unary("space_to_batch", "input", shape=(6, 2, 2, 2), blocks="2,3", pads="1,0,0,1")
    back = net.unary("batch_to_space", dealt, shape=(1, 3, 5, 2), blocks="2,3", crops="1,0,0,1")
    values = imported.run(imported.prepare(net.graph(back)), [x])
    zero = net.tensors["input"].q.zero_point
    padded = np.full((4, 6, 2), zero, np.int8)
    padded[1:, :5] = x[0]
    for row in range(2):
        for column in range(3):
            assert np.array_equal(values[dealt][3 * row + column], padded[row::2, column::3])
    assert np.array_equal(values[back], x)
