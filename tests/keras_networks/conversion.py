"""A network to an int8 .tflite file, by TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .registry import NETWORKS


def converted(name: str) -> bytes:
    """The network with random weights, in int8 with int8 inputs and outputs."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    model: Any = NETWORKS[name](keras)
    rng = np.random.default_rng(0)

    def samples() -> Iterator[dict[str, Any]]:
        for _ in range(20):
            yield {i.name: rng.normal(0, 1, (1, *i.shape[1:])).astype(np.float32) for i in model.inputs}

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())
