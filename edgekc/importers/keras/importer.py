"""A Keras model (.keras, .h5) to a FLOAT graph, by way of TensorFlow's own converter to float .tflite."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

from ...errors import ModelError, ToolError, UnsupportedError
from ..faults import is_ours
from ..imported import Imported
from ..tflite import file as tflite
from ..tflite.float32 import read_tflite_float
from .file import check_keras


def read_keras(path: Path, name: str) -> Imported:
    """The graph of a .keras or .h5 file, called `name`, with everything that stands in its way.

    Layers are numbered as the converter orders them.

    Code in the file (lambdas, custom classes) is refused before Keras reads it, see `check_keras`.

    Raises:
        ToolError: tensorflow is not installed.
        ModelError: the file is damaged.
        UnsupportedError: a layer that TensorFlow Lite does not have.
    """
    where = str(path)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets on stderr
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ToolError(
            "reading Keras models needs tensorflow", where=where, fix="pip install 'edgekc[keras]'"
        ) from error
    check_keras(path)
    model = _load(tf, path, where)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the converter prints what it saved where
            data = tf.lite.TFLiteConverter.from_keras_model(_of_one_sample(tf, model)).convert()
    except Exception as error:
        if is_ours(error):
            raise
        raise UnsupportedError(f"TensorFlow Lite cannot convert the model ({_line(error)})", where=where) from error
    return read_tflite_float(tflite.read(bytes(data), where), name, where)


def _load(tf: Any, path: Path, where: str) -> Any:
    class DepthwiseConv2D(tf.keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        """Reads what Keras 2 wrote: an argument `groups` that was always 1 and that Keras 3 refuses."""

        def __init__(self, *args: Any, groups: int = 1, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)

    try:
        return tf.keras.models.load_model(
            where, custom_objects={"DepthwiseConv2D": DepthwiseConv2D}, compile=False, safe_mode=True
        )
    except Exception as error:
        if is_ours(error):
            raise
        raise ModelError(
            f"Keras cannot read the model ({_line(error)})",
            where=where,
            fix="save the model again, without custom code",
        ) from error


def _of_one_sample(tf: Any, model: Any) -> Any:
    """A model with recurrent layers for a batch of one: the converter refuses loops over a free batch size."""
    if not _recurs(tf.keras.layers, model):
        return model

    def of_one(t: Any) -> Any:
        return tf.keras.layers.Input(batch_shape=(1, *t.shape[1:]), dtype=t.dtype, name=t.name)

    made = tf.keras.models.clone_model(model, input_tensors=tf.nest.map_structure(of_one, model.input))
    made.set_weights(model.get_weights())
    return made


def _recurs(layers: Any, layer: Any) -> bool:
    kinds = (layers.Bidirectional, layers.GRU, layers.LSTM, layers.SimpleRNN)
    return isinstance(layer, kinds) or any(_recurs(layers, inner) for inner in getattr(layer, "layers", ()))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
