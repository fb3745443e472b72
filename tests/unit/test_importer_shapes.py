"""What a free batch size makes of a file: arithmetic on shapes, placeholders, dilated convolutions in phases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import import_tflite
from nets import Net

from edgekc.emulate import reference
from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.graph.ir import Graph
from edgekc.importers.tflite import shapes
from edgekc.ops import legal
from edgekc.passes import QUANTIZED_PASSES, drop_identity_reshapes
from edgekc.passes.lower import lower

DATA = Path(__file__).resolve().parents[1] / "data" / "converter"


def load(data: bytes) -> Graph:
    """The graph after the passes on QUANTIZED graphs."""
    graph = import_tflite(data, "net", "net.tflite")
    for _, run in QUANTIZED_PASSES:
        graph, _ = run(graph)
    legal.check(lower(graph))
    return graph


def complaint(data: bytes) -> str:
    """The error that the bytes give, empty where they are a model; any other exception fails the test."""
    try:
        load(data)
    except EdgekcError as error:
        return str(error)
    return ""


def changed(name: str, change: Callable[[Any, Any], None]) -> bytes:
    """A file of the converter after `change(model, first subgraph)`."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")
    import flatbuffers

    model = schema.ModelT.InitFromPackedBuf(bytearray((DATA / f"{name}.tflite").read_bytes()), 0)
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def first(model: Any, graph: Any, builtin: int) -> Any:
    return next(o for o in graph.operators if model.operatorCodes[o.opcodeIndex].builtinCode == builtin)


@pytest.mark.parametrize(
    ("target", "elements", "shape"),
    [([1, -1], 24, (1, 24)), ([2, 3, 4], 24, (2, 3, 4)), ([-1, 1, 6], 24, (4, 1, 6)), ([], 1, ()), ([-1], 1, (1,))],
)
def test_resolve(target: list[int], elements: int, shape: tuple[int, ...]) -> None:
    assert shapes.resolve(target, elements) == shape


@pytest.mark.parametrize("target", [[5, -1], [-1, -1], [2, 3], [0, 24], [-2, 12], [0, -1], [2**31, 2**31]])
def test_resolve_refuses(target: list[int]) -> None:
    with pytest.raises(ValueError, match="do not reshape"):
        shapes.resolve(target, 24)


@settings(deadline=None, max_examples=100)
@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 3), st.booleans(), st.booleans())
def test_slices_are_numpy_s(begin: int, end: int, step: int, open_begin: bool, open_end: bool) -> None:
    options = dict(BeginMask=open_begin, EndMask=open_end, EllipsisMask=0, NewAxisMask=0, ShrinkAxisMask=0, Offset=0)
    vector = np.array([1, 8, 6, 3])
    operands = [vector, *(np.array([v]) for v in (begin, end, step))]
    if step == 0:
        with pytest.raises(ValueError, match="zero"):
            shapes.fold("STRIDED_SLICE", options, operands)
        return
    expected = vector[slice(None if open_begin else begin, None if open_end else end, step)]
    np.testing.assert_array_equal(shapes.fold("STRIDED_SLICE", options, operands)[0], expected)


_NO_MASKS = dict(BeginMask=0, EndMask=0, EllipsisMask=0, NewAxisMask=0, ShrinkAxisMask=0, Offset=0)
ARITHMETIC = {
    "shrunk": ("STRIDED_SLICE", {**_NO_MASKS, "ShrinkAxisMask": 1}, [[1, 8, 6], [-1], [0], [1]], [6]),
    "new-axis": ("STRIDED_SLICE", {**_NO_MASKS, "NewAxisMask": 1}, [[1, 8], [0, 0], [0, 2], [1, 1]], [[[1, 8]]]),
    "ellipsis": ("STRIDED_SLICE", {**_NO_MASKS, "EllipsisMask": 1}, [[1, 8], [0], [0], [1]], [[1, 8]]),
    "offset": ("STRIDED_SLICE", {**_NO_MASKS, "Offset": 1}, [[1, 8, 6, 3], [1], [2], [1]], [[8, 6]]),
    "slice": ("SLICE", {}, [[1, 8, 6, 3], [1], [-1]], [[8, 6, 3]]),
    "unpack": ("UNPACK", {"Axis": 0}, [[4, 9]], [4, 9]),
    "split": ("SPLIT", {"NumSplits": 2}, [0, [1, 2, 3, 4]], [[1, 2], [3, 4]]),
    "div": ("DIV", {}, [[7, -7], 2], [[3, -3]]),
    "floor-div": ("FLOOR_DIV", {}, [[7, -7], 2], [[3, -4]]),
    "range": ("RANGE", {}, [1, 7, 2], [[1, 3, 5]]),
    "fill": ("FILL", {}, [[2, 2], 5], [[[5, 5], [5, 5]]]),
    "tile": ("TILE", {}, [[1, 2], [2]], [[1, 2, 1, 2]]),
    "expand": ("EXPAND_DIMS", {}, [3, 0], [[3]]),
    "reshape": ("RESHAPE", {}, [[1, 2], [2, -1]], [[[1], [2]]]),
}


@pytest.mark.parametrize("case", ARITHMETIC)
def test_arithmetic_on_shapes(case: str) -> None:
    builtin, options, operands, expected = ARITHMETIC[case]
    found = shapes.fold(builtin, options, [np.asarray(v) for v in operands])
    assert [f.tolist() for f in found] == expected


@pytest.mark.parametrize(
    ("builtin", "operands"),
    [("DIV", [[1], [0]]), ("RANGE", [0, 10**9, 1]), ("FILL", [[10**6, 10**6], 0]), ("TILE", [[1], [10**9]]),
     ("RESHAPE", [[1, 2], [3]]), ("ADD", [[1]]), ("SPLIT", [[5], [1, 2]])],
)  # fmt: skip
def test_absurd_arithmetic_is_refused(builtin: str, operands: list[Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - numpy says what is wrong in words of its own
        shapes.fold(builtin, {"NumSplits": 2}, [np.asarray(v) for v in operands])


def test_arithmetic_that_is_not_known_is_refused() -> None:
    def ellipsis(model: Any, graph: Any) -> None:
        first(model, graph, 45).builtinOptions.ellipsisMask = 1  # STRIDED_SLICE

    with pytest.raises(UnsupportedError, match=r"operator \d+ PACK: integers that edgekc cannot compute"):
        load(changed("shapes", ellipsis))


def test_reshape_to_another_size() -> None:
    def another(model: Any, graph: Any) -> None:
        operand = graph.tensors[first(model, graph, 22).inputs[1]]  # RESHAPE
        model.buffers[operand.buffer].data = np.array([1, 8, 3, 4], np.int32).view(np.uint8)

    with pytest.raises(ModelError, match=r"RESHAPE: 120 values do not reshape to \[1, 8, 3, 4\]"):
        load(changed("shapes_fixed_batch", another))


def test_phases_become_a_dilation() -> None:
    graph = load((DATA / "conv1d.tflite").read_bytes())
    dilated = [n for n in graph.nodes if n.op == "conv2d"][-1]
    assert (dilated.attrs["dilation_h"], dilated.attrs["dilation_w"]) == (1, 2)
    assert not {n.op for n in graph.nodes} & {"space_to_batch", "batch_to_space"}


def test_phases_around_anything_else_are_refused() -> None:
    def stride(model: Any, graph: Any) -> None:
        spread = first(model, graph, 38)  # SPACE_TO_BATCH_ND
        reader = next(o for o in graph.operators if o.inputs[0] == spread.outputs[0])
        reader.builtinOptions.strideH = 2

    message = r"space_to_batch_nd_\d+: SPACE_TO_BATCH_ND that is not one half of a dilated convolution; supported: .*1$"
    with pytest.raises(UnsupportedError, match=message):
        load(changed("convolutions", stride))


@pytest.mark.parametrize("right", [True, False])
def test_padv2(right: bool) -> None:
    """PADV2 with the zero point is PAD, with another value it is an operator of its own."""

    def padv2(model: Any, graph: Any) -> None:
        import copy

        op = first(model, graph, 34)  # PAD
        code = model.operatorCodes[op.opcodeIndex]
        code.builtinCode = code.deprecatedBuiltinCode = 60
        value = copy.deepcopy(graph.tensors[op.inputs[0]])
        value.shape, value.shapeSignature, value.buffer = np.array([1], np.int32), None, len(model.buffers)
        buffer = copy.deepcopy(model.buffers[0])
        buffer.data = np.array([value.quantization.zeroPoint[0] + (not right)], np.int8).view(np.uint8)
        model.buffers.append(buffer)
        graph.tensors.append(value)
        op.inputs = np.array([*op.inputs, len(graph.tensors) - 1], np.int32)

    graph, plain = load(changed("mobilenet_v2", padv2)), load((DATA / "mobilenet_v2.tflite").read_bytes())
    if not right:
        node = next(n for n in graph.nodes if n.op == "pad_with")
        assert node.attrs["value"] == graph.tensors[node.inputs[0]].q.scale
        return
    assert [(n.op, n.attrs) for n in graph.nodes] == [(n.op, n.attrs) for n in plain.nodes]


def test_reshapes_in_a_row() -> None:
    """The inner ones go, also where one of them has a second reader; what is an output stays."""
    net = Net(np.random.default_rng(1), (1, 4, 3, 2))
    a = net.unary("reshape", "input", shape=(1, 12, 2))
    b = net.unary("reshape", a, shape=(1, 6, 4))
    c = net.unary("reshape", b, shape=(1, 24))
    d = net.unary("reshape", b, shape=(1, 4, 3, 2))
    graph = net.graph(net.fully_connected(c, 4), net.conv(d, 3), a)
    after, notes = drop_identity_reshapes.run(graph)
    assert [n.op for n in after.nodes] == ["reshape", "reshape", "fully_connected", "conv2d"]
    assert len(notes) == 2
    x = np.random.default_rng(2).integers(-128, 128, (3, 4, 3, 2)).astype(np.int8)
    for one, two in zip(reference.outputs(lower(graph), [x]), reference.outputs(lower(after), [x]), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["shapes", "conv1d", "pooling", "uint8_edges"])
def test_damage_is_an_error_of_one_line(name: str) -> None:
    """Bits and whole words changed anywhere: still a model, or an EdgekcError, and nothing else."""
    good = (DATA / f"{name}.tflite").read_bytes()
    rng = np.random.default_rng(7)
    for _ in range(250):
        data = bytearray(good)
        position = int(rng.integers(0, len(data) // 4)) * 4
        if rng.random() < 0.5:
            data[position] ^= int(rng.integers(1, 256))
        else:
            data[position : position + 4] = int(rng.choice([0, 1, 2, 5, 2**16, 2**31 - 1, 2**32 - 1])).to_bytes(
                4, "little"
            )
        assert "\n" not in complaint(bytes(data))
