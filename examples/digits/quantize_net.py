"""A float network and calibration images to an int8 model: post-training quantisation, TensorFlow Lite's scheme.

Activations are int8 with one scale and zero point; convolution weights are symmetric with a scale per output
channel, the dense layer's with one scale; biases are int32 with scale input * weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from float_net import INPUT, Floats, Layer, run
from numpy.typing import NDArray
from write_tflite import ModelSpec, OperatorSpec, Quant, TensorSpec

# The axis of the output channel in each kind's weights, None where one scale serves all.
_CHANNEL_AXIS = {"conv": 0, "depthwise": 3, "dense": None}

# TensorFlow Lite fixes the output of an int8 softmax to probabilities in steps of 1/256.
_SOFTMAX_OUT = Quant(np.array([1 / 256], np.float32), -128)


def quantize_values(values: Floats, quant: Quant) -> NDArray[np.int8]:
    """Real values to int8 with one scale, rounded to nearest and saturated."""
    q = np.rint(values / np.float64(quant.scales[0])) + quant.zero_point
    return np.clip(q, -128, 127).astype(np.int8)


def quantize_net(layers: Sequence[Layer], images: Floats, input_quant: Quant, description: str) -> ModelSpec:
    """Quantise `layers`, with the ranges of activations taken from `images` (n, h, w, c), real values."""
    values = run(layers, images)
    quants = {INPUT: input_quant}
    tensors = [TensorSpec(INPUT, (1, *images.shape[1:]), "int8", input_quant)]
    operators = []
    for layer in layers:
        quant = _output_quant(layer, values[layer.name], quants[layer.inputs[0]])
        quants[layer.name] = quant
        constants = _constants(layer, quants[layer.inputs[0]], values[layer.name].shape)
        output = TensorSpec(layer.name, (1, *values[layer.name].shape[1:]), "int8", quant)
        tensors += [*constants, output]
        code, options = _CODES[layer.kind](layer, values[layer.inputs[0]].shape)
        operators.append(OperatorSpec(code, (*layer.inputs, *(c.name for c in constants)), layer.name, options))
    return ModelSpec(description, tuple(tensors), tuple(operators), INPUT, layers[-1].name)


def _output_quant(layer: Layer, values: Floats, first_input: Quant) -> Quant:
    match layer.kind:
        case "average_pool" | "flatten":  # these kernels do not rescale
            return first_input
        case "softmax":
            return _SOFTMAX_OUT
        case _:
            return activation_quant(float(values.min()), float(values.max()))


def activation_quant(low: float, high: float) -> Quant:
    """The int8 parameters of the range low..high, widened to hold 0, which is then exact: padding is made of it."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255 or 1.0)
    zero_point = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return Quant(np.array([scale], np.float32), zero_point)


def _constants(layer: Layer, x: Quant, out_shape: tuple[int, ...]) -> tuple[TensorSpec, ...]:
    """The constant operands: weights and bias, or the shape that a reshape goes to."""
    if layer.kind == "flatten":
        shape = np.array([1, *out_shape[1:]], np.int32)
        return (TensorSpec(f"{layer.name}/shape", shape.shape, "int32", None, shape),)
    if layer.weights is None or layer.bias is None:
        return ()
    axis = _CHANNEL_AXIS[layer.kind]
    q, weights_quant = quantize_weights(layer.weights, axis)
    bias_quant = Quant(x.scales * weights_quant.scales, 0)  # in float32, as runtimes check it
    bias = np.rint(layer.bias.astype(np.float64) / bias_quant.scales)
    limits = np.iinfo(np.int32)
    bias = np.clip(bias, limits.min, limits.max).astype(np.int32)
    return (
        TensorSpec(f"{layer.name}/weights", q.shape, "int8", weights_quant, q),
        TensorSpec(f"{layer.name}/bias", bias.shape, "int32", bias_quant, bias),
    )


def quantize_weights(weights: Floats, axis: int | None) -> tuple[NDArray[np.int8], Quant]:
    """Symmetric int8 weights in -127..127, with a scale per index along `axis`, or one scale if it is None."""
    others = tuple(i for i in range(weights.ndim) if i != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)  # any scale serves a channel of zeros
    q = np.clip(np.rint(weights / scales.astype(np.float64)), -127, 127).astype(np.int8)
    return q, Quant(scales.reshape(-1), 0, axis or 0)


def _fused(layer: Layer) -> int:
    return int(schema.ActivationFunctionType.RELU if layer.relu else schema.ActivationFunctionType.NONE)


def _conv(layer: Layer, _: tuple[int, ...]) -> tuple[int, object]:
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = layer.stride
    options.fusedActivationFunction = _fused(layer)
    return schema.BuiltinOperator.CONV_2D, options


def _depthwise(layer: Layer, _: tuple[int, ...]) -> tuple[int, object]:
    options = schema.DepthwiseConv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.strideW = layer.stride
    options.depthMultiplier = 1
    options.fusedActivationFunction = _fused(layer)
    return schema.BuiltinOperator.DEPTHWISE_CONV_2D, options


def _add(layer: Layer, _: tuple[int, ...]) -> tuple[int, object]:
    options = schema.AddOptionsT()
    options.fusedActivationFunction = _fused(layer)
    return schema.BuiltinOperator.ADD, options


def _average_pool(_: Layer, in_shape: tuple[int, ...]) -> tuple[int, object]:
    options = schema.Pool2DOptionsT()
    options.padding = schema.Padding.VALID
    options.filterHeight, options.filterWidth = in_shape[1:3]
    options.strideH, options.strideW = in_shape[1:3]
    return schema.BuiltinOperator.AVERAGE_POOL_2D, options


def _flatten(_: Layer, in_shape: tuple[int, ...]) -> tuple[int, object]:
    options = schema.ReshapeOptionsT()
    options.newShape = [1, int(np.prod(in_shape[1:]))]
    return schema.BuiltinOperator.RESHAPE, options


def _dense(layer: Layer, _: tuple[int, ...]) -> tuple[int, object]:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _fused(layer)
    return schema.BuiltinOperator.FULLY_CONNECTED, options


def _softmax(_: Layer, __: tuple[int, ...]) -> tuple[int, object]:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return schema.BuiltinOperator.SOFTMAX, options


# Layer kind -> the builtin code and options of its operator, from the layer and the shape of its first input.
_CODES: dict[str, Callable[[Layer, tuple[int, ...]], tuple[int, object]]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "add": _add,
    "average_pool": _average_pool,
    "flatten": _flatten,
    "dense": _dense,
    "softmax": _softmax,
}
