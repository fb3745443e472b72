"""Small Keras networks, converted to int8 by TensorFlow: compiled, and equal to LiteRT's reference kernels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
from keras_networks import NETWORKS

import edgekc

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")]
REFUSED = {"scaled_exponential_linear": "GREATER"}  # and the operator that is named


def converted(name: str) -> bytes:
    """The network with random weights, in int8 with int8 inputs and outputs."""
    tf = pytest.importorskip("tensorflow", reason="the package tensorflow is not installed")
    import keras

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


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(converted(name))
    if name in REFUSED:
        with pytest.raises(edgekc.EdgekcError, match=REFUSED[name]):
            edgekc.compile(path)
        return
    found = edgekc.compile(path).verify()
    assert found.ok, found.difference
