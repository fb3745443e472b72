"""What a .tflite file calls a QUANTIZED operator: its options, and the operands that nodes hold as attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tflite
from flatbuffers import flexbuffers

from ..graph.ir import Tensor
from ..graph.op import View
from . import recurrent_file

ACTIVATION = {
    "none": tflite.ActivationFunctionType.NONE,
    "relu": tflite.ActivationFunctionType.RELU,
    "relu6": tflite.ActivationFunctionType.RELU6,
    "relu_n1_to_1": tflite.ActivationFunctionType.RELU_N1_TO_1,
}


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


def _transpose_conv(view: View) -> dict[str, Any]:
    sizes = dict(StrideH=view["stride_h"], StrideW=view["stride_w"])
    back = [-(-view.out.shape[i + 1] // stride) for i, stride in enumerate(sizes.values())]
    padding = tflite.Padding.SAME if back == list(view.x.shape[1:3]) else tflite.Padding.VALID
    return dict(Padding=padding, FusedActivationFunction=_activation(view), **sizes)


def _pool(view: View) -> dict[str, Any]:
    sizes = dict(StrideH=view["stride_h"], StrideW=view["stride_w"])
    sizes.update(FilterHeight=view["filter_h"], FilterWidth=view["filter_w"])
    return dict(Padding=_padding(view), FusedActivationFunction=_activation(view), **sizes)


def _activated(view: View) -> dict[str, Any]:
    return dict(FusedActivationFunction=_activation(view))


def _squeeze(view: View) -> dict[str, Any]:
    return dict(SqueezeDims=[int(a) for a in str(view.node.attrs["axes"]).split(",")])


def _masks(view: View) -> dict[str, Any]:
    names = ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")
    keys = ("begin", "end", "ellipsis", "new_axis", "shrink")
    return {f"{name}Mask": view[f"{key}_mask"] for name, key in zip(names, keys, strict=True)}


def _block(view: View) -> dict[str, Any]:
    return dict(BlockSize=view["block"])


def _corners(view: View) -> dict[str, Any]:
    return dict(AlignCorners=bool(view["align_corners"]), HalfPixelCenters=bool(view["half_pixel_centers"]))


# Of TFLite_Detection_PostProcess: its options by the names of the node's attributes.
DETECTION = {
    "max_detections": "detections",
    "max_classes_per_detection": "categories",
    "detections_per_class": "per_class",
    "use_regular_nms": "regular",
    "num_classes": "classes",
    "nms_score_threshold": "least_score",
    "nms_iou_threshold": "most_overlap",
    **{f"{axis}_scale": f"{axis}_scale" for axis in "yxhw"},
}


def _detection(view: View) -> dict[str, Any]:
    """Options in a flexbuffer, as the converter writes them."""
    b = flexbuffers.Builder()
    with b.Map():
        for key, name in DETECTION.items():
            value = view.node.attrs.get(name)
            if name == "regular" and value is not None:
                b.Bool(key, bool(value))
            elif isinstance(value, int):
                b.Int(key, value)
            elif value is not None:
                b.Float(key, float(value))
    return dict(custom=bytes(b.Finish()))


VERSION = 2  # where int8 kernels came in, for most operators
FIRST_VERSION = (
    "RESHAPE",
    "RELU_N1_TO_1",
    "EXPAND_DIMS",
    "SQUEEZE",
    "SHAPE",
    "STRIDED_SLICE",
    "PACK",
    "HARD_SWISH",
    "NEG",
    "ELU",
    "SIN",
    "COS",
    "CALL_ONCE",
    "VAR_HANDLE",
    "READ_VARIABLE",
    "ASSIGN_VARIABLE",
    "DEPTH_TO_SPACE",
    "CAST",
    "PRELU",
    "ADD_N",
    "SQUARE",
    "SELECT",
    "SELECT_V2",
    "LOGICAL_AND",
    "LOGICAL_OR",
    "LOGICAL_NOT",
    "REDUCE_ANY",
    "REDUCE_ALL",
    "RELU_0_TO_1",
    "ONE_HOT",
    "FLOOR",
    "CEIL",
    "ROUND",
    "POW",
    "ZEROS_LIKE",
    "SIGN",
    "CUMSUM",
)  # have no second
# Without an int8 kernel: LiteRT is given DEQUANTIZE, the operator in float, and QUANTIZE.
IN_FLOAT = ("SIN", "COS", "SQUARE", "FLOOR", "CEIL", "ROUND")
# Missing among LiteRT's reference kernels: its other ones are the oracle, and random networks have none.
NO_REFERENCE = ("ELU", "CEIL", "ROUND")

WRONG_REFERENCE = ("sum",)  # its int8 reference kernel reads bytes as uint8: the optimised one is the definition

# Their files have variable tensors, which these modules write.
WITH_STATE = {"sequence_lstm": "recurrent", "memory_filters": "memory_filters"}

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
    "sub": ("SUB", "SubOptions", _activated),
    "div": ("DIV", "DivOptions", _activated),
    "maximum": ("MAXIMUM", "MaximumMinimumOptions", lambda view: {}),
    "minimum": ("MINIMUM", "MaximumMinimumOptions", lambda view: {}),
    "squared_difference": ("SQUARED_DIFFERENCE", "SquaredDifferenceOptions", lambda view: {}),
    "prelu": ("PRELU", None, lambda view: {}),
    "square": ("SQUARE", "SquareOptions", lambda view: {}),
    "pow": ("POW", "PowOptions", lambda view: {}),
    "zeros_like": ("ZEROS_LIKE", "ZerosLikeOptions", lambda view: {}),
    "sign": ("SIGN", None, lambda view: {}),
    "cumsum": (
        "CUMSUM",
        "CumsumOptions",
        lambda view: dict(Exclusive=bool(view["exclusive"]), Reverse=bool(view["reverse"])),
    ),
    "add_n": ("ADD_N", "AddNOptions", lambda view: {}),
    "average_pool": ("AVERAGE_POOL_2D", "Pool2DOptions", _pool),
    "max_pool": ("MAX_POOL_2D", "Pool2DOptions", _pool),
    **{
        op: (op.upper(), "ReducerOptions", lambda view: dict(KeepDims=bool(view["keep_dims"])))
        for op in ("mean", "sum", "reduce_max", "reduce_min", "reduce_prod")
    },
    "reshape": ("RESHAPE", None, lambda view: {}),
    "softmax": ("SOFTMAX", "SoftmaxOptions", lambda view: dict(Beta=view.node.attrs["beta"])),
    "pad": ("PAD", "PadOptions", lambda view: {}),
    "logistic": ("LOGISTIC", None, lambda view: {}),
    "tanh": ("TANH", None, lambda view: {}),
    **{op: (op.upper(), None, lambda view: {}) for op in ("relu_0_to_1", "floor", "ceil", "round")},
    "elu": ("ELU", None, lambda view: {}),
    "leaky_relu": ("LEAKY_RELU", "LeakyReluOptions", lambda view: dict(Alpha=view.node.attrs["alpha"])),
    "hard_swish": ("HARD_SWISH", "HardSwishOptions", lambda view: {}),
    "gelu": ("GELU", "GeluOptions", lambda view: dict(Approximate=bool(view["approximate"]))),
    "exp": ("EXP", "ExpOptions", lambda view: {}),
    "log": ("LOG", None, lambda view: {}),
    "abs": ("ABS", "AbsOptions", lambda view: {}),
    "neg": ("NEG", "NegOptions", lambda view: {}),
    "sqrt": ("SQRT", None, lambda view: {}),
    "rsqrt": ("RSQRT", None, lambda view: {}),
    "sin": ("SIN", None, lambda view: {}),
    "cos": ("COS", "CosOptions", lambda view: {}),
    "detection_postprocess": ("CUSTOM TFLite_Detection_PostProcess", None, _detection),
    "quantize": ("QUANTIZE", "QuantizeOptions", lambda view: {}),
    "concat": ("CONCATENATION", "ConcatenationOptions", lambda view: dict(**_activated(view), Axis=view["axis"])),
    "transpose_conv": ("TRANSPOSE_CONV", "TransposeConvOptions", _transpose_conv),
    "arg_max": ("ARG_MAX", "ArgMaxOptions", lambda view: dict(OutputType=tflite.TensorType.INT32)),
    "arg_min": ("ARG_MIN", "ArgMinOptions", lambda view: dict(OutputType=tflite.TensorType.INT32)),
    "top_k": ("TOPK_V2", "TopKV2Options", lambda view: {}),
    "log_softmax": ("LOG_SOFTMAX", "LogSoftmaxOptions", lambda view: {}),
    "l2_normalize": ("L2_NORMALIZATION", "L2NormOptions", lambda view: {}),
    "batch_matmul": (
        "BATCH_MATMUL",
        "BatchMatMulOptions",
        lambda view: dict(AdjX=bool(view["adj_x"]), AdjY=bool(view["adj_y"])),
    ),
    "dynamic_fully_connected": (
        "FULLY_CONNECTED",
        "FullyConnectedOptions",
        lambda view: dict(**_activated(view), KeepNumDims=len(view.out.shape) > 2),
    ),
    "sequence_lstm": ("UNIDIRECTIONAL_SEQUENCE_LSTM", None, lambda view: {}),
    "memory_filters": ("SVDF", None, lambda view: {}),
    "resize_bilinear": ("RESIZE_BILINEAR", "ResizeBilinearOptions", _corners),
    "resize_nearest": ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", _corners),
    # What files have, and the importer turns into other operators.
    "dequantize": ("DEQUANTIZE", "DequantizeOptions", lambda view: {}),
    "expand_dims": ("EXPAND_DIMS", "ExpandDimsOptions", lambda view: {}),
    "squeeze": ("SQUEEZE", "SqueezeOptions", _squeeze),
    "padv2": ("PADV2", "PadV2Options", lambda view: {}),
    "space_to_batch": ("SPACE_TO_BATCH_ND", "SpaceToBatchNDOptions", lambda view: {}),
    "batch_to_space": ("BATCH_TO_SPACE_ND", "BatchToSpaceNDOptions", lambda view: {}),
    # Arithmetic on shapes: int32 tensors, which only a reshape reads.
    "fill": ("FILL", "FillOptions", lambda view: {}),
    "shape": ("SHAPE", "ShapeOptions", lambda view: dict(OutType=tflite.TensorType.INT32)),
    "strided_slice": (
        "STRIDED_SLICE",
        "StridedSliceOptions",
        lambda view: {} if "begins" in view.node.attrs else dict(ShrinkAxisMask=1),
    ),
    "pack": (
        "PACK",
        "PackOptions",
        lambda view: dict(ValuesCount=len(view.inputs), Axis=view.node.attrs.get("axis", 0)),
    ),
    # Moves.
    "transpose": ("TRANSPOSE", "TransposeOptions", lambda view: {}),
    "masked_slice": ("STRIDED_SLICE", "StridedSliceOptions", _masks),
    "slice": ("SLICE", "SliceOptions", lambda view: {}),
    "reverse": ("REVERSE_V2", "ReverseV2Options", lambda view: {}),
    "split": ("SPLIT", "SplitOptions", lambda view: dict(NumSplits=len(view.outputs))),
    "split_v": ("SPLIT_V", "SplitVOptions", lambda view: dict(NumSplits=len(view.outputs))),
    "unpack": ("UNPACK", "UnpackOptions", lambda view: dict(Num=len(view.outputs), Axis=view["axis"])),
    "tile": ("TILE", "TileOptions", lambda view: {}),
    "broadcast_to": ("BROADCAST_TO", "BroadcastToOptions", lambda view: {}),
    "depth_to_space": ("DEPTH_TO_SPACE", "DepthToSpaceOptions", _block),
    "space_to_depth": ("SPACE_TO_DEPTH", "SpaceToDepthOptions", _block),
    "take": ("GATHER", "GatherOptions", lambda view: dict(Axis=view["axis"])),
    "take_in_batches": (
        "GATHER",
        "GatherOptions",
        lambda view: dict(Axis=view["axis"], BatchDims=view["batch_dims"]),
    ),
    "lookup": ("GATHER", "GatherOptions", lambda view: dict(Axis=0)),
    "embedding_lookup": ("EMBEDDING_LOOKUP", None, lambda view: {}),
    "one_hot": ("ONE_HOT", "OneHotOptions", lambda view: dict(Axis=-1)),
    "gather_nd": ("GATHER_ND", "GatherNdOptions", lambda view: {}),
    "mirror_pad": (
        "MIRROR_PAD",
        "MirrorPadOptions",
        lambda view: dict(Mode=("reflect", "symmetric").index(str(view.node.attrs["mode"]))),
    ),
    "pad_with": ("PADV2", "PadV2Options", lambda view: {}),
    "concat_const": ("CONCATENATION", "ConcatenationOptions", lambda view: dict(Axis=view["axis"])),
    "cast": ("CAST", "CastOptions", lambda view: {}),
    # Comparisons, and what is computed of their answers.
    "select": ("SELECT_V2", "SelectV2Options", lambda view: {}),
    "select_whole": ("SELECT", "SelectOptions", lambda view: {}),
    **{f"logical_{op}": (f"LOGICAL_{op.upper()}", None, lambda view: {}) for op in ("and", "or", "not")},
    **{
        op: (op.upper(), "ReducerOptions", lambda view: dict(KeepDims=bool(view["keep_dims"])))
        for op in ("reduce_any", "reduce_all")
    },
    **recurrent_file.BUILTIN,
    "concat_any": ("CONCATENATION", "ConcatenationOptions", lambda view: dict(Axis=view["axis"])),
}
RELU = {"relu": "RELU", "relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"}


def builtin(view: View) -> tuple[str, str | None, dict[str, Any]]:
    if view.node.op == "relu":
        return RELU[str(view.node.attrs["activation"])], None, {}
    if view.node.op == "compare":
        return str(view.node.attrs["relation"]).upper(), None, {}
    name, table, options = BUILTIN[view.node.op]
    return name, table, options(view)


def builtin_name(view: View) -> str:
    """The operator as the file names it."""
    return builtin(view)[0]


def _ints(view: View, attribute: str) -> list[int]:
    return [int(v) for v in str(view.node.attrs[attribute]).split(",")]


def extra_inputs(view: View) -> tuple[Tensor, ...]:
    """What the node holds as an attribute and the file as one more constant input."""
    name = view.node.name
    if view.node.op in ("mean", "sum", *(f"reduce_{op}" for op in ("max", "min", "prod", "any", "all"))):
        return (_parameter(f"{name}/axes", _ints(view, "axes")),)
    if view.node.op.startswith("resize_"):
        return (_parameter(f"{name}/size", view.out.shape[1:3]),)
    if view.node.op in ("arg_max", "arg_min"):
        return (_parameter(f"{name}/axis", [view["axis"]]),)
    if view.node.op == "top_k":
        return (Tensor(f"{name}/k", (), "int32", data=np.array(view["count"], np.int32)),)
    if view.node.op == "expand_dims":
        return (_parameter(f"{name}/axis", [view["axis"]]),)
    if view.node.op in ("pad", "mirror_pad"):
        return (_pairs(f"{name}/pads", _ints(view, "pads")),)
    if view.node.op == "padv2":
        zeros = np.full(1, view.x.q.zero_point if view.x.quant else 0, view.x.dtype)
        value = Tensor(f"{name}/value", (1,), view.x.dtype, view.x.quant, data=zeros)
        return (_pairs(f"{name}/pads", _ints(view, "pads")), value)
    if view.node.op == "pad_with":
        fill, kind = float(view.node.attrs["value"]), view.x.dtype
        if kind == "int8":
            fill = round(fill / view.x.q.scale) + view.x.q.zero_point
        value = Tensor(f"{name}/value", (1,), kind, view.x.quant, data=np.full(1, fill, kind))
        return (_pairs(f"{name}/pads", _ints(view, "pads")), value)
    if view.node.op in ("space_to_batch", "batch_to_space"):
        edges = "pads" if view.node.op == "space_to_batch" else "crops"
        return (_parameter(f"{name}/blocks", _ints(view, "blocks")), _pairs(f"{name}/{edges}", _ints(view, edges)))
    if view.node.op == "reshape" and len(view.inputs) == 1:
        return (_parameter(f"{name}/shape", view.out.shape),)
    return ()


def _vectors(view: View) -> dict[str, list[int]]:
    """Lists that the file has as one more input each, in their order."""
    op = view.node.op
    if op == "strided_slice" and "begins" in view.node.attrs:
        begins, sizes, steps = (_ints(view, key) for key in ("begins", "sizes", "strides"))
        ends = [begin + size * step for begin, size, step in zip(begins, sizes, steps, strict=True)]
        ends = [end if end >= 0 else -d - 1 for end, d in zip(ends, view.x.shape, strict=True)]
        return dict(begin=begins, end=ends, strides=steps)
    if op == "broadcast_to":
        return dict(shape=list(view.out.shape))
    keys = {
        "transpose": ["perm"],
        "masked_slice": ["begin", "end", "strides"],
        "slice": ["begins", "sizes"],
        "reverse": ["axes"],
        "split_v": ["sizes"],
        "tile": ["repeats"],
    }
    return {key: _ints(view, key) for key in keys.get(op, [])}


def inputs_of(view: View) -> tuple[Tensor, ...]:
    """All inputs in the file's order."""
    name = view.node.name
    if view.node.op in recurrent_file.KEEPING:
        return recurrent_file.operands_of(view)
    if view.node.op == "concat_const" and view["first"]:
        return view.inputs[::-1]
    if view.node.op == "lookup":
        return view.inputs[::-1]
    if view.node.op == "transpose_conv":
        x, *constants = view.inputs
        return (_parameter(f"{name}/shape", view.out.shape), constants[0], x, *constants[1:])
    lists = tuple(_parameter(f"{name}/{key}", values) for key, values in _vectors(view).items())
    if view.node.op in ("split", "split_v"):
        axis = Tensor(f"{name}/axis", (), "int32", data=np.array(view["axis"], np.int32))
        return (axis, *view.inputs) if view.node.op == "split" else (*view.inputs, *lists, axis)
    return (*view.inputs, *lists, *extra_inputs(view))


def _pairs(name: str, values: Sequence[int]) -> Tensor:
    """Values before and after each axis."""
    return Tensor(name, (len(values) // 2, 2), "int32", data=np.asarray(values, np.int32).reshape(-1, 2))
