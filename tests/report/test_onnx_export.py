"""What is exported as ONNX gives the integers of the definition in onnxruntime: exact, or to one level a layer."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.cli_command import call, complaint

import edgekc
from edgekc.demo.walk import DATA
from edgekc.emulate import reference
from edgekc.errors import EdgekcError, ToolError, UnsupportedError, UsageError
from edgekc.exporters.onnx import supported, to_onnx
from edgekc.exporters.scales import levels
from edgekc.graph.ir import Array, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case, Constant, Op, operand_at
from edgekc.ops import OPS

MODEL = DATA / "digits_int8.tflite"
MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
SEED = 5
MANY = 100


def ran(data: bytes, inputs: list[Array]) -> list[Array]:
    """Outputs of onnxruntime, sample by sample, with all that it fuses."""
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    size = session.get_inputs()[0].shape[0]
    rows = [
        session.run(None, {name: x[k : k + size] for name, x in zip(names, inputs, strict=True)})
        for k in range(0, len(inputs[0]), size)
    ]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def graph_of(op: Op, case: Case) -> tuple[Graph, list[Array]]:
    """A case as a net of one layer with scales, and its activations."""
    tensors: dict[str, Tensor] = {}
    inputs: dict[str, Array] = {}
    zero = case.attrs.get("pad_value", case.attrs.get("in_zero", case.attrs.get("a_zero", 3)))
    for i, value in enumerate(case.inputs):
        operand = operand_at(op, i)
        name = f"layer/{operand.name}{i}"
        if operand.constant is Constant.NEVER or (operand.role is None and value.dtype == np.int8 and i < 2):
            own = case.attrs.get("b_zero", zero) if i else zero
            tensors[name] = Tensor(name, value.shape, value.dtype.name, Quant((0.5,), (own,)))
            inputs[name] = value
        else:
            tensors[name] = constant(name, value, operand.role or Role.WEIGHTS)
    (out,) = op.reference(case.attrs, case.inputs)
    node = Node(op.name, "layer", tuple(tensors), ("out",), case.attrs)
    tensors["out"] = Tensor("out", out.shape, out.dtype.name, Quant((0.25,), (case.attrs.get("out_zero", zero),)))
    graph = Graph("net", Stage.INTEGER, tensors, (node,), tuple(inputs), ("out",), {})
    return _tied(graph), list(inputs.values())


def _tied(graph: Graph) -> Graph:
    """With the scales that the layer's integers tie to one another: those by hand would contradict them."""
    found = levels(replace(graph, tensors={name: replace(t, quant=None) for name, t in graph.tensors.items()}))
    tensors = {
        name: replace(t, quant=Quant((found[name].scale,), t.quant.zero_points)) if t.quant is not None else t
        for name, t in graph.tensors.items()
    }
    return replace(graph, tensors=tensors)


@pytest.mark.parametrize("exact", [False, True], ids=["qdq", "exact"])
@pytest.mark.parametrize("most", [3, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if OPS[name].packs else name for name in sorted(supported())]
)
def test_a_layer_is_within_one_level(name: str, most: int, exact: bool) -> None:
    """The first few cases of an operator, and all of them; without a difference if it is exact.

    Of hundreds of cases each form has every other one: between them they have all.
    """
    pytest.importorskip("onnx")
    tried = 0
    cases = list(OPS[name].cases(np.random.default_rng(SEED)))
    for case in cases[exact::2] if len(cases) > MANY else cases:
        graph, inputs = graph_of(OPS[name], case)
        if tried == most:
            break
        if any(x.dtype != np.int8 for x in inputs) or graph.tensors["out"].dtype != "int8":
            continue
        try:
            data = to_onnx(graph, exact=exact)
        except UnsupportedError:
            continue
        (found,) = ran(data, inputs)
        (wanted,) = OPS[name].reference(case.attrs, case.inputs)
        apart = int(np.abs(found.astype(int) - wanted.astype(int)).max())
        assert apart <= (not exact), f"{case.name}: {apart} levels"
        tried += 1
    assert tried


@pytest.mark.fast
def test_a_network_answers_the_same() -> None:
    """Over nine layers a level becomes up to eight of a probability, 3 percent; the classes stay."""
    pytest.importorskip("onnx")
    found = edgekc.export_onnx(MODEL)
    samples = np.load(DATA / "digits_test.npz")
    program = edgekc.compile(MODEL)
    edge = program.graph.tensors[program.graph.inputs[0]]
    x = samples["x"][:60]
    x = x if x.dtype == np.int8 else np.clip(np.rint(x / edge.q.scale) + edge.q.zero_point, -128, 127).astype(np.int8)
    (got,) = ran(found.data, [x])
    (wanted,) = reference.outputs(program.graph, [x])
    assert got.dtype == np.int8 and (got.argmax(1) == wanted.argmax(1)).all()
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= 8
    assert edgekc.export_onnx(program).data == found.data  # the same bytes of the same network
    (got,) = ran(edgekc.export_onnx(MODEL, exact=True).data, [x])
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("resnet8_cifar10", 2), ("ad_lowrank", 1)])
def test_packed_models_run(name: str, most: int) -> None:
    """Weights of 16 bits too, and an addition that ties scales of two branches."""
    pytest.importorskip("onnx")
    graph = edgekc.load(MODELS / f"{name}.ekc").graph
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    x = np.random.default_rng(SEED).integers(-128, 128, (8, *shape)).astype(np.int8)
    (got,), (wanted,) = ran(to_onnx(graph), [x]), reference.outputs(graph, [x])
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= most
    np.testing.assert_array_equal(ran(to_onnx(graph, exact=True), [x])[0], wanted)


def test_what_has_no_form_is_named() -> None:
    pytest.importorskip("onnx")
    x = Tensor("x", (1, 4), "int8", Quant((1.0,), (200,)))
    lut = Node("lut", "curve", ("x", "table"), ("y",), {"out_unsigned": 0})
    tensors = {"x": x, "table": constant("table", np.zeros(256, np.int8), Role.REQUANT),
               "y": Tensor("y", (1, 4), "int8", Quant((1.0,), (0,)))}  # fmt: skip
    graph = Graph("net", Stage.INTEGER, tensors, (lut,), ("x",), ("y",), {})
    with pytest.raises(UnsupportedError, match="x: the zero point 200, beyond int8"):
        to_onnx(graph)
    odd = replace(
        graph, nodes=(replace(lut, op="prelu"),), tensors={**tensors, "x": replace(x, quant=Quant((1.0,), (0,)))}
    )
    with pytest.raises(UnsupportedError, match="curve: prelu of int8 has no form in ONNX here"):
        to_onnx(odd)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ToolError, match="pip install 'edgekc\\[onnx\\]'"):
        edgekc.export_onnx(MODEL)


@pytest.mark.fast
def test_files_that_are_there_stay(tmp_path: Path) -> None:
    drawn = edgekc.draw_network(MODEL)
    path = drawn.save(tmp_path / "net.svg")
    assert path.read_text().startswith("<svg ") and drawn._repr_html_() == drawn.svg
    assert drawn.save(tmp_path / "net.dot").read_text().startswith("digraph ")
    assert "depthwise_conv_1" in str(drawn)
    for name in ("net.svg", "net.png", "net"):
        with pytest.raises(UsageError):
            drawn.save(tmp_path / name)
    with pytest.raises(EdgekcError):
        edgekc.draw_network(tmp_path / "none.tflite")
    drawn.save(path, force=True)


@pytest.mark.fast
def test_the_commands_write_and_refuse(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    svg, onnx = tmp_path / "net.svg", tmp_path / "net.onnx"
    assert "10 operators, quantized" in call("graph", MODEL, "-o", svg).out
    assert "softmax_9" in call("graph", MODEL).out
    assert len(json.loads(call("graph", MODEL, "--json").out)["nodes"]) == 10
    assert json.loads(call("export-onnx", MODEL, "-o", onnx, "--json").out)["bytes"] == onnx.stat().st_size
    exact = json.loads(call("export-onnx", MODEL, "-o", tmp_path / "exact.onnx", "--exact", "--json").out)["bytes"]
    assert exact == (tmp_path / "exact.onnx").stat().st_size != onnx.stat().st_size
    assert "overwrite it with --force" in complaint(call("graph", MODEL, "-o", svg))
    assert "name a .onnx file" in complaint(call("export-onnx", MODEL, "-o", svg))
    assert "overwrite it with --force" in complaint(call("export-onnx", MODEL, "-o", onnx))
