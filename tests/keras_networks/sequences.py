"""Networks of sequences."""

from __future__ import annotations

from typing import Any

from .registry import network


@network
def temporal(k: Any) -> Any:
    """A TCN: causal, dilated, residual."""
    x = i = k.Input((24, 4))
    for rate in (1, 2, 4):
        y = k.layers.Conv1D(6, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
        y = k.layers.Conv1D(6, 1)(y)
        x = k.layers.Conv1D(6, 1)(x) if x.shape[-1] != 6 else x
        x = k.layers.Add()([x, y])
    return k.Model(i, k.layers.Dense(3)(x[:, -1, :]))


@network
def audio_1d(k: Any) -> Any:
    x = i = k.Input((64, 1))
    x = k.layers.Conv1D(8, 9, strides=4, activation="relu")(x)
    x = k.layers.MaxPooling1D(2)(x)
    x = k.layers.SeparableConv1D(8, 3, activation="relu")(x)
    x = k.layers.GlobalAveragePooling1D()(x)
    return k.Model(i, k.layers.Dense(4, activation="softmax")(x))


@network
def pooled_1d(k: Any) -> Any:
    x = i = k.Input((30, 3))
    x = k.layers.AveragePooling1D(3)(k.layers.Conv1D(5, 3, padding="same", activation="relu")(x))
    x = k.layers.Concatenate()([k.layers.GlobalMaxPooling1D()(x), k.layers.GlobalAveragePooling1D()(x)])
    return k.Model(i, k.layers.Dense(2)(x))


@network
def transposed_1d(k: Any) -> Any:
    x = i = k.Input((10, 4))
    return k.Model(i, k.layers.Conv1DTranspose(3, 4, strides=2, padding="same")(x))


@network
def upsampled_1d(k: Any) -> Any:
    x = i = k.Input((10, 4))
    return k.Model(i, k.layers.Conv1D(3, 3)(k.layers.UpSampling1D(2)(x)))


@network
def unrolled_gru(k: Any) -> Any:
    x = i = k.Input((5, 4))
    return k.Model(i, k.layers.Dense(2)(k.layers.GRU(6, unroll=True)(x)))


@network
def unrolled_lstm(k: Any) -> Any:
    x = i = k.Input((5, 4))
    return k.Model(i, k.layers.Dense(2)(k.layers.LSTM(6, unroll=True)(x)))


@network
def unrolled_rnn(k: Any) -> Any:
    x = i = k.Input((6, 3))
    return k.Model(i, k.layers.SimpleRNN(5, unroll=True, return_sequences=True)(x))


@network
def crnn(k: Any) -> Any:
    x = i = k.Input((8, 12, 1))
    x = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = k.layers.MaxPooling2D((2, 2))(x)
    x = k.layers.Permute((2, 1, 3))(x)
    x = k.layers.Reshape((6, 16))(x)
    x = k.layers.GRU(5, unroll=True, return_sequences=True)(x)
    return k.Model(i, k.layers.Dense(4, activation="softmax")(x))
