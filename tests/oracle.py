"""One QUANTIZED node turned into a .tflite file and run by TensorFlow Lite's reference kernels: the outside oracle."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite

from edgekc.ir import Array, Tensor
from edgekc.op import View

ACTIVATION = {
    "none": tflite.ActivationFunctionType.NONE,
    "relu": tflite.ActivationFunctionType.RELU,
    "relu6": tflite.ActivationFunctionType.RELU6,
    "relu_n1_to_1": tflite.ActivationFunctionType.RELU_N1_TO_1,
}
DTYPE = {
    "int8": tflite.TensorType.INT8,
    "uint8": tflite.TensorType.UINT8,
    "int32": tflite.TensorType.INT32,
    "float32": tflite.TensorType.FLOAT32,
}


def missing() -> str:
    """Why there is no oracle here; empty where there is one."""
    try:
        _interpreter_module()
    except ImportError as error:
        return f"no TensorFlow Lite interpreter: install ai-edge-litert or tflite-runtime ({error})"
    return ""


def fully_connected_rounding() -> str:
    """The attribute `rounding` by which fully connected layers give this interpreter's bits (docs/numerics.md)."""
    return "double" if _interpreter_module().__name__.startswith("tflite_runtime") else "litert"


def _interpreter_module() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.interpreter")
    except ImportError:
        return importlib.import_module("tflite_runtime.interpreter")


def interpret(model: bytes, inputs: Sequence[Array]) -> list[Array]:
    """All outputs of a model under the reference kernels; RuntimeError where it refuses the model."""
    module = _interpreter_module()
    resolver = module.OpResolverType.BUILTIN_REF
    runner = module.Interpreter(model_content=model, experimental_op_resolver_type=resolver, num_threads=1)
    details = runner.get_input_details()
    for detail, value in zip(details, inputs, strict=True):
        if tuple(detail["shape"]) != value.shape:
            runner.resize_tensor_input(detail["index"], value.shape)
    runner.allocate_tensors()
    for detail, value in zip(details, inputs, strict=True):
        runner.set_tensor(detail["index"], value)
    runner.invoke()
    return [runner.get_tensor(detail["index"]) for detail in runner.get_output_details()]


def run(view: View, inputs: Sequence[Array]) -> list[Array]:
    """Outputs of a QUANTIZED node; `inputs` are the values of its activations."""
    return interpret(model(view), inputs)


# ---- the file -------------------------------------------------------------------------------------------


def _table(b: flatbuffers.Builder, kind: str, **fields: Any) -> int:
    """A flatbuffers table from its field values, by the names of the generated builder functions."""
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        if value is not None:
            getattr(tflite, f"{kind}Add{name}")(b, value)
    return int(getattr(tflite, f"{kind}End")(b))


def _vector(b: flatbuffers.Builder, values: Sequence[Any], dtype: str) -> int:
    return int(b.CreateNumpyVector(np.asarray(values, dtype)))


def _offsets(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _parameter(name: str, values: Sequence[int]) -> Tensor:
    data = np.asarray(values, np.int32)
    return Tensor(name, data.shape, "int32", None, data=data)


def _padding(view: View) -> int:
    padded = any(view[p] for p in ("pad_top", "pad_bottom", "pad_left", "pad_right"))
    return tflite.Padding.SAME if padded else tflite.Padding.VALID


def _activation(view: View) -> int:
    return ACTIVATION[str(view.node.attrs.get("activation", "none"))]


def _conv(view: View) -> dict[str, Any]:
    sizes = dict(StrideH=view["stride_h"], StrideW=view["stride_w"])
    sizes.update(DilationHFactor=view["dilation_h"], DilationWFactor=view["dilation_w"])
    return dict(Padding=_padding(view), FusedActivationFunction=_activation(view), **sizes)


def _pool(view: View) -> dict[str, Any]:
    sizes = dict(StrideH=view["stride_h"], StrideW=view["stride_w"])
    sizes.update(FilterHeight=view["filter_h"], FilterWidth=view["filter_w"])
    return dict(Padding=_padding(view), FusedActivationFunction=_activation(view), **sizes)


def _activated(view: View) -> dict[str, Any]:
    return dict(FusedActivationFunction=_activation(view))


VERSION = 2  # where int8 kernels came in, for most operators
FIRST_VERSION = ("RESHAPE", "RELU_N1_TO_1")  # those that have no second version

Options = Callable[[View], dict[str, Any]]
# operator: builtin name, options table, its fields
BUILTIN: dict[str, tuple[str, str | None, Options]] = {
    "conv2d": ("CONV_2D", "Conv2DOptions", _conv),
    "grouped_conv2d": ("CONV_2D", "Conv2DOptions", _conv),
    "depthwise": (
        "DEPTHWISE_CONV_2D",
        "DepthwiseConv2DOptions",
        lambda view: dict(**_conv(view), DepthMultiplier=view.out.shape[3] // view.x.shape[3]),
    ),
    "fully_connected": (
        "FULLY_CONNECTED",
        "FullyConnectedOptions",
        lambda view: dict(**_activated(view), KeepNumDims=len(view.x.shape) > 2),
    ),
    "add": ("ADD", "AddOptions", _activated),
    "mul": ("MUL", "MulOptions", _activated),
    "average_pool": ("AVERAGE_POOL_2D", "Pool2DOptions", _pool),
    "max_pool": ("MAX_POOL_2D", "Pool2DOptions", _pool),
    "mean": ("MEAN", "ReducerOptions", lambda view: dict(KeepDims=bool(view["keep_dims"]))),
    "reshape": ("RESHAPE", None, lambda view: {}),
    "softmax": ("SOFTMAX", "SoftmaxOptions", lambda view: dict(Beta=view.node.attrs["beta"])),
    "pad": ("PAD", "PadOptions", lambda view: {}),
    "logistic": ("LOGISTIC", None, lambda view: {}),
    "quantize": ("QUANTIZE", "QuantizeOptions", lambda view: {}),
    "concat": ("CONCATENATION", "ConcatenationOptions", lambda view: dict(**_activated(view), Axis=view["axis"])),
}
RELU = {"relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}


def _builtin(view: View) -> tuple[str, str | None, dict[str, Any]]:
    if view.node.op == "relu":
        return RELU[str(view.node.attrs["activation"])], None, {}
    name, table, options = BUILTIN[view.node.op]
    return name, table, options(view)


def _extra_inputs(view: View) -> tuple[Tensor, ...]:
    """What the node holds as an attribute and the file as one more constant input."""
    attrs = view.node.attrs
    if view.node.op == "mean":
        return (_parameter("axes", [int(a) for a in str(attrs["axes"]).split(",")]),)
    if view.node.op == "pad":
        pads = _parameter("pads", [int(p) for p in str(attrs["pads"]).split(",")])
        assert pads.data is not None
        return (Tensor("pads", (pads.shape[0] // 2, 2), "int32", data=pads.data.reshape(-1, 2)),)
    if view.node.op == "reshape":
        return (_parameter("shape", view.out.shape),)
    return ()


def _tensor(b: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    quantization = None
    if tensor.quant is not None:
        scale = _vector(b, tensor.quant.scales, "float32")
        zero = _vector(b, tensor.quant.zero_points, "int64")
        fields = dict(Scale=scale, ZeroPoint=zero, QuantizedDimension=tensor.quant.axis)
        quantization = _table(b, "QuantizationParameters", **fields)
    name, shape = b.CreateString(tensor.name), _vector(b, tensor.shape, "int32")
    fields = dict(Shape=shape, Type=DTYPE[tensor.dtype], Buffer=buffer, Name=name, Quantization=quantization)
    return _table(b, "Tensor", **fields)


def model(view: View) -> bytes:
    """The .tflite file of one QUANTIZED node."""
    b = flatbuffers.Builder(1024)
    builtin, options_kind, options = _builtin(view)
    tensors = list(dict.fromkeys([t.name for t in view.inputs]))
    by_name = {t.name: t for t in view.inputs}
    sources = [by_name[n] for n in tensors] + list(_extra_inputs(view)) + list(view.outputs)
    index = {t.name: i for i, t in enumerate(sources)}

    buffers, tables = [_table(b, "Buffer")], []
    for tensor in sources:
        slot = 0
        if tensor.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(tensor.data).tobytes())
            slot = len(buffers)
            buffers.append(_table(b, "Buffer", Data=data))
        tables.append(_tensor(b, tensor, slot))

    ins = [index[t.name] for t in (*view.inputs, *_extra_inputs(view))]
    outs = [index[t.name] for t in view.outputs]
    free = [index[n] for n in tensors if by_name[n].data is None]
    option_table = _table(b, options_kind, **options) if options_kind else None
    kind = getattr(tflite.BuiltinOptions, options_kind) if options_kind else None
    operator_fields = dict(Inputs=_vector(b, ins, "int32"), Outputs=_vector(b, outs, "int32"))
    operator = _table(b, "Operator", **operator_fields, BuiltinOptions=option_table, BuiltinOptionsType=kind)
    parts = dict(Tensors=_offsets(b, tables), Operators=_offsets(b, [operator]))
    graph = _table(b, "SubGraph", **parts, Inputs=_vector(b, free, "int32"), Outputs=_vector(b, outs, "int32"))
    number = getattr(tflite.BuiltinOperator, builtin)
    version = 1 if builtin in FIRST_VERSION else VERSION
    code = _table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127), Version=version)
    lists = dict(OperatorCodes=_offsets(b, [code]), Subgraphs=_offsets(b, [graph]), Buffers=_offsets(b, buffers))
    root = _table(b, "Model", Version=3, **lists)
    b.Finish(root, b"TFL3")
    return bytes(b.Output())
