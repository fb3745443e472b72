"""Networks with a state: importer, passes and plan, held against LiteRT, whose interpreter keeps variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.emulate import imported, reference
from edgekc.errors import CapacityError, ModelError, UnsupportedError
from edgekc.format.pack import pack, unpack
from edgekc.generate.fits import Target, check_fit
from edgekc.generate.plan import Plan, plan, plan_within
from edgekc.graph.ir import Array, Graph, Node, Quant, Stage, State, Tensor
from edgekc.importers import import_model
from edgekc.pipeline import describe_plan, to_integer

streaming = pytest.importorskip("streaming", reason="the writer of .tflite files needs the package tflite")
STEPS = 8


def joined(rows: list[list[Array]]) -> list[Array]:
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def same(found: list[Array], wanted: list[Array]) -> None:
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a.ravel(), b.ravel())


@pytest.mark.parametrize(
    "seeds", [range(9), *(pytest.param(range(k, k + 50), marks=pytest.mark.slow) for k in range(9, 209, 50))]
)
def test_random_sequences_equal_litert(seeds: range, tmp_path: Path) -> None:
    """As imported, behind all passes, and out of the file of the packed model; every plan places the states."""
    streaming.oracle.missing() and pytest.skip(streaming.oracle.missing())
    kinds: set[str] = set()
    for seed in seeds:
        net = streaming.random_streaming(seed)
        (tmp_path / "net.tflite").write_bytes(net.file)
        samples = net.samples(STEPS)
        expected = joined(streaming.interpret(net.file, samples))
        graph = import_model(tmp_path / "net.tflite", "net")
        inputs = joined(samples)
        same(imported.outputs(imported.prepare(graph), inputs), expected)
        packed = unpack(pack(to_integer(graph, {})), "net.ekc")
        same(reference.outputs(packed, inputs), expected)
        found = plan(packed, frozenset())
        kinds |= {s.kernel.symbol for s in found.steps if s.output.space == "state"}
        sound(found)
    assert {"ek_copy_s8", "ek_lut_s8"} <= kinds


def sound(found: Plan) -> None:
    """Replays the plan's steps on bytes that stand for values: each operand is what the graph says, ends included."""
    graph, held = found.graph, dict[tuple[str, int], str]()
    holds: dict[str, str] = {}  # tensor -> the node or source whose bytes it shows
    for name, at in zip(graph.inputs, found.input_offsets, strict=True):
        held["input", at] = holds[name] = name
    for state, at in zip(graph.states, found.state_offsets, strict=True):
        held["state", at] = holds[state.start] = state.start
    for node in graph.nodes:
        shown = node.op == "reshape"
        holds[node.outputs[0]] = holds[node.inputs[0]] if shown else node.outputs[0]
    for step in found.steps:
        acts = [t for t in step.view.inputs if t.data is None]
        for t, at in zip(acts, step.inputs, strict=True):
            assert held[at.space, at.offset] == holds[t.name], f"{step.view.node.name} reads something else"
        held[step.output.space, step.output.offset] = holds[step.view.out.name]
    for state, at in zip(graph.states, found.state_offsets, strict=True):
        assert held["state", at] == holds[state.end], f"{state.start} is lost"


# ---- where the plan puts a state's end ----------------------------------------------------------------------------


def tanh(name: str, x: str) -> Node:
    return Node("tanh", name, (x,), (name,), {})


def kept(name: str, x: str) -> Node:
    return Node("reshape", name, (x,), (name,), {})


def net(nodes: list[Node], outputs: list[str], states: dict[str, str]) -> Graph:
    """Of tensors of one shape and scale; `states`: start -> end."""
    names = ["x", *states, *(node.name for node in nodes)]
    tensors = {n: Tensor(n, (1, 8), "int8", Quant((1 / 128,), (0,))) for n in names}
    kept_states = tuple(State(start, end, np.zeros((1, 8), np.int8)) for start, end in states.items())
    graph = Graph("net", Stage.QUANTIZED, tensors, tuple(nodes), ("x",), tuple(outputs), {}, kept_states)
    return to_integer(graph, {})


def steps(graph: Graph) -> list[str]:
    found = plan(graph, frozenset())
    sound(found)
    return [line.split(" ", 1)[1] for line in describe_plan(found).splitlines()[2:]]


def test_an_end_is_written_where_its_start_lay() -> None:
    graph = net([tanh("y", "s"), tanh("h", "x"), kept("e", "h")], ["y"], {"s": "e"})
    assert steps(graph) == ["y ek_lut_s8 state+0 -> output+0[8]", "h ek_lut_s8 input+0 -> state+0[8]"]


def test_an_end_is_written_over_its_start_in_place() -> None:
    graph = net([tanh("h", "s"), kept("e", "h"), tanh("y", "h")], ["y"], {"s": "e"})
    assert steps(graph) == ["h ek_lut_s8 state+0 -> state+0[8]", "y ek_lut_s8 state+0 -> output+0[8]"]


def test_an_end_is_copied_where_the_start_is_read_later() -> None:
    graph = net([tanh("h", "x"), kept("e", "h"), tanh("y", "s")], ["y"], {"s": "e"})
    assert steps(graph) == [
        "h ek_lut_s8 input+0 -> arena+0[8]",
        "y ek_lut_s8 state+0 -> output+0[8]",
        "e ek_copy_s8 arena+0 -> state+0[8]",
    ]


def test_an_end_that_is_an_output_or_the_input_is_copied() -> None:
    graph = net([tanh("y", "s"), kept("e", "y"), kept("f", "x")], ["y"], {"s": "e", "t": "f"})
    assert steps(graph)[1:] == ["e ek_copy_s8 output+0 -> state+0[8]", "f ek_copy_s8 input+0 -> state+8[8]"]


def test_a_delay_line_moves_its_last_state_first() -> None:
    nodes = [tanh("y", "s2"), kept("e0", "x"), kept("e1", "s0"), kept("e2", "s1")]
    graph = net(nodes, ["y"], {"s0": "e0", "s1": "e1", "s2": "e2"})
    assert [line.split()[0] for line in steps(graph)] == ["y", "e2", "e1", "e0"]
    x = np.arange(40, dtype=np.int8).reshape(5, 8)
    (found,) = reference.outputs(graph, [x])
    assert (found[:3] == found[0]).all() and (found[3:] != found[0]).any()


def test_a_state_that_nothing_assigns_stays() -> None:
    graph = net([tanh("y", "s"), kept("e", "s")], ["y"], {"s": "e"})
    assert steps(graph) == ["y ek_lut_s8 state+0 -> output+0[8]"]


def test_states_that_take_each_others_values_are_refused() -> None:
    graph = net([tanh("y", "x"), kept("e", "t"), kept("f", "s")], ["y"], {"s": "e", "t": "f"})
    with pytest.raises(UnsupportedError, match="net: the states s, t take each other's values; compute each"):
        plan(graph, frozenset())


def test_a_state_is_no_constant_and_keeps_all_channels() -> None:
    """Zeros at the start are not zeros for ever: channel folding must not take them out."""
    graph = net([tanh("h", "x"), kept("e", "h"), tanh("y", "s")], ["y"], {"s": "e"})
    x = np.full((3, 8), 100, np.int8)
    (found,) = reference.outputs(graph, [x])
    assert (found[0] == 0).all() and (found[1:] > 0).all()


def test_the_state_counts_as_ram() -> None:
    graph = net([tanh("h", "x"), kept("e", "h"), tanh("y", "s")], ["y"], {"s": "e"})
    found, _ = plan_within(graph, frozenset(), None)
    assert (found.arena_bytes, found.state_bytes, found.input_bytes, found.output_bytes) == (8, 8, 8, 8)
    check_fit(found, 100, Target("b", frozenset(), None, 32))
    with pytest.raises(
        CapacityError, match="arena, state, input and output need 32 bytes at least, 1 more than the RAM holds"
    ):
        check_fit(found, 100, Target("b", frozenset(), None, 31))


def test_a_state_cannot_be_an_output_by_itself() -> None:
    graph = net([kept("y", "s"), tanh("h", "x"), kept("e", "h")], ["y"], {"s": "e"})
    assert steps(graph)[0] == "y ek_copy_s8 state+0 -> output+0[8]"


# ---- files that are refused ---------------------------------------------------------------------------------------


@pytest.fixture
def schema() -> Any:
    return pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")


def code(model: Any, name: int) -> int:
    return next(i for i, c in enumerate(model.operatorCodes) if c.builtinCode == name)


def _if(model: Any, s: Any) -> None:
    changed = model.operatorCodes[code(model, s.BuiltinOperator.LOGISTIC)]
    changed.builtinCode = changed.deprecatedBuiltinCode = s.BuiltinOperator.IF


def _not_called(model: Any, s: Any) -> None:
    model.subgraphs[0].operators.pop(0)


def _computed_first(model: Any, s: Any) -> None:
    model.subgraphs[1].operators[1].opcodeIndex = code(model, s.BuiltinOperator.LOGISTIC)


def _no_constant(model: Any, s: Any) -> None:
    model.subgraphs[1].tensors[1].buffer = 0


def _no_first(model: Any, s: Any) -> None:
    del model.subgraphs[1].operators[2:]


def _other_scale(model: Any, s: Any) -> None:
    """Reads the first variable again, behind its assignment, under another scale."""
    graph = model.subgraphs[0]
    reads = [o for o in graph.operators if o.opcodeIndex == code(model, s.BuiltinOperator.READ_VARIABLE)]
    again = s.OperatorT()
    again.opcodeIndex, again.inputs, again.outputs = reads[0].opcodeIndex, reads[0].inputs, [len(graph.tensors)]
    t = s.TensorT()
    old = graph.tensors[reads[0].outputs[0]]
    t.shape, t.type, t.buffer, t.name = old.shape, old.type, 0, b"again"
    t.quantization = s.QuantizationParametersT()
    t.quantization.scale, t.quantization.zeroPoint = [0.5], [0]
    graph.tensors.append(t)
    graph.operators.append(again)


def _no_variable(model: Any, s: Any) -> None:
    read = next(
        o for o in model.subgraphs[0].operators if o.opcodeIndex == code(model, s.BuiltinOperator.READ_VARIABLE)
    )
    read.inputs = [model.subgraphs[0].inputs[0]]


def _no_such_subgraph(model: Any, s: Any) -> None:
    model.subgraphs[0].operators[0].builtinOptions.initSubgraphIndex = 7


def _other_shape(model: Any, s: Any) -> None:
    graph = model.subgraphs[0]
    assign = next(o for o in graph.operators if o.opcodeIndex == code(model, s.BuiltinOperator.ASSIGN_VARIABLE))
    assign.inputs = [assign.inputs[0], graph.outputs[0]]
    graph.tensors[graph.outputs[0]].type = s.TensorType.INT8


REFUSED: list[tuple[Callable[[Any, Any], None], type[Exception], str]] = [
    (_if, UnsupportedError, r"operator \d+ IF: the model has 2 subgraphs, and control flow; supported of it: WHILE"),
    (_not_called, UnsupportedError, "2 subgraphs; supported: one, those of loops, and those in which CALL_ONCE gives"),
    (_computed_first, UnsupportedError, "subgraph 1: operator 1 LOGISTIC: runs before the first step"),
    (_no_constant, UnsupportedError, "subgraph 1: operator 1 ASSIGN_VARIABLE: assigns something else than a constant"),
    (_no_first, UnsupportedError, r"read_variable_\d+: the variable has no first value; convert the model"),
    (_other_scale, UnsupportedError, "a variable that is read in another shape or scale than it was written in"),
    (_no_variable, ModelError, r"READ_VARIABLE: tensor \d+ is no variable"),
    (_no_such_subgraph, ModelError, "operator 0 CALL_ONCE runs subgraph 7 of 2"),
    (_other_shape, ModelError, r"the variable is read as int8\[1, 2, 1, 8\], starts as"),
]


@pytest.mark.parametrize(("change", "error", "message"), REFUSED, ids=[row[0].__name__[1:] for row in REFUSED])
def test_files_that_are_refused(
    change: Callable[[Any, Any], None], error: type[Exception], message: str, schema: Any, tmp_path: Path
) -> None:
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(bytearray(streaming.wake_word(1).file), 0)
    change(model, schema)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "net.tflite").write_bytes(bytes(builder.Output()))
    with pytest.raises(error, match=message) as caught:
        import_model(tmp_path / "net.tflite", "net")
    assert "\n" not in str(caught.value)
