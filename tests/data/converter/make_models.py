"""Writes the .tflite files of this folder with TensorFlow's converter, as users do; needs `pip install tensorflow`.

The files are committed, because TensorFlow is no dependency of the tests. They were written by TensorFlow 2.21;
running this again gives other bytes only where the converter changed. Run it in this folder:

    python make_models.py [name ...]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = Path(__file__).parent
SAMPLES = 24  # of the representative dataset
L = keras.layers


def _randomise(model: Any, rng: np.random.Generator) -> None:
    """Weights and statistics as after training: filters of different sizes, biases, variances off one."""
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            shape, kind = tuple(weight.shape), weight.path.rsplit("/", 1)[-1]
            if kind in ("moving_variance", "gamma"):
                values.append(rng.uniform(0.5, 1.5, shape))
            elif kind in ("bias", "beta", "moving_mean"):
                values.append(rng.normal(0, 0.3, shape))
            else:
                by_channel = isinstance(layer, L.DepthwiseConv2D) or kind == "depthwise_kernel"
                fan_in = int(np.prod(shape[:2] if by_channel else shape[:-1]))
                values.append(rng.normal(0, 1.5 / fan_in**0.5, shape) * rng.uniform(0.3, 1.7, shape[-1]))
        layer.set_weights(values)


def _representative(model: Any, rng: np.random.Generator) -> Callable[[], Iterator[Any]]:
    batches = [
        {i.name: rng.normal(0, 1, (1, *i.shape[1:])).astype(np.float32) for i in model.inputs} for _ in range(SAMPLES)
    ]
    if len(model.inputs) > 1:  # by name: the converter sorts them
        return lambda: iter(batches)
    return lambda: (list(batch.values()) for batch in batches)


def _converter(model: Any, fixed_batch: bool) -> Any:
    """From a Keras model, whose batch size is free, or from a function of batch size one."""
    if not fixed_batch:
        return tf.lite.TFLiteConverter.from_keras_model(model)
    (x,) = model.inputs
    function = tf.function(lambda value: model(value, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *x.shape[1:]), tf.float32))
    return tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(concrete)])


def convert(
    model: Any, *, edges: Any = tf.int8, fixed_batch: bool = False, per_channel: bool = True, seed: int = 1
) -> bytes:
    """Full-integer int8, as the documentation of the converter says."""
    rng = np.random.default_rng(seed)
    _randomise(model, rng)
    converter = _converter(model, fixed_batch)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative(model, rng)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = edges
    converter._experimental_disable_per_channel = not per_channel
    return bytes(converter.convert())


def _small() -> Any:
    """Convolution, pooling, dense layer: for the variants of quantisation and of the edges."""
    x = inputs = L.Input((9, 8, 3))
    x = L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(5, activation="softmax")(x))


def convolutions() -> Any:
    """SAME and VALID, odd strides, dilation, every activation, with and without batch normalisation and bias."""
    x = inputs = L.Input((13, 12, 3))
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU()(x)
    x = L.Conv2D(7, (3, 2), strides=(1, 2), padding="valid", activation="relu6")(x)
    x = L.Conv2D(5, 3, dilation_rate=2, padding="same")(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU(6.0)(x)
    return keras.Model(inputs, L.Conv2D(6, 2, dilation_rate=(1, 2), strides=1, use_bias=False)(x))


def depthwise() -> Any:
    """Depth multiplier 2, separable convolutions, a dilated depthwise one."""
    x = inputs = L.Input((10, 9, 4))
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="relu")(x)
    x = L.SeparableConv2D(6, 3, strides=2, padding="same", activation="relu6")(x)
    x = L.DepthwiseConv2D((3, 2), dilation_rate=2, padding="same")(x)
    return keras.Model(inputs, L.DepthwiseConv2D(3, strides=2, padding="valid")(x))


def _block(x: Any, channels: int, stride: int) -> Any:
    """The inverted residual of MobileNetV2, much as keras.applications writes it."""
    y = L.Conv2D(3 * x.shape[-1], 1, activation="relu6")(x)
    if stride == 2:
        y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = L.DepthwiseConv2D(3, strides=stride, padding="valid" if stride == 2 else "same", use_bias=False)(y)
    y = L.ReLU(6.0)(L.BatchNormalization()(y))
    y = L.BatchNormalization()(L.Conv2D(channels, 1, use_bias=False)(y))
    return L.Add()([x, y]) if stride == 1 and channels == x.shape[-1] else y


def mobilenet_v2() -> Any:
    """Zero padding before a strided convolution, and two inverted residuals."""
    x = inputs = L.Input((12, 12, 3))
    x = L.ZeroPadding2D(1)(x)  # with a stride of 2 not what SAME means
    x = L.Conv2D(4, 3, strides=2, padding="valid", use_bias=False)(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    return keras.Model(inputs, _block(_block(x, 4, 1), 6, 2))


def squeeze_excite() -> Any:
    """A gate per channel: global average, two dense layers, sigmoid, multiplication by broadcasting."""
    x = inputs = L.Input((6, 7, 4))
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    gate = L.GlobalAveragePooling2D()(x)
    gate = L.Dense(3, activation="relu")(gate)
    gate = L.Dense(8, activation="sigmoid")(gate)
    x = L.Multiply()([x, L.Reshape((1, 1, 8))(gate)])
    gate = L.GlobalAveragePooling2D(keepdims=True)(x)
    gate = L.Conv2D(8, 1, activation="sigmoid")(gate)
    return keras.Model(inputs, L.Multiply()([x, gate]))


def branches() -> Any:
    """Concatenation of branches in different scales, sums and products with constants, of branches and alone."""
    x = inputs = L.Input((8, 6, 3))
    x = L.Rescaling(0.7, offset=0.2)(x)
    a = L.Conv2D(4, 1, activation="relu")(x)
    b = L.Conv2D(3, 3, padding="same")(x)
    c = L.MaxPooling2D(3, strides=1, padding="same")(x)
    x = L.Concatenate()([a, b, c])
    x = L.ReLU()(L.Add()([L.Conv2D(5, 1)(x), L.Conv2D(5, 3, padding="same")(x)]))
    x = x * np.linspace(-1.0, 1.5, 5).astype(np.float32) + np.linspace(2.0, -1.0, 5).astype(np.float32)
    return keras.Model(inputs, L.Concatenate(axis=1)([x, L.ReLU(6.0)(x)]))


def pooling() -> Any:
    """Average and maximum with SAME and VALID, and global ones with and without the pooled axes."""
    x = inputs = L.Input((11, 10, 4))
    x = L.AveragePooling2D(3, strides=2, padding="same")(x)
    x = L.Conv2D(6, 1, activation="relu")(x)
    x = L.MaxPooling2D((2, 3), strides=(1, 2), padding="same")(x)
    x = L.AveragePooling2D(2, strides=1)(x)
    kept = L.GlobalAveragePooling2D(keepdims=True)(x)
    flat = L.GlobalAveragePooling2D()(x)
    most = L.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, L.Concatenate()([L.Flatten()(kept), flat, most]))


def shapes() -> Any:
    """Flatten, reshape, and a dense layer over the last of four axes."""
    x = inputs = L.Input((4, 6, 3))
    x = L.Dense(5, activation="relu")(x)
    x = L.Reshape((8, 3, 5))(x)
    x = L.Conv2D(4, 2, activation="relu")(x)
    x = L.Flatten()(L.Reshape((-1, 4))(x))
    return keras.Model(inputs, L.Dense(4)(x))


def alone() -> Any:
    """Activations that nothing can take in: after the input, after pooling, after a tensor read twice."""
    x = inputs = L.Input((6, 6, 3))
    x = L.ReLU(6.0)(x)
    x = L.ReLU()(L.AveragePooling2D(2)(x) - 0.0)
    x = L.Conv2D(4, 2)(x)
    y = L.ReLU()(x)
    z = L.Activation("sigmoid")(x)
    x = L.ZeroPadding2D(1)(L.Concatenate()([y, z, x]))
    return keras.Model(inputs, L.Softmax()(x))


def two_in_two_out() -> Any:
    """Inputs and outputs of different shapes and scales."""
    image, values = L.Input((6, 5, 2), name="image"), L.Input((7,), name="values")
    x = L.Conv2D(4, 3, activation="relu")(image)
    y = L.Dense(4, activation="relu")(values)
    joined = L.Multiply()([x, L.Reshape((1, 1, 4))(y)])
    scores = L.Dense(3, activation="softmax", name="scores")(L.Concatenate()([L.Flatten()(joined), y]))
    return keras.Model([image, values], [scores, L.Conv2D(2, 1, name="map")(x)])


def conv1d() -> Any:
    """Sequences: one-dimensional convolution and pooling."""
    x = inputs = L.Input((20, 3))
    x = L.Conv1D(6, 5, strides=2, padding="same", activation="relu")(x)
    x = L.MaxPooling1D(2)(x)
    x = L.Conv1D(4, 3, dilation_rate=2, padding="causal", activation="relu")(x)
    return keras.Model(inputs, L.Concatenate()([L.GlobalAveragePooling1D()(x), L.GlobalMaxPooling1D()(x)]))


def _converted(model: Any, prepare: Callable[[Any], None]) -> bytes:
    rng = np.random.default_rng(2)
    _randomise(model, rng)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    prepare(converter)
    if converter.optimizations and converter.representative_dataset is True:
        converter.representative_dataset = _representative(model, rng)
    return bytes(converter.convert())


def _set(**fields: Any) -> Callable[[Any], None]:
    def prepare(converter: Any) -> None:
        for name, value in fields.items():
            setattr(converter.target_spec if name.startswith("supported") else converter, name, value)

    return prepare


def _wide() -> Any:
    """Enough weights (1024) that the converter thinks them worth compressing."""
    inputs = L.Input((32,))
    return keras.Model(inputs, L.Dense(2)(L.Dense(32, activation="relu")(inputs)))


def _tiny() -> Any:
    inputs = L.Input((5,))
    return keras.Model(inputs, L.Dense(3)(inputs))


def _loop(layer: Any, units: int = 3) -> Any:
    """Steps of a recurrent layer, which the converter writes as a loop where the batch size is one."""
    inputs = L.Input((4, 3), batch_size=1)
    return keras.Model(inputs, L.Dense(units)(layer(inputs)))


OPTIMIZE = [tf.lite.Optimize.DEFAULT]
INT16 = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
MODELS: dict[str, Callable[[], bytes]] = {
    "convolutions": lambda: convert(convolutions()),
    "depthwise": lambda: convert(depthwise()),
    "convolutions_fixed_batch": lambda: convert(convolutions(), fixed_batch=True),
    "mobilenet_v2": lambda: convert(mobilenet_v2()),
    "squeeze_excite": lambda: convert(squeeze_excite()),
    "branches": lambda: convert(branches()),
    "pooling": lambda: convert(pooling()),
    "shapes": lambda: convert(shapes()),
    "shapes_fixed_batch": lambda: convert(shapes(), fixed_batch=True),
    "alone": lambda: convert(alone()),
    "two_in_two_out": lambda: convert(two_in_two_out()),
    "conv1d": lambda: convert(conv1d()),
    "float_edges": lambda: convert(_small(), edges=tf.float32),
    "uint8_edges": lambda: convert(_small(), edges=tf.uint8),
    "per_tensor": lambda: convert(_small(), per_channel=False),
    "refused/float32": lambda: _converted(_tiny(), _set()),
    "refused/dynamic_range": lambda: _converted(_wide(), _set(optimizations=OPTIMIZE)),
    "refused/float16": lambda: _converted(_tiny(), _set(optimizations=OPTIMIZE, supported_types=[tf.float16])),
    "int16x8": lambda: _converted(
        _tiny(), _set(optimizations=OPTIMIZE, representative_dataset=True, supported_ops=INT16)
    ),
    "loops/simple": lambda: _converted(_loop(L.SimpleRNN(4)), _set()),
    "loops/gru": lambda: _converted(_loop(L.GRU(5)), _set()),
    "loops/gru_dynamic_range": lambda: _converted(_loop(L.GRU(24)), _set(optimizations=OPTIMIZE)),
    "loops/gru_float16": lambda: _converted(
        _loop(L.GRU(5, reset_after=False)), _set(optimizations=OPTIMIZE, supported_types=[tf.float16])
    ),
    "loops/lstm_both_ways": lambda: _converted(_loop(L.Bidirectional(L.LSTM(5, return_sequences=True))), _set()),
}


def main(names: list[str]) -> None:
    for folder in ("refused", "loops"):
        (HERE / folder).mkdir(exist_ok=True)
    for name in names or MODELS:
        keras.backend.clear_session()  # layer names count up over models
        data = MODELS[name]()
        (HERE / f"{name}.tflite").write_bytes(data)
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
