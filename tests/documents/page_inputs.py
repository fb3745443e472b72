"""Files that commands of the documents name, made small: from the demo's network and digits, and of made-up sounds."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models import SHARED

from edgekc.apps.audio import made_up, wav
from edgekc.demo.walk import DATA

Array = np.ndarray[Any, np.dtype[Any]]
_CHANNELS = 16


def digits() -> tuple[Array, Array]:
    """The demo's digits: (360, 8, 8, 1) float32 from 0 to 1, and (360,) int64."""
    with np.load(DATA / "digits_test.npz") as file:
        return ((file["x"] + 128.0) / 240).astype(np.float32), file["y"].astype(np.int64)


def tflite(path: Path) -> None:
    shutil.copy(DATA / "digits_int8.tflite", path)


def npz(path: Path) -> None:
    x, y = digits()
    np.savez(path, x=x, y=y)


@lru_cache(maxsize=1)
def _float_model() -> bytes:
    """An .onnx of digits: a random convolution, ReLU, the mean of 4x4 pixels, and scores by least squares."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import numpy_helper
    from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

    x, y = digits()
    filters = np.random.default_rng(0).normal(0, 0.5, (_CHANNELS, 1, 3, 3)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x[..., 0], ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
    features = np.maximum(np.einsum("nhwij,cij->nchw", windows, filters[:, 0]), 0)
    pooled = features.reshape(len(x), _CHANNELS, 4, 2, 4, 2).mean((3, 5)).reshape(len(x), -1)
    known = np.concatenate([pooled, np.ones((len(x), 1))], 1)
    weights = np.linalg.solve(known.T @ known + np.eye(known.shape[1]), known.T @ np.eye(10)[y]).astype(np.float32)
    constants = {"filters": filters, "weights": weights[:-1], "bias": weights[-1]}
    graph = make_graph(
        [
            make_node("Conv", ["x", "filters"], ["c"], pads=[1, 1, 1, 1]),
            make_node("Relu", ["c"], ["r"]),
            make_node("AveragePool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            make_node("Flatten", ["p"], ["f"]),
            make_node("Gemm", ["f", "weights", "bias"], ["scores"]),
        ],
        "digits",
        [make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 8, 8])],
        [make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made: bytes = make_model(graph, opset_imports=[make_opsetid("", 13)], ir_version=8).SerializeToString()
    return made


def onnx_file(path: Path) -> None:
    path.write_bytes(_float_model())


def images(path: Path) -> None:
    """A zip of PNG files by class."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    x, y = digits()
    with zipfile.ZipFile(path, "w") as file:
        for i, (pixels, digit) in enumerate(zip(np.round(x * 255).astype(np.uint8), y, strict=True)):
            data = BytesIO()
            image.fromarray(pixels[..., 0]).save(data, "png")
            file.writestr(f"{digit}/{i:03}.png", data.getvalue())


def recipe(path: Path) -> None:
    path.write_text('[[compress]]\nmethod = "cluster"\nbits = 4\n', encoding="utf-8")


def student(path: Path) -> None:
    """Of the first convolution a smaller one, which learns from its teacher for an epoch."""
    path.write_text(
        '[[compress]]\nmethod = "dominant"\nlayers = ["conv2d_0"]\nfit = "responses"\n\n'
        '[[compress]]\nmethod = "retrain"\nepochs = 1\nlearning_rate = 1e-3\ndistill = 0.0\ntransfer = "kp"\n',
        encoding="utf-8",
    )


def recording(path: Path) -> None:
    path.write_bytes(wav(np.resize(made_up(), 32_000).astype(np.int16)))


def photo(path: Path) -> None:
    """160x120 grey pixels, as `new-app vision` asks by default."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)
    path.write_bytes(b"P5\n160 120\n255\n" + pixels.tobytes())


def rows(path: Path) -> None:
    """Six channels and an unknown label, as the sensor's app reads them: two windows and a half."""
    samples = np.random.default_rng(0).integers(-8000, 8000, (100, 7)).astype("<i2")
    samples[:, 6] = -1
    path.write_bytes(samples.tobytes())


def weights(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def streaming_folder(path: Path) -> None:
    """A compiled network that keeps a state, whose header this is."""
    import streaming

    import edgekc

    made = path.parents[2] / "wake.tflite"
    made.write_bytes(streaming.wake_word(0).file)
    edgekc.compile(edgekc.load(made), board="mps2-an386", name="wake").save(path.parents[1])


def of_mlperf_tiny(path: Path) -> None:
    """A file of MLPerf Tiny, which is not part of the project."""
    found = next(SHARED.glob(f"*/{path.name}"), None)
    if found is None:
        pytest.skip(f"{path.name} is not here: the MLPerf Tiny models are not part of the project")
    shutil.copy(found, path)


# By name.
MAKERS: Mapping[str, Callable[[Path], None]] = {
    **dict.fromkeys(("model.tflite", "model_int8.tflite", "ic.tflite", "kws.tflite", "vww.tflite"), tflite),
    **dict.fromkeys(("ic_int8.tflite", "kws_int8.tflite", "kws01.npz"), of_mlperf_tiny),
    "model.onnx": onnx_file,
    "recipe.toml": recipe,
    "student.toml": student,
    "samples.zip": images,
    "test.npz": npz,
    "hello.wav": recording,
    "photo.pgm": photo,
    "mine.bin": rows,
    "weights.bin": weights,
    "wake.h": streaming_folder,
}
PLACES: Mapping[str, str] = {"wake.h": "out/include/wake.h"}  # where it lies, if not in the folder itself
