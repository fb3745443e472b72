"""Nodes and functions that a small file makes huge: refused with the number, before anything is computed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.errors import EdgekcError

onnx = pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgekc.importers.onnx.importer import import_onnx  # noqa: E402 - needs onnx

NODE = helper.make_node
HUGE = np.array([1 << 17, 1 << 17])
COLUMN, ROW = np.zeros((1 << 17, 1), np.float32), np.zeros((1, 1 << 17), np.float32)
ONE, ZERO = np.array(1.0, np.float32), np.array(0.0, np.float32)
CASES: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "fill": ([NODE("ConstantOfShape", ["a"], ["k"])], {"a": HUGE}),
    "expand": ([NODE("Expand", ["a", "b"], ["k"])], {"a": np.zeros((1, 1), np.float32), "b": HUGE}),
    "tile": ([NODE("Tile", ["a", "b"], ["k"])], {"a": np.zeros((1, 1), np.float32), "b": HUGE}),
    "range": ([NODE("Range", ["a", "b", "c"], ["k"])], {"a": ZERO, "b": np.array(1e12, np.float32), "c": ONE}),
    "gather": ([NODE("Gather", ["a", "b"], ["k"])], {"a": ROW, "b": np.zeros(1 << 17, np.int64)}),
    "add": ([NODE("Add", ["a", "b"], ["k"])], {"a": COLUMN, "b": ROW}),
    "where": ([NODE("Where", ["a", "b", "b"], ["k"])], {"a": COLUMN > 0, "b": ROW}),
    "double": (
        [NODE("Concat", [f"a{i}" if i else "a"] * 2, [f"a{i + 1}" if i < 33 else "k"], axis=0) for i in range(34)],
        {"a": np.zeros(1, np.float32)},
    ),
}


def written(path: Path, nodes: list[Any], constants: dict[str, Any], functions: Any = ()) -> Path:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    onnx.save_model(helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions)), str(path))
    return path


@pytest.mark.parametrize("name", CASES)
def test_constants(name: str, tmp_path: Path) -> None:
    nodes, constants = CASES[name]
    path = written(tmp_path / "net.onnx", [*nodes, NODE("Add", ["x", "k"], ["y"])], constants)
    tracemalloc.start()
    with pytest.raises(EdgekcError, match=r"computing its constants takes [\d,]+ bytes so far, [\d,]+ of them here"):
        import_onnx(path, "net")
    assert tracemalloc.get_traced_memory()[1] < 1 << 30
    tracemalloc.stop()


def test_activations(tmp_path: Path) -> None:
    """A constant that broadcasts to an activation is not written out; one that no board holds is refused."""
    graph = helper.make_graph(
        [NODE("Mul", ["x", "k"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 60000, 60000])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "k")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
                    str(tmp_path / "net.onnx"))  # fmt: skip
    with pytest.raises(EdgekcError, match=r"supported: up to 268,435,456 elements"):
        import_onnx(tmp_path / "net.onnx", "net")


def test_resized_images(tmp_path: Path) -> None:
    """Where each pixel comes from is computed, of as many as the file says."""
    graph = helper.make_graph(
        [NODE("Upsample", ["x", "s"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([1, 1, 2**33, 1], np.float32), "s")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=8),
                    str(tmp_path / "net.onnx"))  # fmt: skip
    with pytest.raises(EdgekcError, match=r"a resize of .*34359738368.* supported: dimensions of 1 to 65535"):
        import_onnx(tmp_path / "net.onnx", "net")


def test_functions(tmp_path: Path) -> None:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def function(name: str, inner: str, domain: str) -> Any:
        nodes = [NODE(inner, ["i"], ["t"], domain=domain), NODE(inner, ["t"], ["o"], domain=domain)]
        return helper.make_function("own", name, ["i"], ["o"], nodes, opset)

    functions = [function("f0", "Relu", "")] + [function(f"f{i}", f"f{i - 1}", "own") for i in range(1, 40)]
    call = NODE("f39", ["x"], ["y"], domain="own")
    inside = helper.make_graph([call], "inside", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    branch = NODE("If", ["c"], ["y"], then_branch=inside, else_branch=inside)
    for node in (call, branch):
        path = written(tmp_path / "net.onnx", [node], {"c": np.array(True)}, functions)
        with pytest.raises(EdgekcError, match="more than 131,072 nodes when its functions are written out"):
            import_onnx(path, "net")
    path = written(tmp_path / "net.onnx", [NODE("f0", ["x"], ["y"], domain="own")], {}, functions[:1])
    assert import_onnx(path, "net").nodes
