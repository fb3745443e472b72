"""Keras layers that are more than one operator of TensorFlow Lite: imported from .keras, equal to Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekc.importers import import_model
from edgekc.quantize import float_reference

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow's own deprecations
IMAGE, ROWS = (6, 5, 4), (8, 4)


def chosen(k: Any, x: Any) -> Any:
    from keras import ops

    inside = ops.logical_and(x > -0.3, ops.logical_not(x >= 0.6))
    return ops.where(inside, x, ops.where(ops.logical_or(x < -0.9, inside), ops.floor(x), -0.5))


def best(x: Any) -> Any:
    from keras import ops

    return ops.top_k(x, 2)[0]


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any, Any], Any]]] = {
    "Conv2DTranspose": (IMAGE, lambda k, x: k.Conv2DTranspose(3, 3, 2, "same")(x)),
    "Conv2DTranspose, valid": (IMAGE, lambda k, x: k.Conv2DTranspose(3, 3, 2, activation="relu")(x)),
    "Conv1DTranspose": (ROWS, lambda k, x: k.Conv1DTranspose(3, 3, 2, "same")(x)),
    "Cropping1D": (ROWS, lambda k, x: k.Cropping1D((1, 2))(x)),
    "UpSampling1D": (ROWS, lambda k, x: k.UpSampling1D(2)(x)),
    "UpSampling2D": (IMAGE, lambda k, x: k.UpSampling2D(2)(x)),
    "UnitNormalization": (IMAGE, lambda k, x: k.UnitNormalization()(x)),
    "GroupNormalization": (IMAGE, lambda k, x: k.GroupNormalization(2)(x)),
    "RMSNormalization": (ROWS, lambda k, x: k.RMSNormalization()(x)),
    "MultiHeadAttention": (ROWS, lambda k, x: k.MultiHeadAttention(2, 4)(x, x)),
    "Attention": (ROWS, lambda k, x: k.Attention()([x, x])),
    "Dot": (ROWS, lambda k, x: k.Dot(axes=(2, 2))([x, x])),
    "EinsumDense": (
        ROWS, lambda k, x: k.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d")(x),
    ),
    "comparisons": (IMAGE, chosen),
    "TopK": (ROWS, lambda k, x: best(x)),
    "Embedding": ((7,), lambda k, x: k.Embedding(30, 4)(x)),
    "TimeDistributed": ((3, *IMAGE), lambda k, x: k.TimeDistributed(k.Conv2D(3, 3))(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="the Keras importer needs tensorflow")
    import keras

    rng = np.random.default_rng(0)
    shape, layer = LAYERS[name]
    given = keras.Input(shape)
    model = keras.Model(given, layer(keras.layers, given))
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    path = tmp_path / "net.keras"
    model.save(path)
    x = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    if name == "Embedding":  # by whole numbers
        x = rng.integers(0, 30, x.shape).astype(np.float32)
    (got,) = float_reference.outputs(import_model(path, "net"), [x])
    want = np.asarray(model(x))
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * float(np.abs(want).max()))
