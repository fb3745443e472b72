"""A network by way of torch.export, ONNX, Keras and float .tflite gives one graph, but for names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
from twin_nets import TWINS, twins  # noqa: E402

from edgekc.graph.ir import Array, Graph, Tensor  # noqa: E402
from edgekc.importers import import_model  # noqa: E402
from edgekc.ops import source_of  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # torch's and TensorFlow's own deprecations
SOURCES = ("pt2", "onnx", "keras", "tflite")


def files(name: str, folder: Path) -> dict[str, Path]:
    """The network, saved in each form."""
    tf = pytest.importorskip("tensorflow", reason="the Keras importer needs tensorflow")
    import keras

    twin = TWINS[name]
    keras.utils.clear_session()  # the converter orders branches by their names, and these are counted on: 9, 10
    module, model = twins(twin, keras)
    x = torch.randn(1, *twin.shape)
    found = {kind: folder / f"net.{kind}" for kind in SOURCES}
    torch.onnx.export(module, (x,), str(found["onnx"]), dynamo=False, opset_version=17)
    torch.export.save(torch.export.export(module, (x,)), found["pt2"])
    model.save(found["keras"])
    found["tflite"].write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return found


def canonical(graph: Graph) -> tuple[list[Any], list[Array]]:
    """What the graph computes, without names; and its constants.

    A tensor is the number of the node that writes it. What is left out is how the same bytes are called: views, axes of
    size 1 in shapes, and whether a mean keeps its axes. Frameworks flatten a pooled image in several ways.
    """
    numbers: dict[str, int] = {name: -1 - k for k, name in enumerate(graph.inputs)}
    lines: list[Any] = []
    constants: list[Array] = []
    for node in graph.nodes:
        tensors = [graph.tensors[name] for name in node.inputs]
        if source_of(node).view:
            numbers[node.outputs[0]] = numbers[node.inputs[0]]
            continue
        attrs: dict[str, Any] = dict(node.attrs)
        if node.op == "mean":
            axes = [int(axis) for axis in str(attrs["axes"]).split(",")]
            attrs = {"over": [size for axis in axes if (size := tensors[0].shape[axis]) > 1]}
        constants += [t.value for t in tensors if t.data is not None]
        lines.append((node.op, attrs, [(numbers.get(t.name), _shape(t)) for t in tensors]))
        numbers[node.outputs[0]] = len(lines)
    outputs = [(numbers[name], _shape(graph.tensors[name])) for name in graph.outputs]
    return [*lines, [_shape(graph.tensors[name]) for name in graph.inputs], outputs], constants


def _shape(t: Tensor) -> list[int]:
    return [size for size in t.shape if size > 1]


@pytest.mark.parametrize("name", TWINS)
def test_the_same_graph(name: str, tmp_path: Path) -> None:
    assert len(TWINS) >= 10
    graphs = {kind: import_model(path, "net") for kind, path in files(name, tmp_path).items()}
    nodes, constants = canonical(graphs["pt2"])
    for kind in SOURCES[1:]:
        theirs, values = canonical(graphs[kind])
        assert theirs == nodes, kind
        for ours, value in zip(constants, values, strict=True):
            assert math.prod(ours.shape) == math.prod(value.shape)
            np.testing.assert_allclose(value.reshape(ours.shape), ours, rtol=1e-6, atol=1e-6, err_msg=kind)
