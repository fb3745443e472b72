"""Constructs of other people's .tflite files that runtimes take, and what is said of those that edgekc does not."""

from __future__ import annotations

import numpy as np
import pytest
from cli_command import GOOD
from importing import import_tflite

import edgekc
from edgekc.emulate import imported
from edgekc.graph.ir import Graph

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")


def opened() -> object:
    return schema.ModelT.InitFromPackedBuf(bytearray(GOOD), 0)


def load(model: object) -> Graph:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")  # type: ignore[attr-defined]
    return import_tflite(bytes(builder.Output()), "net", "net.tflite")


def test_a_quantised_dimension_that_runtimes_ignore() -> None:
    """Converters once gave a bias the dimension of its weights; the values are the same, and so is the model."""
    model = opened()
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    moved = 0
    for tensor in graph.tensors:
        if tensor.quantization is not None and tensor.quantization.scale is not None and len(tensor.shape) == 1:
            tensor.quantization.quantizedDimension = 3
            moved += len(tensor.quantization.scale) > 1
    assert moved
    found, plain = load(model), import_tflite(GOOD, "net", "net.tflite")
    x = np.random.default_rng(0).integers(-128, 128, (4, *plain.tensors["input"].shape[1:])).astype(np.int8)
    want, got = (imported.outputs(imported.prepare(g), [x])[0] for g in (plain, found))
    np.testing.assert_array_equal(got, want)


def test_scales_that_fit_no_axis_are_damage() -> None:
    model = opened()
    tensor = next(
        t for t in model.subgraphs[0].tensors  # type: ignore[attr-defined]
        if len(t.shape) == 1 and t.quantization is not None and t.quantization.scale is not None
        and len(t.quantization.scale) > 1
    )  # fmt: skip
    tensor.quantization.scale = tensor.quantization.scale[:-1]
    tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:-1]
    with pytest.raises(edgekc.ModelError, match="do not match shape"):
        load(model)


def test_an_optional_operand_without_elements() -> None:
    """The operator is refused by its name, not for the shape of what it leaves out; one that needs it is damaged."""
    model = opened()
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    left_out = schema.TensorT()
    left_out.name, left_out.shape, left_out.type = b"peephole", np.array([0], np.int32), 0
    graph.tensors.append(left_out)
    operator = graph.operators[1]
    operator.inputs = np.append(operator.inputs, len(graph.tensors) - 1).astype(np.int32)
    code = model.operatorCodes[operator.opcodeIndex]  # type: ignore[attr-defined]
    before = (code.builtinCode, code.deprecatedBuiltinCode)
    code.builtinCode = code.deprecatedBuiltinCode = 32  # CUSTOM, which stays unknown
    code.customCode = b"Recurrent"
    with pytest.raises(edgekc.UnsupportedError, match=r"operator 1 CUSTOM Recurrent: this operator .* not implemented"):
        load(model)
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = *before, None
    operator.inputs[0] = len(graph.tensors) - 1
    with pytest.raises(edgekc.ModelError, match=r"operator 1 .*'peephole': impossible shape \[0\]"):
        load(model)


def test_several_samples_at_once() -> None:
    model = opened()
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    for tensor in graph.tensors:
        if tensor.shape is not None and len(tensor.shape) > 1 and tensor.shape[0] == 1 and tensor.buffer == 0:
            tensor.shape[0] = 4
    graph.tensors[graph.inputs[0]].shape[0] = 4
    with pytest.raises(
        edgekc.UnsupportedError, match=r"input 0: batch size 4 of .* run it once for each sample"
    ) as error:
        load(model)
    assert len(error.value.obstacles) == 1
