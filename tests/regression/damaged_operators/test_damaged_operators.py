"""Damaged operators of .tflite files that the fuzzer found: refused, not met with a traceback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekc import recipe
from edgekc.compression.run import compress
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Graph, Node, Role, Stage, Tensor, constant
from edgekc.importers import import_model
from edgekc.importers.constants import fold_constants
from edgekc.pipeline import to_integer

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("transpose_conv_of_rows", "input of shape"),
        ("sum_of_nothing", "ADD_N: a sum of nothing"),
        ("length_of_a_number", "l2_normalize of a tensor without dimensions"),
        ("fully_connected_to_a_number", "int8 to float32; supported: one type"),
        ("rsqrt_of_a_tiny_scale", "rsqrt whose outputs leave 32 bits"),
        ("hard_swish_of_infinite_ratio", "hard_swish whose input scale is 128 output scales or more"),
        ("log_softmax_of_a_number", "log_softmax of a tensor without dimensions"),
        ("div_by_a_far_zero_point", "a zero point of int8 is out of range"),
    ],
)
def test_it_is_refused(name: str, what: str) -> None:
    with pytest.raises(EdgekcError, match=what) as error:
        to_integer(import_model(HERE / f"{name}.tflite", "net"), {})
    assert "\n" not in str(error.value)


def test_a_number_is_reshaped() -> None:
    graph = to_integer(import_model(HERE / "broadcast_number.tflite", "net"), {})
    assert graph.nodes[0].op == "reshape"


@pytest.mark.parametrize("shape", [(1, 5), (1, 1, 5)])
def test_a_constant_of_another_shape_stays(shape: tuple[int, ...]) -> None:
    """And what checks shapes refuses it: the file says that a ROUND of five numbers has ten, or fewer dimensions."""
    given = constant("c", np.zeros(shape, np.float32), Role.WEIGHTS)
    out = Tensor("y", (1, 10), "float32")
    x = Tensor("x", (1, 10), "float32")
    nodes = (Node("round", "r", ("c",), ("y",), {}), Node("add", "a", ("x", "y"), ("z",), {"activation": "none"}))
    tensors = {"c": given, "y": out, "x": x, "z": replace(x, name="z")}
    graph = Graph("net", Stage.FLOAT, tensors, nodes, ("x",), ("z",), {})
    assert fold_constants(graph).nodes == nodes
    with pytest.raises(EdgekcError, match="its inputs make"):
        compress(graph, recipe.parse(""), None)


def test_an_operator_with_a_line_end_in_its_name_is_named_in_one_line(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 4)) for name in "xy"]
    node = onnx.helper.make_node("Tw\nice", ["x"], ["y"], domain="own")
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "n", values[:1], values[1:]), opset_imports=opsets)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(EdgekcError, match="not implemented") as error:
        import_model(tmp_path / "net.onnx", "net")
    assert "\n" not in str(error.value)
