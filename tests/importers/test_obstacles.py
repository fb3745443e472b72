"""ONNX and PyTorch models: everything that stands in the way, and nothing that only follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import edgekc
from edgekc.importers.onnx import walk as onnx_walk
from edgekc.importers.torch import importer as torch_importer


def without(handlers: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: handler for key, handler in handlers.items() if key != name}


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
    import onnx_models
    from onnx import helper, shape_inference

    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Sigmoid", ["b"], ["c"]),
        helper.make_node("Conv", ["c", "v"], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
    ]
    constants = {
        "w": onnx_models.floats(rng, 4, 3, 3, 3),
        "v": onnx_models.floats(rng, 2, 4, 3, 3),
        "g": onnx_models.floats(rng, 8, 5),
    }
    proto = onnx_models.model(nodes, {"x": (1, 3, 4, 4)}, ["y"], constants)
    for name, stated in (("plain", proto), ("inferred", shape_inference.infer_shapes(proto))):
        path = onnx_models.save(stated, tmp_path, f"{name}.onnx")
        assert edgekc.check(path).ok
        for op in ("Relu", "Sigmoid", "Conv", "Flatten", "Gemm"):
            foldable = patch.object(onnx_walk.fold, "FOLDABLE", onnx_walk.fold.FOLDABLE - {op})
            with foldable, patch.object(onnx_walk, "HANDLERS", without(onnx_walk.HANDLERS, op)):
                found = edgekc.check(path)
            assert [o.operator for o in found.obstacles] == [i for i, n in enumerate(nodes) if n.op_type == op], op
    with (
        patch.object(onnx_walk.fold, "FOLDABLE", onnx_walk.fold.FOLDABLE - {"Relu"}),
        patch.object(onnx_walk, "HANDLERS", without(onnx_walk.HANDLERS, "Relu")),
        pytest.raises(edgekc.UnsupportedError, match=r"^2 obstacles: ") as error,
    ):
        edgekc.compress(tmp_path / "plain.onnx")
    assert [e.tensor for e in error.value.obstacles] == ["b", "e"]


@pytest.mark.filterwarnings("ignore")
def test_torch() -> None:
    torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1), nn.Sigmoid(), nn.ReLU(),
                        nn.Flatten(), nn.Linear(16, 5), nn.Softmax(-1)).eval()  # fmt: skip
    sample = torch.zeros(1, 3, 6, 6)
    found = edgekc.check(net, sample)
    assert found.ok and any("softmax" in kernel for kernel in found.operators[-1].kernels)
    program = torch.export.export(net, (sample,))
    names = [op.operator for op in edgekc.check(program).operators]
    for op in ("relu", "max_pool2d_with_indices", "sigmoid", "convolution", "linear", "_softmax"):
        with patch.object(torch_importer, "HANDLERS", without(torch_importer.HANDLERS, op)):
            found = edgekc.check(program)
        assert [o.operator for o in found.obstacles] == [i for i, n in enumerate(names) if n == f"aten.{op}"], op
    with pytest.raises(edgekc.UsageError, match="needs example_inputs"):
        edgekc.check(net)


def test_operators_of_quantised_programs_are_all_named(tmp_path: Path) -> None:
    """Those that measure ranges while they run: each is named, with what to pass in place of the file."""
    pytest.importorskip("torch", reason="the PyTorch importer needs torch")
    from edgekc.importers.torch.program import clean_program

    def node(name: str, target: str) -> dict[str, Any]:
        return {"name": name, "target": target, "inputs": [], "outputs": []}

    quantised = "torch.ops.quantized_decomposed.choose_qparams.tensor"
    nodes = [node("a", quantised), node("b", "torch.ops.aten.relu.default"), node("c", "torch.ops.mine.odd.default")]
    module = {"graph": {"nodes": nodes}, "signature": {}, "module_call_graph": []}
    program = {"graph_module": module, "opset_version": {}, "range_constraints": {}, "schema_version": {}}
    with pytest.raises(edgekc.UnsupportedError) as error:
        clean_program(json.dumps(program).encode(), "net.pt2")
    first, second = error.value.obstacles
    assert (first.operator, first.where, first.fix[:24]) == (0, "net.pt2: node a", "quantise to int8 with fi")
    assert (second.operator, second.where, second.fix) == (2, "net.pt2: node c", "")
