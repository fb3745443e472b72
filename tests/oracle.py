"""QUANTIZED nodes turned into a .tflite file and run by TensorFlow Lite's reference kernels: the outside oracle."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite

from edgekc.graph.ir import Array, Tensor
from edgekc.graph.op import View

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
    runner = _prepared(model, inputs)
    return [runner.get_tensor(detail["index"]) for detail in runner.get_output_details()]


def every_tensor(model: bytes, samples: Sequence[Sequence[Array]]) -> list[dict[str, Array]]:
    """For each sample all tensors by name, those inside the network too."""
    runner = _prepared(model, samples[0], keep=True)
    results = []
    for inputs in samples:
        _invoke(runner, inputs)
        results.append({d["name"]: runner.get_tensor(d["index"]) for d in runner.get_tensor_details()})
    return results


def _prepared(model: bytes, inputs: Sequence[Array], keep: bool = False) -> Any:
    """An interpreter after its first run; an input's batch axis may be longer than the model's one."""
    module = _interpreter_module()
    runner = module.Interpreter(
        model_content=model,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=keep,
        num_threads=1,
    )
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        if tuple(detail["shape"]) != value.shape:
            runner.resize_tensor_input(detail["index"], value.shape)
    runner.allocate_tensors()
    _invoke(runner, inputs)
    return runner


def _invoke(runner: Any, inputs: Sequence[Array]) -> None:
    for detail, value in zip(runner.get_input_details(), inputs, strict=True):
        runner.set_tensor(detail["index"], value)
    runner.invoke()


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


def _squeeze(view: View) -> dict[str, Any]:
    return dict(SqueezeDims=[int(a) for a in str(view.node.attrs["axes"]).split(",")])


VERSION = 2  # where int8 kernels came in, for most operators
FIRST_VERSION = (
    "RESHAPE",
    "RELU_N1_TO_1",
    "EXPAND_DIMS",
    "SQUEEZE",
    "SHAPE",
    "STRIDED_SLICE",
    "PACK",
)  # have no second

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
        lambda view: dict(**_activated(view), KeepNumDims=len(view.out.shape) > 2),
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
    "tanh": ("TANH", None, lambda view: {}),
    "quantize": ("QUANTIZE", "QuantizeOptions", lambda view: {}),
    "concat": ("CONCATENATION", "ConcatenationOptions", lambda view: dict(**_activated(view), Axis=view["axis"])),
    # What files have, and the importer turns into other operators.
    "dequantize": ("DEQUANTIZE", "DequantizeOptions", lambda view: {}),
    "expand_dims": ("EXPAND_DIMS", "ExpandDimsOptions", lambda view: {}),
    "squeeze": ("SQUEEZE", "SqueezeOptions", _squeeze),
    "padv2": ("PADV2", "PadV2Options", lambda view: {}),
    "reduce_max": ("REDUCE_MAX", "ReducerOptions", lambda view: dict(KeepDims=bool(view["keep_dims"]))),
    "space_to_batch": ("SPACE_TO_BATCH_ND", "SpaceToBatchNDOptions", lambda view: {}),
    "batch_to_space": ("BATCH_TO_SPACE_ND", "BatchToSpaceNDOptions", lambda view: {}),
    # Arithmetic on shapes: int32 tensors, which only a reshape reads.
    "shape": ("SHAPE", "ShapeOptions", lambda view: dict(OutType=tflite.TensorType.INT32)),
    "strided_slice": ("STRIDED_SLICE", "StridedSliceOptions", lambda view: dict(ShrinkAxisMask=1)),
    "pack": ("PACK", "PackOptions", lambda view: dict(ValuesCount=len(view.inputs), Axis=0)),
}
RELU = {"relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}


def _builtin(view: View) -> tuple[str, str | None, dict[str, Any]]:
    if view.node.op == "relu":
        return RELU[str(view.node.attrs["activation"])], None, {}
    name, table, options = BUILTIN[view.node.op]
    return name, table, options(view)


def builtin_name(view: View) -> str:
    """The operator as the file names it."""
    return _builtin(view)[0]


def _ints(view: View, attribute: str) -> list[int]:
    return [int(v) for v in str(view.node.attrs[attribute]).split(",")]


def _extra_inputs(view: View) -> tuple[Tensor, ...]:
    """What the node holds as an attribute and the file as one more constant input."""
    name = view.node.name
    if view.node.op in ("mean", "reduce_max"):
        return (_parameter(f"{name}/axes", _ints(view, "axes")),)
    if view.node.op == "expand_dims":
        return (_parameter(f"{name}/axis", [view["axis"]]),)
    if view.node.op == "pad":
        return (_pairs(f"{name}/pads", _ints(view, "pads")),)
    if view.node.op == "padv2":
        fill = np.full(1, view.x.q.zero_point, np.int8)
        value = Tensor(f"{name}/value", (1,), "int8", view.x.quant, data=fill)
        return (_pairs(f"{name}/pads", _ints(view, "pads")), value)
    if view.node.op in ("space_to_batch", "batch_to_space"):
        edges = "pads" if view.node.op == "space_to_batch" else "crops"
        return (_parameter(f"{name}/blocks", _ints(view, "blocks")), _pairs(f"{name}/{edges}", _ints(view, edges)))
    if view.node.op == "reshape" and len(view.inputs) == 1:
        return (_parameter(f"{name}/shape", view.out.shape),)
    return ()


def _pairs(name: str, values: Sequence[int]) -> Tensor:
    """Values before and after each axis."""
    return Tensor(name, (len(values) // 2, 2), "int32", data=np.asarray(values, np.int32).reshape(-1, 2))


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
    free = list(dict.fromkeys(t.name for t in view.inputs if t.data is None))
    return network([view], free, [t.name for t in view.outputs])


def network(views: Sequence[View], inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """The .tflite file of nodes in execution order; tensors of one name are one tensor.

    Args:
        inputs: names of the network's inputs.
        outputs: names of its outputs, in order.
    """
    b = flatbuffers.Builder(1024)
    operands = [(*view.inputs, *_extra_inputs(view)) for view in views]
    sources = {t.name: t for view, row in zip(views, operands, strict=True) for t in (*row, *view.outputs)}
    index = {name: i for i, name in enumerate(sources)}

    buffers, tables = [_table(b, "Buffer")], []
    for tensor in sources.values():
        slot = 0
        if tensor.data is not None:
            data = b.CreateByteVector(np.ascontiguousarray(tensor.data).tobytes())
            slot = len(buffers)
            buffers.append(_table(b, "Buffer", Data=data))
        tables.append(_tensor(b, tensor, slot))

    codes: dict[str, int] = {}  # builtin -> its place in the list of operator codes
    operators = [
        _operator(b, view, [index[t.name] for t in row], [index[t.name] for t in view.outputs], codes)
        for view, row in zip(views, operands, strict=True)
    ]
    parts = dict(Tensors=_offsets(b, tables), Operators=_offsets(b, operators))
    ends = dict(
        Inputs=_vector(b, [index[n] for n in inputs], "int32"), Outputs=_vector(b, [index[n] for n in outputs], "int32")
    )
    graph = _table(b, "SubGraph", **parts, **ends)
    code_tables = [_operator_code(b, builtin) for builtin in codes]
    lists = dict(OperatorCodes=_offsets(b, code_tables), Subgraphs=_offsets(b, [graph]), Buffers=_offsets(b, buffers))
    root = _table(b, "Model", Version=3, **lists)
    b.Finish(root, b"TFL3")
    return bytes(b.Output())


def _operator(
    b: flatbuffers.Builder, view: View, inputs: Sequence[int], outputs: Sequence[int], codes: dict[str, int]
) -> int:
    builtin, options_kind, options = _builtin(view)
    for key, value in options.items():
        if isinstance(value, list):
            options[key] = _vector(b, value, "int32")
    option_table = _table(b, options_kind, **options) if options_kind else None
    kind = getattr(tflite.BuiltinOptions, options_kind) if options_kind else None
    ends = dict(Inputs=_vector(b, inputs, "int32"), Outputs=_vector(b, outputs, "int32"))
    place = codes.setdefault(builtin, len(codes))
    return _table(b, "Operator", OpcodeIndex=place, **ends, BuiltinOptions=option_table, BuiltinOptionsType=kind)


def _operator_code(b: flatbuffers.Builder, builtin: str) -> int:
    number = getattr(tflite.BuiltinOperator, builtin)
    version = 1 if builtin in FIRST_VERSION else VERSION
    return _table(b, "OperatorCode", BuiltinCode=number, DeprecatedBuiltinCode=min(number, 127), Version=version)
