"""Loops of .tflite files: unrolled on import, they compute what TensorFlow Lite computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import looped
import numpy as np
import oracle
import pytest
from importing import import_tflite, import_tflite_float

from edgekc.data import Dataset
from edgekc.emulate import imported, reference
from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.evaluate import input_levels
from edgekc.ops import legal
from edgekc.pipeline import to_integer
from edgekc.quantize import float_reference
from edgekc.quantize.post_training import post_training
from edgekc.quantize.settings import Quantize
from edgekc.quantize.to_int8 import to_real

CONVERTED = Path(__file__).resolve().parents[1] / "data" / "converter" / "loops"
pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")
STEPS = 4


@pytest.fixture
def schema() -> Any:
    return pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")


def small(schema: Any, sequence: bool = True, seed: int = 0) -> Any:
    cell = looped.random_cell(seed)
    return looped.model(schema, cell, STEPS, np.full((1, 4), 5 * seed), sequence)


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_int8_steps_equal_litert(schema: Any, seed: int, sequence: bool) -> None:
    data = looped.packed(small(schema, sequence, seed))
    graph = import_tflite(data, "net", "net.tflite")
    legal.check(graph)
    x = np.random.default_rng(seed).integers(-128, 128, (6, STEPS, 5)).astype(np.int8)
    x[0], x[1] = -128, 127
    expected = [oracle.interpret(data, [row[None]]) for row in x]
    plain = imported.outputs(imported.prepare(graph), [x])
    for i, (a, b) in enumerate(zip(plain, reference.outputs(to_integer(graph, {}), [x]), strict=True)):
        want = np.concatenate([outputs[i] for outputs in expected])
        np.testing.assert_array_equal(a, want)
        np.testing.assert_array_equal(b, want)
    assert len({row.tobytes() for row in want}) > 2, "the output hardly depends on the input"


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("simple", 1e-5), ("gru", 1e-5), ("lstm_both_ways", 1e-5), ("gru_float16", 1e-5), ("gru_dynamic_range", 5e-2)],
)
def test_loops_that_the_converter_writes(name: str, tolerance: float) -> None:
    """LiteRT also rounds the activations of layers with int8 weights (dynamic range)."""
    data = (CONVERTED / f"{name}.tflite").read_bytes()
    graph = import_tflite_float(data, "net", name)
    legal.check(graph)
    x = np.random.default_rng(0).standard_normal((5, 4, 3)).astype(np.float32)
    (found,) = float_reference.outputs(graph, [x])
    expected = np.concatenate([oracle.interpret(data, [row[None]])[0] for row in x])
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_a_loop_becomes_int8() -> None:
    """Zeros at the start are constants, and what they alone compute; the walk takes what is left."""
    graph = import_tflite_float((CONVERTED / "gru.tflite").read_bytes(), "net", "gru")
    assert all(any(t.data is None for t in graph.of(node.inputs)) for node in graph.nodes)
    x = np.random.default_rng(0).standard_normal((12, 4, 3)).astype(np.float32)
    data = Dataset(x, None, (), "test")
    quantized = post_training(graph, data, Quantize())
    real = float_reference.outputs(graph, [x])[0]
    (levels,) = reference.outputs(to_integer(quantized, {}), [input_levels(data, quantized)])
    error = to_real(levels, quantized.tensors[quantized.outputs[0]].q) - real
    assert 10 * np.log10((real**2).mean() / (error**2).mean()) > 20


def test_rows_of_a_sequence_are_joined_once(schema: Any) -> None:
    """Each step writes its row into the sequence; unrolled, no step copies the others' rows."""
    graph = import_tflite(looped.packed(small(schema)), "net", "net.tflite")
    joins = [node for node in graph.nodes if node.op.startswith("concat")]
    assert [len(node.inputs) for node in joins] == [STEPS]


def _body(model: Any, builtin: str, schema: Any, graph: int = 2) -> Any:
    number = getattr(schema.BuiltinOperator, builtin)
    return next(o for o in model.subgraphs[graph].operators if model.operatorCodes[o.opcodeIndex].builtinCode == number)


def _computed_condition(model: Any, s: Any) -> None:
    """The counter is what the input gives."""
    loop = _body(model, "WHILE", s, 0)
    t = model.subgraphs[0].tensors[loop.inputs[0]]
    t.buffer = 0
    model.subgraphs[0].inputs = [*model.subgraphs[0].inputs, loop.inputs[0]]


def _endless(model: Any, s: Any) -> None:
    """The counter stays as it is."""
    body = model.subgraphs[2]
    body.outputs = [*body.inputs[:2], *body.outputs[2:]]


def _other_shape(model: Any, s: Any) -> None:
    model.subgraphs[2].tensors[model.subgraphs[2].inputs[3]].shape = np.array([1, 9], np.int32)


def _other_scale(model: Any, s: Any) -> None:
    model.subgraphs[2].tensors[model.subgraphs[2].inputs[4]].quantization.scale = [0.123]


def _other_type(model: Any, s: Any) -> None:
    """What a step leaves behind has another scale than what it found."""
    body = model.subgraphs[2]
    body.outputs[3] = next(i for i, t in enumerate(body.tensors) if t.name.startswith(b"fully_connected"))


def _missing_variable(model: Any, s: Any) -> None:
    model.subgraphs[2].outputs = model.subgraphs[2].outputs[:-1]


def _no_body(model: Any, s: Any) -> None:
    _body(model, "WHILE", s, 0).builtinOptions.bodySubgraphIndex = 7


def _itself(model: Any, s: Any) -> None:
    """The body runs itself."""
    loop = _body(model, "WHILE", s, 0)
    again = s.OperatorT()
    again.opcodeIndex, again.builtinOptionsType = loop.opcodeIndex, loop.builtinOptionsType
    again.builtinOptions = loop.builtinOptions
    body = model.subgraphs[2]
    again.inputs = list(body.inputs)
    again.outputs = list(range(len(body.tensors), len(body.tensors) + 5))
    body.tensors += [body.tensors[i] for i in body.inputs]
    body.operators.append(again)


def _if(model: Any, s: Any) -> None:
    code = model.operatorCodes[_body(model, "WHILE", s, 0).opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = s.BuiltinOperator.IF


def _left_over(model: Any, s: Any) -> None:
    model.subgraphs.append(model.subgraphs[1])


def _unwritten(model: Any, s: Any) -> None:
    """A tensor of the body that nobody writes."""
    body = model.subgraphs[2]
    body.operators = [o for o in body.operators if o is not _body(model, "TANH", s)]


REFUSED: list[tuple[Callable[[Any, Any], None], type[Exception], str]] = [
    (_computed_condition, UnsupportedError, r"operator 1 WHILE: a loop whose number of steps depends on what the"),
    (_endless, UnsupportedError, r"operator 1 WHILE: a loop that becomes more than 99 operators; supported: so many"),
    (_other_shape, UnsupportedError, r"operator 1 WHILE: tensor \d+ 'first' is int8 \[1, 4\], and int8 \[1, 9\] in"),
    (_other_scale, UnsupportedError, r"operator 1 WHILE: tensor \d+ 'turned' has another scale inside of the loop"),
    (_other_type, UnsupportedError, r"WHILE: tensor \d+ of its body: variable 'hidden' of the loop changes its type"),
    (_missing_variable, ModelError, "operator 1 WHILE: its variables are not those of its condition and of its body"),
    (_no_body, ModelError, "operator 1 WHILE runs subgraph 7 of 3"),
    (_itself, UnsupportedError, "WHILE: 4 loops within another; supported: fewer"),
    (_if, UnsupportedError, "operator 1 IF: the model has 3 subgraphs, and control flow; supported of it: WHILE"),
    (_left_over, UnsupportedError, "the model has 4 subgraphs; supported: one, those of loops, and those in which"),
    (_unwritten, ModelError, r"operator 1 WHILE: tensor \d+ of the loop's body is read before it is written"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "says"), REFUSED, ids=[change.__name__[1:] for change, *_ in REFUSED])
def test_other_loops_are_refused(
    schema: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, Any], None], kind: type[Exception], says: str
) -> None:
    monkeypatch.setattr("edgekc.importers.loops.MAX_OPERATORS", 99)
    model = small(schema)
    change(model, schema)
    with pytest.raises(EdgekcError, match=says) as caught:
        import_tflite(looped.packed(model), "net", "net.tflite")
    assert isinstance(caught.value, kind)
    assert "\n" not in str(caught.value)
