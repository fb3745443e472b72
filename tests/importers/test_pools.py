"""Shapes and values of pools and convolutions over sizes, windows, strides, paddings and rounding of sizes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import close, floats, helper, model, nhwc, onnx, ort_outputs, save

from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.importers.onnx.importer import import_onnx
from edgekc.importers.torch.importer import import_torch
from edgekc.quantize import float_reference

Rng = np.random.Generator
# Before 1.30, which needs Python 3.11, its shapes and averages at the edge were others than its own shape inference's.
_RUNTIME = importlib.metadata.version("onnxruntime") if importlib.util.find_spec("onnxruntime") else "0.0"
agreeing = pytest.mark.skipif(
    tuple(map(int, _RUNTIME.split(".")[:2])) < (1, 30), reason="onnxruntime before 1.30 pools otherwise"
)
KINDS = {"same", "refused", "onnxruntime refuses"}
REFUSED = ("does not fit into", "auto_pad", "padding as large as", "impossible")


def window(rng: Rng) -> tuple[list[int], dict[str, Any]]:
    """A random size of the image, and attributes of a window over it."""
    kernel, size = ([int(v) for v in rng.integers(1, most, 2)] for most in (5, 12))
    attrs: dict[str, Any] = {"kernel_shape": kernel, "strides": [int(v) for v in rng.integers(1, 5, 2)]}
    mode = str(rng.choice(["pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "pads":
        attrs["pads"] = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]
    else:
        attrs["auto_pad"] = mode
    return size, attrs


def compare_onnx(node: Any, size: list[int], constants: dict[str, Any], opset: int, folder: Path, rng: Rng) -> str:
    """ "same", or who refuses the model; fails where the values differ, or where our refusal is no clear one."""
    path = save(model([node], {"x": [1, 2, *size]}, ["y"], constants, opset), folder)
    x = floats(rng, 1, 2, *size)
    try:
        want = nhwc(ort_outputs(path, [x])[0])
    except Exception:  # onnxruntime has no class for this
        return "onnxruntime refuses"
    try:
        graph = import_onnx(path, "net")
    except EdgekcError as error:
        return "refused" if any(text in str(error) for text in REFUSED) else f"refused: {error}"
    assert graph.tensors[graph.outputs[0]].shape == want.shape, (size, node)
    close(float_reference.outputs(graph, [nhwc(x)])[0], want)
    return "same"


def onnx_pools(seed: int, count: int, folder: Path) -> Counter[str]:
    rng, done = np.random.default_rng(seed), Counter[str]()
    for _ in range(count):
        size, attrs = window(rng)
        op = str(rng.choice(["AveragePool", "MaxPool"]))
        attrs["ceil_mode"] = int(rng.random() < 0.6)
        if op == "AveragePool":
            attrs["count_include_pad"] = int(rng.integers(2))
        node = helper.make_node(op, ["x"], ["y"], **attrs)
        done[compare_onnx(node, size, {}, int(rng.choice([11, 17, 19, 22])), folder, rng)] += 1
    return done


def onnx_convs(seed: int, count: int, folder: Path) -> Counter[str]:
    rng, done = np.random.default_rng(seed), Counter[str]()
    for _ in range(count):
        size, attrs = window(rng)
        attrs["dilations"] = [int(v) for v in rng.integers(1, 3, 2)]
        weights = {"w": floats(rng, 3, 2, *attrs["kernel_shape"])}
        node = helper.make_node("Conv", ["x", "w"], ["y"], **attrs)
        done[compare_onnx(node, size, weights, int(rng.choice([11, 17, 22])), folder, rng)] += 1
    return done


@agreeing
def test_onnx_pools(tmp_path: Path) -> None:
    done = onnx_pools(0, 150, tmp_path)
    assert done["same"] >= 90 and done.keys() <= KINDS, done


def test_onnx_convolutions(tmp_path: Path) -> None:
    done = onnx_convs(0, 80, tmp_path)
    assert done["same"] >= 40 and done.keys() <= KINDS, done


@agreeing
@pytest.mark.slow
def test_many_onnx_windows(tmp_path: Path) -> None:
    pools, convs = onnx_pools(1, 1500, tmp_path), onnx_convs(1, 750, tmp_path)
    assert pools["same"] >= 900 and convs["same"] >= 400 and pools.keys() | convs.keys() <= KINDS, (pools, convs)


def test_what_onnx_pools_are_refused(tmp_path: Path) -> None:
    for op, attrs, said in (
        ("MaxPool", {"dilations": [2, 1]}, "pooling with dilation"),
        ("AveragePool", {"auto_pad": "SAME_UPPER", "strides": [1, 4]}, "auto_pad 'SAME_UPPER' with a stride of 4"),
    ):
        node = helper.make_node(op, ["x"], ["y"], kernel_shape=[2, 2], **attrs)
        with pytest.raises(UnsupportedError, match=said):
            import_onnx(save(model([node], {"x": [1, 2, 6, 4]}, ["y"], {}, 19), tmp_path), "net")


@pytest.mark.parametrize("stated", [[1, 2, 3, 4], [1, 2, 3], [1, 2, 4, 3]])
def test_a_shape_that_an_onnx_file_states_must_be_ours(stated: list[int], tmp_path: Path) -> None:
    nodes = [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Relu", ["y"], ["z"])]  # fmt: skip
    proto = model(nodes, {"x": ["N", 2, 6, 8]}, ["z"], {})
    info = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, stated)
    proto.graph.value_info.append(info)
    path = save(proto, tmp_path)
    if stated == [1, 2, 3, 4]:
        import_onnx(path, "net")
        info.type.tensor_type.shape.dim[0].dim_value = 8  # a batch size from before it was freed
        proto.graph.value_info[0].CopyFrom(info)
        import_onnx(save(proto, tmp_path), "net")
        return
    with pytest.raises(ModelError, match=r"node 0 MaxPool: the file gives its output shape .* make .1, 2, 3, 4"):
        import_onnx(path, "net")


def torch_pools(rng: Rng, size: tuple[int, int], count: int) -> Any:
    """A module of many pools of one image; torch refuses some."""
    torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")

    class Pools(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.pools = torch.nn.ModuleList()

        def forward(self, x: Any) -> Any:
            return tuple(pool(x) for pool in self.pools)

    module = Pools()
    while len(module.pools) < count:
        kernel, stride = ([int(v) for v in rng.integers(1, 5, 2)] for _ in range(2))
        padding = [int(rng.integers(0, k // 2 + 1)) for k in kernel]
        ceil, counted = bool(rng.integers(2)), bool(rng.integers(2))
        pool = (
            torch.nn.AvgPool2d(kernel, stride, padding, ceil, counted)
            if rng.random() < 0.6
            else torch.nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
        )
        try:
            pool(torch.zeros(1, 2, *size))
        except RuntimeError:
            continue
        module.pools.append(pool)
    return module


@pytest.mark.parametrize("size", [(3, 3), (7, 4), pytest.param((11, 6), marks=pytest.mark.slow)])
def test_torch_pools(size: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
    module = torch_pools(np.random.default_rng(size[0]), size, 40)
    x = torch.randn(2, 2, *size)
    graph = import_torch(module, "net", (x,))
    got = float_reference.outputs(graph, [nhwc(x.numpy())])
    for pool, a, b in zip(module.pools, got, module(x), strict=True):
        want = nhwc(b.numpy())
        assert a.shape == want.shape, pool
        close(a, want)


def test_torch_s_average_of_a_padded_image_with_ceil() -> None:
    """torch 2 x 2, ours was 3 x 3: the third window would start in the padding, which had become a node of its own."""
    torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
    module, x = torch.nn.AvgPool2d(2, 2, padding=1, ceil_mode=True), torch.randn(1, 1, 3, 3)
    graph = import_torch(module, "net", (x,))
    want = nhwc(module(x).numpy())
    assert graph.tensors[graph.outputs[0]].shape == want.shape == (1, 2, 2, 1)
    close(float_reference.outputs(graph, [nhwc(x.numpy())])[0], want)


def test_other_torch_pools() -> None:
    torch = pytest.importorskip("torch", reason="the PyTorch importer needs torch")
    from torch.nn import functional as F  # noqa: N812

    x = torch.randn(1, 4, 6, 8)
    functions = {
        "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
        "adaptive average of all": lambda x: F.adaptive_avg_pool2d(x, 1),
        "adaptive average of rows": lambda x: F.adaptive_avg_pool2d(x, (None, 2)),
        "adaptive maximum": lambda x: F.adaptive_max_pool2d(x, (2, 4)),
        "adaptive average, uneven": lambda x: F.adaptive_avg_pool2d(x, (4, 3)),
        "another divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
        "dilated": lambda x: F.max_pool2d(x, 2, dilation=2),
        "same, even": lambda x: F.conv2d(x, torch.ones(3, 4, 2, 4), padding="same"),
        "same, dilated": lambda x: F.conv2d(x, torch.ones(3, 4, 2, 3), padding="same", dilation=(3, 2)),
    }
    refused = {}
    for name, function in functions.items():

        class One(torch.nn.Module):  # type: ignore[misc, name-defined]
            def forward(self, x: Any, function: Any = function) -> Any:
                return function(x)

        try:
            graph = import_torch(One(), "net", (x,))
        except UnsupportedError as error:
            refused[name] = str(error)
            continue
        close(float_reference.outputs(graph, [nhwc(x.numpy())])[0], nhwc(One()(x).numpy()))
    assert refused.keys() == {"another divisor", "dilated"}
    assert "divisor_override" in refused["another divisor"]
    assert "pooling with dilation" in refused["dilated"]
