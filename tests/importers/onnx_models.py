"""Small ONNX models made in memory, and the check that an import computes what onnxruntime does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.graph.ir import Array, Graph, Stage
from edgekc.importers.onnx.importer import import_onnx
from edgekc.ops import legal
from edgekc.quantize import float_reference

pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper

RTOL = 1e-4
NO_RUNTIME = "the source framework to compare with is not installed"
SHARED = Path(__file__).resolve().parents[3] / "shared"


def floats(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(0, 1, shape).astype(np.float32)


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str],
    constants: Mapping[str, Array],
    opset: int = 17,
) -> Any:
    """A ModelProto; the outputs' shapes are left to onnx."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(proto: Any, folder: Path, name: str = "net.onnx") -> Path:
    path = folder / name
    onnx.save_model(proto, str(path))
    return path


def runtime_version() -> tuple[int, int]:
    runtime = pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    major, minor, *_ = runtime.__version__.split(".")
    return int(major), int(minor)


def ort_outputs(path: Path, inputs: Sequence[Array]) -> list[Array]:
    """What onnxruntime makes of several samples, one at a time, its optimiser switched off."""
    runtime = pytest.importorskip("onnxruntime", reason=NO_RUNTIME)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(path), options)
    names = [i.name for i in session.get_inputs()]
    rows = [
        session.run(None, {n: x[k : k + 1] for n, x in zip(names, inputs, strict=True)}) for k in range(len(inputs[0]))
    ]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def nhwc(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def close(got: Array, want: Array) -> None:
    """Equal within RTOL of the largest value."""
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=RTOL * max(float(np.abs(want).max()), 1e-3))


def check_same(proto: Any, folder: Path, inputs: Sequence[Array], channels_last: bool = False) -> Graph:
    """Import the model and compare all outputs with onnxruntime's; `channels_last`: its 4-D tensors are NHWC."""
    path = save(proto, folder)
    graph = import_onnx(path, "net")
    assert graph.stage is Stage.FLOAT
    legal.check(graph)
    want = ort_outputs(path, inputs)
    fed = inputs if channels_last else [nhwc(x) for x in inputs]
    for got, expected in zip(float_reference.outputs(graph, fed), want, strict=True):
        close(got, expected if channels_last else nhwc(expected))
    for node in graph.nodes:
        assert node.outputs == (node.name,)
        if node.op in ("conv2d", "grouped_conv2d", "depthwise", "fully_connected"):
            assert node.inputs[1:] == (f"{node.name}/weights", f"{node.name}/bias")
    return graph
