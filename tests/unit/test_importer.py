"""Importing .tflite files, sound ones and every kind of damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import import_tflite

from edgekc.demo.walk import DATA
from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.graph.ir import Stage
from edgekc.ops import legal
from edgekc.passes.lower import lower

GOOD = (DATA / "digits_int8.tflite").read_bytes()


def load(data: bytes) -> None:
    """What `compile` does with the bytes before it packs them."""
    graph = import_tflite(data, "net", "net.tflite")
    legal.check(lower(graph))


def complaint(data: bytes) -> str:
    """The error that the bytes give, empty where they are a model; any other exception fails the test."""
    try:
        load(data)
    except EdgekcError as error:
        return str(error)
    return ""


def test_a_sound_model() -> None:
    graph = import_tflite(GOOD, "digits", "digits.tflite")
    assert graph.stage is Stage.QUANTIZED
    legal.check(graph)
    assert graph.tensors["input"].shape == (1, 8, 8, 1)
    assert graph.nodes[0].op == "conv2d"
    assert graph.nodes[0].name == "conv_0"  # operator and index, as any .tflite viewer shows them


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"TFL3",
        b"\x1c\0\0\0TFL3",
        b"PK\x03\x04 a zip file",
        b"\xff" * 64,
        b"\xff" * 4 + b"TFL3" + b"\xff" * 100,
    ],
    ids=["empty", "zeros", "identifier-only", "header-only", "zip", "ones", "garbage"],
)
def test_not_a_model(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"^net\.tflite"):
        load(data)


@settings(deadline=None, max_examples=120)
@given(st.integers(8, len(GOOD) - 1))
def test_truncated(length: int) -> None:
    """A prefix of the file is an error, or, where only unused bytes are missing, still a model."""
    assert "\n" not in complaint(GOOD[:length])


@settings(deadline=None, max_examples=400)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_flipped_bits(position: int, flip: int) -> None:
    """The format has no checksum, so a flip may go unnoticed; it must never be anything but an EdgekcError."""
    data = bytearray(GOOD)
    data[position] ^= flip
    assert "\n" not in complaint(bytes(data))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(GOOD) // 4 - 1), st.sampled_from([0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0, 1, 0x10000]))
def test_absurd_words(position: int, word: int) -> None:
    """Lengths, offsets and dimensions at the extremes: an error at once, no gigabytes allocated."""
    data = bytearray(GOOD)
    data[4 * position : 4 * position + 4] = word.to_bytes(4, "little")
    assert "\n" not in complaint(bytes(data))


def test_float_model_is_refused_by_name(tmp_path: Path) -> None:
    oracle = pytest.importorskip("oracle", reason="the flatbuffer writer of the tests needs ai-edge-litert")
    del oracle
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")
    model = schema.ModelT.InitFromPackedBuf(bytearray(GOOD), 0)
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.FLOAT32
    with pytest.raises(UnsupportedError, match=r"operator 0 CONV_2D: int8 to float32; supported: one type"):
        load(_repack(model))


def _repack(model: object) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")  # type: ignore[attr-defined]
    return bytes(builder.Output())


@pytest.fixture
def model() -> object:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")
    return schema.ModelT.InitFromPackedBuf(bytearray(GOOD), 0)


def test_unknown_operator_names_itself(model: object) -> None:
    code = model.operatorCodes[model.subgraphs[0].operators[1].opcodeIndex]  # type: ignore[attr-defined]
    code.builtinCode, code.deprecatedBuiltinCode = 133, 127  # IMAG
    with pytest.raises(UnsupportedError, match=r"operator 1 IMAG: .*not implemented; supported: .*CONV_2D"):
        load(_repack(model))


def test_huge_dimensions(model: object) -> None:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    graph.tensors[graph.inputs[0]].shape = np.array([1, 2**30, 2**30, 1], np.int32)
    with pytest.raises(ModelError, match="impossible shape"):
        load(_repack(model))


def test_shape_that_contradicts_the_operator(model: object) -> None:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    out = graph.tensors[graph.operators[0].outputs[0]]
    out.shape = np.array([1, 9, 9, out.shape[3]], np.int32)
    with pytest.raises(ModelError, match=r"output shape \[1, 9, 9"):
        load(_repack(model))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_scale(model: object, scale: float) -> None:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    graph.tensors[graph.inputs[0]].quantization.scale = np.array([scale], np.float32)
    with pytest.raises(ModelError, match="scale"):
        load(_repack(model))


def test_batch_is_refused(model: object) -> None:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    graph.tensors[graph.inputs[0]].shape = np.array([2, 8, 8, 1], np.int32)
    with pytest.raises(UnsupportedError, match="batch size 2"):
        load(_repack(model))


def test_weights_at_run_time_are_refused(model: object) -> None:
    graph = model.subgraphs[0]  # type: ignore[attr-defined]
    graph.tensors[graph.operators[0].inputs[1]].buffer = 0
    with pytest.raises(UnsupportedError, match=r"operator 0 CONV_2D: weights .*computed at run time"):
        load(_repack(model))
