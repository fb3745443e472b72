"""Quantised .tflite files of MobileNets' layers with random weights, written without TensorFlow.

For timing and sizes only: shapes, strides, padding, residual additions and activations are those of the published
networks; what they answer means nothing. MobileNetV2 1.0 at 224x224 (Sandler et al., CVPR 2018) has 300 million
multiply-accumulates and 3.5 million weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from edgekc.graph.ir import Array

BLOCKS = (  # expansion, channels, repeats, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
RELU6 = tflite.ActivationFunctionType.RELU6
NONE = tflite.ActivationFunctionType.NONE
STEP = 6 / 255  # of activations after ReLU6, which start at -128
LINEAR = 0.05  # of the others, around 0


def _table(b: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        if value is not None:
            getattr(tflite, f"{kind}Add{name}")(b, value)
    return int(getattr(tflite, f"{kind}End")(b))


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


@dataclass(slots=True)
class _File:
    """The file under construction; tensors are known by their index."""

    b: flatbuffers.Builder
    rng: np.random.Generator
    buffers: list[int] = field(default_factory=list)
    tensors: list[int] = field(default_factory=list)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    operators: list[int] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)

    def tensor(
        self, shape: tuple[int, ...], dtype: int, scales: Array, zero: int, axis: int, data: Array | None
    ) -> int:
        slot = 0
        if data is not None:
            content = self.b.CreateByteVector(np.ascontiguousarray(data).tobytes())
            slot = len(self.buffers)
            self.buffers.append(_table(self.b, "Buffer", Data=content))
        scale = self.b.CreateNumpyVector(scales.astype(np.float32))
        zeros = self.b.CreateNumpyVector(np.full(scales.size, zero, np.int64))
        quantization = _table(self.b, "QuantizationParameters", Scale=scale, ZeroPoint=zeros, QuantizedDimension=axis)
        name = self.b.CreateString(f"t{len(self.tensors)}")
        sizes = self.b.CreateNumpyVector(np.array(shape, np.int32))
        fields = dict(Shape=sizes, Type=dtype, Buffer=slot, Name=name, Quantization=quantization)
        self.tensors.append(_table(self.b, "Tensor", **fields))
        self.shapes.append(shape)
        self.scales.append(float(scales[0]))
        return len(self.tensors) - 1

    def activation(self, shape: tuple[int, ...], relu6: bool) -> int:
        scale, zero = (STEP, -128) if relu6 else (LINEAR, 0)
        return self.tensor(shape, tflite.TensorType.INT8, np.array([scale]), zero, 0, None)

    def operator(self, code: str, inputs: Sequence[int], out: int, options: str, **fields: Any) -> int:
        if code not in self.codes:
            self.codes.append(code)
        table = _table(self.b, options, **fields)
        ins, outs = (self.b.CreateNumpyVector(np.array(each, np.int32)) for each in (inputs, [out]))
        kind = getattr(tflite.BuiltinOptions, options)
        values = dict(OpcodeIndex=self.codes.index(code), Inputs=ins, Outputs=outs, BuiltinOptionsType=kind)
        self.operators.append(_table(self.b, "Operator", **values, BuiltinOptions=table))
        return out

    def weighted(self, x: int, shape: tuple[int, ...], axis: int) -> tuple[int, int]:
        """Weights and bias: outputs of unit size from inputs of unit size, whatever the number of taps."""
        channels = shape[axis]
        taps = int(np.prod(shape)) // channels
        scales = self.rng.uniform(0.7, 1.4, channels) / (74 * np.sqrt(taps))
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        w = self.tensor(shape, tflite.TensorType.INT8, scales, 0, axis, values)
        bias = (self.rng.normal(0, 0.5, channels) / (scales * self.scales[x])).astype(np.int32)
        both = scales * self.scales[x]
        return w, self.tensor((channels,), tflite.TensorType.INT32, both, 0, 0, bias)

    def conv(self, x: int, channels: int, k: int, stride: int, relu6: bool) -> int:
        _, height, width, in_c = self.shapes[x]
        w, bias = self.weighted(x, (channels, k, k, in_c), 0)
        out = self.activation((1, -(-height // stride), -(-width // stride), channels), relu6)
        options = dict(Padding=tflite.Padding.SAME, StrideH=stride, StrideW=stride, DilationHFactor=1)
        activation = RELU6 if relu6 else NONE
        options.update(DilationWFactor=1, FusedActivationFunction=activation)
        return self.operator("CONV_2D", (x, w, bias), out, "Conv2DOptions", **options)

    def depthwise(self, x: int, stride: int) -> int:
        _, height, width, channels = self.shapes[x]
        w, bias = self.weighted(x, (1, 3, 3, channels), 3)
        out = self.activation((1, -(-height // stride), -(-width // stride), channels), True)
        options = dict(Padding=tflite.Padding.SAME, StrideH=stride, StrideW=stride, DilationHFactor=1)
        options.update(DilationWFactor=1, DepthMultiplier=1, FusedActivationFunction=RELU6)
        return self.operator("DEPTHWISE_CONV_2D", (x, w, bias), out, "DepthwiseConv2DOptions", **options)

    def block(self, x: int, expansion: int, channels: int, stride: int) -> int:
        in_c = self.shapes[x][3]
        wide = self.conv(x, in_c * expansion, 1, 1, True) if expansion > 1 else x
        out = self.conv(self.depthwise(wide, stride), channels, 1, 1, False)
        if stride > 1 or channels != in_c:
            return out
        total = self.activation(self.shapes[out], False)
        return self.operator("ADD", (x, out), total, "AddOptions", FusedActivationFunction=NONE)


def _begin(seed: int, size: int) -> tuple[_File, int]:
    b = flatbuffers.Builder(1 << 22)
    f = _File(b, np.random.default_rng(seed))
    f.buffers.append(_table(b, "Buffer"))
    return f, f.activation((1, size, size, 3), False)


def _end(f: _File, source: int, x: int, classes: int) -> bytes:
    """Global pooling, a fully connected layer, and the file."""
    b, channels = f.b, f.shapes[x][3]
    axes = np.array([1, 2], np.int32)
    positions = f.tensor((2,), tflite.TensorType.INT32, np.array([1.0]), 0, 0, axes)
    pooled = f.tensor((1, channels), tflite.TensorType.INT8, np.array([STEP]), -128, 0, None)
    f.operator("MEAN", (x, positions), pooled, "ReducerOptions", KeepDims=False)
    w, bias = f.weighted(pooled, (classes, channels), 0)
    scores = f.tensor((1, classes), tflite.TensorType.INT8, np.array([LINEAR]), 0, 0, None)
    f.operator("FULLY_CONNECTED", (pooled, w, bias), scores, "FullyConnectedOptions", FusedActivationFunction=NONE)

    ends = [b.CreateNumpyVector(np.array([i], np.int32)) for i in (source, scores)]
    lists = dict(Tensors=_offsets(b, f.tensors), Operators=_offsets(b, f.operators))
    graph = _table(b, "SubGraph", **lists, Inputs=ends[0], Outputs=ends[1])
    numbers = [getattr(tflite.BuiltinOperator, code) for code in f.codes]
    codes = [_table(b, "OperatorCode", BuiltinCode=n, DeprecatedBuiltinCode=min(n, 127), Version=3) for n in numbers]
    parts = dict(OperatorCodes=_offsets(b, codes), Subgraphs=_offsets(b, [graph]), Buffers=_offsets(b, f.buffers))
    b.Finish(_table(b, "Model", Version=3, **parts), b"TFL3")
    return bytes(b.Output())


def _scaled(channels: int, width: float) -> int:
    """Channels times the width multiplier: a multiple of eight, and never below nine tenths of the product."""
    wanted = channels * width
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def mobilenet_v2(seed: int, size: int = 224, width: float = 1.0, classes: int = 1000) -> bytes:
    """The file; the same bytes for the same arguments. `size`: of the image, in pixels; `width`: at most 1."""
    f, source = _begin(seed, size)
    x = f.conv(source, _scaled(32, width), 3, 2, True)
    for expansion, channels, repeats, stride in BLOCKS:
        for i in range(repeats):
            x = f.block(x, expansion, _scaled(channels, width), stride if i == 0 else 1)
    return _end(f, source, f.conv(x, 1280, 1, 1, True), classes)


def separable(seed: int, size: int, width: float, layers: Sequence[tuple[int, int]], classes: int = 1000) -> bytes:
    """A convolution of stride 2, then pairs of a depthwise and a 1x1 one: `layers` has their channels and strides."""
    f, source = _begin(seed, size)
    x = f.conv(source, _scaled(32, width), 3, 2, True)
    for channels, stride in layers:
        x = f.conv(f.depthwise(x, stride), _scaled(channels, width), 1, 1, True)
    return _end(f, source, x, classes)


# MobileNetV1 (Howard et al., 2017), and FD-MobileNet, which goes to 7x7 sooner (Qin et al., ICIP 2018).
MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
FD_MOBILENET = ((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 4, (1024, 1))
