"""External data: from the model's folder, as many bytes as are there, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekc.errors import EdgekcError

onnx = pytest.importorskip("onnx", reason="the ONNX importer needs the package onnx")
from onnx import TensorProto, helper  # noqa: E402

from edgekc.importers.onnx.importer import import_onnx  # noqa: E402 - needs onnx

VALUES = np.arange(8, dtype=np.float32).reshape(2, 4)


def written(folder: Path, **record: str) -> Path:
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 4], data_location=TensorProto.EXTERNAL)
    for key, value in record.items():
        weights.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weights],
    )
    path = folder / "net.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    return path


def test_external_data(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for place in (folder / "w.bin", folder / "sub" / "w.bin", tmp_path / "w.bin"):
        place.write_bytes(b"head" + VALUES.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    for location in ("w.bin", "sub/w.bin"):
        graph = import_onnx(written(folder, location=location, offset="4", length="32"), "net")
        np.testing.assert_array_equal(graph.tensors["w/weights" if "w/weights" in graph.tensors else
                                      graph.nodes[0].inputs[1]].value, VALUES)  # fmt: skip
    only = "only files beside the model are read"
    for record, expected in (
        ({"location": "../w.bin"}, only),
        ({"location": str(tmp_path / "w.bin")}, only),
        ({"location": "link.bin"}, only),
        ({"location": "/dev/zero"}, only),
        ({"location": "sub"}, only),
        ({"location": "."}, only),
        ({"location": ""}, only),
        ({"location": "none.bin"}, "is missing"),
        ({"location": "w.bin", "offset": "4", "length": "400"}, r"has 36 bytes; bytes 4 to 404 are wanted"),
        ({"location": "w.bin", "offset": "99"}, "has 36 bytes"),
        ({"location": "w.bin", "offset": "-4"}, "the offset of its data is '-4'"),
        ({"location": "w.bin", "length": "9" * 30}, "the length of its data is"),
    ):
        with pytest.raises(EdgekcError, match=expected):
            import_onnx(written(folder, **record), "net")
