"""The dispatch by suffix and first bytes, and what it says where a framework or the model is missing."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekc.errors import ModelError, ToolError, UsageError
from edgekc.graph.ir import Stage
from edgekc.importers import import_model

CONVERTED = Path(__file__).resolve().parents[1] / "data" / "converter"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "models"


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("ic_int8.tflite", Stage.QUANTIZED),
        ("ic_float.tflite", Stage.FLOAT),
        ("kws_float.tflite", Stage.FLOAT),
        ("resnet8_cifar10jpeg.onnx", Stage.FLOAT),
        ("resnet8_cifar10jpeg.pt2", Stage.FLOAT),
    ],
)
def test_models_by_suffix(name, stage):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: the trained models are not part of the project")
    pytest.importorskip(
        {".onnx": "onnx", ".pt2": "torch"}.get(path.suffix, "tflite"), reason="its framework is missing"
    )
    graph = import_model(path, "net")
    assert (graph.stage, graph.name) == (stage, "net")


def test_int8_inside_with_float_edges_is_quantised(tmp_path):
    path = CONVERTED / "float_edges.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    renamed = tmp_path / "model.bin"  # the first bytes decide
    renamed.write_bytes(path.read_bytes())
    assert import_model(path, "net").stage is import_model(renamed, "net").stage is Stage.QUANTIZED


def test_other_files(tmp_path):
    for name, message in (
        ("net.txt", r"\.txt is no model; supported: \.tflite, \.onnx, \.pt2, \.keras, \.h5"),
        ("net", "no suffix is no model"),
        ("net.pt", r"save torch\.export\.export"),
    ):
        (tmp_path / name).write_text("something")
        with pytest.raises(UsageError, match=message):
            import_model(tmp_path / name, "net")
    with pytest.raises(UsageError, match="cannot be read"):
        import_model(tmp_path / "absent.onnx", "net")
    with pytest.raises(UsageError, match="cannot be read"):
        import_model(tmp_path, "net")
    (tmp_path / "net.tflite").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match="identifier TFL3"):
        import_model(tmp_path / "net.tflite", "net")


@pytest.mark.parametrize(
    ("suffix", "package", "extra"),
    [
        (".onnx", "onnx", "onnx"),
        (".pt2", "torch", "torch"),
        (".keras", "tensorflow", "keras"),
        (".h5", "tensorflow", "keras"),
    ],
)
def test_missing_frameworks_name_the_extra(tmp_path, monkeypatch, suffix, package, extra):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(b"something")
    real = builtins.__import__

    def refuse(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and name.split(".")[0] == package:
            raise ImportError(f"no {package}")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ToolError, match=rf"net\{suffix}: .* needs .*; pip install 'edgekc\[{extra}\]'") as error:
        import_model(path, "net")
    assert "\n" not in str(error.value)


def test_frameworks_are_imported_only_when_used():
    import subprocess

    heavy = ["torch", "onnx", "tensorflow", "tflite"]
    code = f"import sys, edgekc.importers; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---- Keras, where TensorFlow is installed ---------------------------------------------------------------


def _check_keras(model, path, *shapes):
    from edgekc.quantize import float_reference

    model.save(path)
    graph = import_model(path, "net")
    assert graph.stage is Stage.FLOAT
    rng = np.random.default_rng(0)
    x = [rng.normal(0, 1, (3, *s)).astype(np.float32) for s in shapes]
    want = np.asarray(model(x if len(x) > 1 else x[0]))
    (got,) = float_reference.outputs(graph, x)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras(tmp_path, suffix):
    tf = pytest.importorskip("tensorflow", reason="the Keras importer needs tensorflow")
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    x = inputs = layers.Input((8, 7, 3))
    x = layers.Rescaling(1 / 60, offset=-2.0)(x)
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(moving_mean_initializer="random_normal")(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)])
    x = layers.MaxPooling2D(2)(x)
    x = layers.Dense(5, activation="softmax")(layers.Flatten()(layers.Dropout(0.5)(x)))
    _check_keras(tf.keras.Model(inputs, x), tmp_path / f"net{suffix}", (8, 7, 3))


def test_keras_recurrences(tmp_path):
    """Loops over a free batch size, which the converter does not take, within a model within a model."""
    tf = pytest.importorskip("tensorflow", reason="the package tensorflow is not installed")
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(0)
    inner = tf.keras.Sequential([layers.Input((6, 4)), layers.Bidirectional(layers.GRU(3, return_sequences=True))])
    inputs = layers.Input((6, 4))
    x = layers.LSTM(5, return_sequences=True)(inner(inputs))
    x = layers.SimpleRNN(4, go_backwards=True)(x)
    _check_keras(tf.keras.Model(inputs, layers.Dense(2)(x)), tmp_path / "net.keras", (6, 4))


@pytest.mark.parametrize("name", ["ic", "vww"])
def test_keras_files_of_mlperf_tiny(name):
    """Written by Keras 2; the float .tflite beside each is the same network."""
    pytest.importorskip("tensorflow", reason="the Keras importer needs tensorflow")
    from edgekc.quantize import float_reference

    path = SHARED / f"{name}.h5"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: the MLPerf Tiny models are not part of the project")
    graph, twin = import_model(path, name), import_model(path.with_name(f"{name}_float.tflite"), name)
    x = np.random.default_rng(0).normal(0, 1, (3, *graph.tensors["input"].shape[1:])).astype(np.float32)
    np.testing.assert_allclose(float_reference.outputs(graph, [x])[0], float_reference.outputs(twin, [x])[0], atol=1e-5)


def test_damaged_keras_files(tmp_path):
    pytest.importorskip("tensorflow", reason="the Keras importer needs tensorflow")
    for suffix, what in ((".keras", "is not a .keras archive"), (".h5", "cannot be read")):
        path = tmp_path / f"net{suffix}"
        path.write_bytes(b"something else")
        with pytest.raises(ModelError, match=what) as error:
            import_model(path, "net")
        assert "\n" not in str(error.value)
