"""Networks of vectors, and of attention."""

from __future__ import annotations

from typing import Any

from .registry import network


@network
def perceptron(k: Any) -> Any:
    x = i = k.Input((13,))
    for units in (16, 9):
        x = k.layers.Dense(units, activation="relu")(x)
    return k.Model(i, k.layers.Dense(1, activation="sigmoid")(x))


@network
def autoencoder(k: Any) -> Any:
    x = i = k.Input((40,))
    for units in (24, 8, 24):
        x = k.layers.ReLU()(k.layers.BatchNormalization()(k.layers.Dense(units)(x)))
    return k.Model(i, k.layers.Dense(40)(x))


@network
def autoencoder_error(k: Any) -> Any:
    """With the squared error as its output."""
    x = i = k.Input((20,))
    y = k.layers.Dense(20)(k.layers.Dense(6, activation="relu")(x))
    return k.Model(i, k.ops.mean(k.ops.square(x - y), axis=-1, keepdims=True))


@network
def two_towers(k: Any) -> Any:
    a, b = k.Input((10,)), k.Input((12,))
    x, y = k.layers.Dense(8, activation="relu")(a), k.layers.Dense(8, activation="relu")(b)
    merged = [k.layers.Subtract()([x, y]), k.layers.Multiply()([x, y]), k.layers.Maximum()([x, y])]
    merged += [k.layers.Minimum()([x, y]), k.layers.Average()([x, y])]
    return k.Model([a, b], k.layers.Dense(2)(k.layers.Concatenate()(merged)))


@network
def embedding_distance(k: Any) -> Any:
    x = i = k.Input((9, 9, 3))
    x = k.layers.GlobalAveragePooling2D(2)(k.layers.Conv2D(8, 3, activation="relu")(x))
    return k.Model(i, k.layers.UnitNormalization()(k.layers.Dense(6)(x)))


@network
def best_class(k: Any) -> Any:
    from tensorflow import argmax, int32

    class ArgMax(k.layers.Layer):  # type: ignore[name-defined, misc]
        def call(self, x: Any) -> Any:
            return argmax(x, axis=-1, output_type=int32)

    x = i = k.Input((10,))
    return k.Model(i, ArgMax()(k.layers.Dense(7)(x)))


@network
def gated(k: Any) -> Any:
    x = i = k.Input((12, 6))
    a, b = k.layers.Conv1D(5, 3, activation="tanh")(x), k.layers.Conv1D(5, 3, activation="sigmoid")(x)
    return k.Model(i, k.layers.Dense(2)(k.layers.Flatten()(k.layers.Multiply()([a, b]))))


@network
def repeated(k: Any) -> Any:
    x = i = k.Input((5,))
    x = k.layers.RepeatVector(4)(k.layers.Dense(6, activation="relu")(x))
    return k.Model(i, k.layers.TimeDistributed(k.layers.Dense(3))(x))


@network
def normalised(k: Any) -> Any:
    x = i = k.Input((8, 6))
    x = k.layers.LayerNormalization()(k.layers.Dense(6)(x))
    return k.Model(i, k.layers.Dense(3)(x))


@network
def attention(k: Any) -> Any:
    x = i = k.Input((6, 8))
    y = k.layers.MultiHeadAttention(2, 4)(x, x)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, y]))
    return k.Model(i, k.layers.Dense(3)(k.layers.GlobalAveragePooling1D()(x)))


@network
def vision_transformer(k: Any) -> Any:
    x = i = k.Input((8, 8, 3))
    x = k.layers.Reshape((16, 8))(k.layers.Conv2D(8, 2, strides=2)(x))
    y = k.layers.MultiHeadAttention(2, 4)(*(2 * [k.layers.LayerNormalization()(x)]))
    x = k.layers.Add()([x, y])
    y = k.layers.Dense(16, activation="gelu")(k.layers.LayerNormalization()(x))
    x = k.layers.Add()([x, k.layers.Dense(8)(y)])
    return k.Model(i, k.layers.Dense(4)(k.layers.GlobalAveragePooling1D()(x)))


@network
def products(k: Any) -> Any:
    a, b = k.Input((5, 6)), k.Input((4, 6))
    return k.Model([a, b], k.layers.Dot(axes=2)([k.layers.Dense(6)(a), k.layers.Dense(6)(b)]))
