"""The reader of flatbuffers: the schema's numbers, damaged bytes of every kind, and faults of ours that stay ours."""

from __future__ import annotations

import random
import struct
from typing import Any

import numpy as np
import pytest
from importing import import_tflite

from edgekc.demo.walk import DATA
from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.fuzzing.file_operators import BUILTIN
from edgekc.importers.faults import is_ours
from edgekc.importers.tflite import file
from edgekc.importers.tflite.file import OPTIONS, read
from edgekc.importers.tflite.flatbuffer import DamagedError, root
from edgekc.importers.tflite.names import OPERATORS, TYPES

DIGITS = (DATA / "digits_int8.tflite").read_bytes()
TABLES = {builtin: table for builtin, table, _ in BUILTIN.values()} | {
    "REDUCE_PROD": "ReducerOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "WHILE": "WhileOptions",
    "SVDF": "SVDFOptions",
}


def test_names_are_the_schemas() -> None:
    schema = pytest.importorskip("tflite", reason="the package tflite is not installed")
    for enumeration, ours in ((schema.BuiltinOperator, OPERATORS), (schema.TensorType, TYPES)):
        theirs = {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}
        assert {number: name.upper() for number, name in ours.items()} == theirs


@pytest.mark.parametrize("builtin", OPTIONS)
def test_options_are_the_schemas(builtin: str) -> None:
    """A table that the schema's own writer made, with another value in each field, and an empty one."""
    schema = pytest.importorskip("tflite", reason="the package tflite is not installed")
    flatbuffers = pytest.importorskip("flatbuffers", reason="the package flatbuffers is not installed")
    table = TABLES[builtin]
    assert table is not None
    kinds = [kind for _, kind, _ in OPTIONS[builtin].values()]
    marks = [1 if kind == "?" else mark for kind, mark in zip(kinds, (1, 3, 5, 7, 11, 13), strict=False)]
    for values in (dict(zip(OPTIONS[builtin], marks, strict=True)), {}):
        b = flatbuffers.Builder(64)
        getattr(schema, f"{table}Start")(b)
        for name, value in values.items():
            getattr(schema, f"{table}Add{name}")(b, value)
        b.Finish(getattr(schema, f"{table}End")(b))
        data = bytes(b.Output())
        theirs = getattr(schema, table).GetRootAs(data, 0)
        for name, field in OPTIONS[builtin].items():
            assert root(data).number(*field) == getattr(theirs, name)()


def test_what_is_read_is_what_the_schemas_reader_reads() -> None:
    schema = pytest.importorskip("tflite", reason="the package tflite is not installed")
    theirs, ours = schema.Model.GetRootAs(DIGITS, 0), read(DIGITS, "digits")
    graph = theirs.Subgraphs(0)
    assert (len(ours.tensors), len(ours.operators)) == (graph.TensorsLength(), graph.OperatorsLength())
    for tensor in ours.tensors:
        record = graph.Tensors(tensor.index)
        assert tensor.name == record.Name().decode() and tensor.shape == tuple(record.ShapeAsNumpy())
        data = theirs.Buffers(record.Buffer())
        assert (b"" if tensor.data is None else tensor.data.tobytes()) == (
            data.DataAsNumpy().tobytes() if data.DataLength() else b""
        )
        quant = record.Quantization()
        if tensor.quant is not None:
            assert tensor.quant.scales == tuple(map(float, quant.ScaleAsNumpy()))
            assert tensor.quant.zero_points == tuple(map(int, quant.ZeroPointAsNumpy()))
    for operator in ours.operators:
        record = graph.Operators(operator.index)
        assert operator.inputs == tuple(record.InputsAsNumpy()) and operator.outputs == tuple(record.OutputsAsNumpy())


@pytest.mark.parametrize("seed", range(8))
def test_damaged_bytes_are_a_damaged_file(seed: int) -> None:
    """Of everything that a damaged file may do, one kind of exception comes out."""
    draw = random.Random(seed)
    for _ in range(150):
        data = bytearray(DIGITS)
        for _ in range(draw.randint(1, 4)):
            at, kind = draw.randrange(len(data) - 8), draw.choice("BHIQ")
            value = draw.choice((0, 1, 2**31, 2**31 - 1, 2**32 - 1, draw.randrange(len(data)), draw.getrandbits(64)))
            struct.pack_into(f"<{kind}", data, at, value % (1 << 8 * struct.calcsize(kind)))
        if draw.random() < 0.3:
            del data[draw.randrange(8, len(data)) :]
        data[4:8] = b"TFL3"
        try:
            read(bytes(data), "net.tflite")
        except EdgekcError as error:
            assert isinstance(error, (ModelError, UnsupportedError)) and "\n" not in str(error)  # noqa: PT017


def test_vectors_that_lie_over_each_other_are_refused() -> None:
    """A thousand tables that each have all of the file as their vector."""
    tables = 1000
    # The root: its field 0 is a vector of the same table again and again; that table's field 0 a long vector.
    head = struct.pack("<I", 12) + struct.pack("<HHHH", 6, 8, 4, 0)
    data = head + struct.pack("<iII", 8, 4, tables)
    at = len(data)
    leaf = at + 4 * tables + 8
    data += b"".join(struct.pack("<I", leaf - (at + 4 * i)) for i in range(tables))
    data += struct.pack("<HHHH", 6, 8, 4, 0) + struct.pack("<iII", 8, 4, 4000) + bytes(4000)
    vectors = root(data).tables(0)
    assert len(vectors) == tables and vectors[0].numbers(0, "uint8").size == 4000
    with pytest.raises(DamagedError, match="over each other"):
        sum(table.numbers(0, "uint8").size for table in vectors)


def test_a_fault_of_ours_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("a fault of ours")

    monkeypatch.setattr(file, "_quant", broken)
    with pytest.raises(TypeError, match="a fault of ours"):
        import_tflite(DIGITS, "net", "net.tflite")


def test_a_package_that_lacks_a_function_is_not_blamed_on_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    onnx = pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
    from edgekc.importers.onnx import file

    (tmp_path / "net.onnx").write_bytes(b"not a protobuf at all")
    with pytest.raises(ModelError, match="not a sound ONNX model"):
        file.read(tmp_path / "net.onnx")
    monkeypatch.delattr(onnx, "load_model_from_string")
    with pytest.raises(AttributeError):
        file.read(tmp_path / "net.onnx")


def test_whose_fault_an_exception_is() -> None:
    def raised(action: Any) -> BaseException:
        try:
            action()
        except Exception as error:
            return error
        raise AssertionError

    assert not is_ours(raised(lambda: np.load(b"no such file")))
    assert not is_ours(raised(lambda: __import__("json").loads("{")))
    assert is_ours(raised(lambda: __import__("no_such_package")))
    assert is_ours(raised(lambda: import_tflite(object(), "net", "net.tflite")))  # type: ignore[arg-type]
