"""The options of operators that handlers read."""

from __future__ import annotations

from collections.abc import Mapping

# Builtin operator -> the fields of its table that are read, each with its number in the schema
# of TensorFlow Lite, what `struct` calls its type, and the value that it has where the file leaves it out.
_Fields = Mapping[str, tuple[int, str, int]]
_PADDING, _STRIDES = (0, "b", 0), {"StrideW": (1, "i", 0), "StrideH": (2, "i", 0)}
_POOL: _Fields = {
    "Padding": _PADDING,
    **_STRIDES,
    "FilterWidth": (3, "i", 0),
    "FilterHeight": (4, "i", 0),
    "FusedActivationFunction": (5, "b", 0),
}
_ACTIVATION: _Fields = {"FusedActivationFunction": (0, "b", 0)}
_SUM: _Fields = {**_ACTIVATION, "PotScaleInt16": (1, "?", 1)}
_REDUCER: _Fields = {"KeepDims": (0, "?", 0)}
OPTIONS: Mapping[str, _Fields] = {
    "CONV_2D": {
        "Padding": _PADDING,
        **_STRIDES,
        "FusedActivationFunction": (3, "b", 0),
        "DilationWFactor": (4, "i", 1),
        "DilationHFactor": (5, "i", 1),
    },
    "DEPTHWISE_CONV_2D": {
        "Padding": _PADDING,
        **_STRIDES,
        "FusedActivationFunction": (4, "b", 0),
        "DilationWFactor": (5, "i", 1),
        "DilationHFactor": (6, "i", 1),
    },
    "TRANSPOSE_CONV": {"Padding": _PADDING, **_STRIDES, "FusedActivationFunction": (3, "b", 0)},
    "FULLY_CONNECTED": {**_ACTIVATION, "WeightsFormat": (1, "b", 0), "KeepNumDims": (2, "?", 0)},
    "ADD": _SUM,
    "MUL": _ACTIVATION,
    "SUB": _SUM,
    "DIV": _ACTIVATION,
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCER,
    "SUM": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "REDUCE_ANY": _REDUCER,
    "REDUCE_ALL": _REDUCER,
    "L2_NORMALIZATION": _ACTIVATION,
    "CUMSUM": {"Exclusive": (0, "?", 0), "Reverse": (1, "?", 0)},
    "BATCH_MATMUL": {"AdjX": (0, "?", 0), "AdjY": (1, "?", 0)},
    "RESIZE_BILINEAR": {"AlignCorners": (2, "?", 0), "HalfPixelCenters": (3, "?", 0)},
    "RESIZE_NEAREST_NEIGHBOR": {"AlignCorners": (0, "?", 0), "HalfPixelCenters": (1, "?", 0)},
    "STRIDED_SLICE": {
        "BeginMask": (0, "i", 0),
        "EndMask": (1, "i", 0),
        "EllipsisMask": (2, "i", 0),
        "NewAxisMask": (3, "i", 0),
        "ShrinkAxisMask": (4, "i", 0),
        "Offset": (5, "?", 0),
    },
    "PACK": {"Axis": (1, "i", 0)},
    "SPLIT": {"NumSplits": (0, "i", 0)},
    "UNPACK": {"Axis": (1, "i", 0)},
    "MIRROR_PAD": {"Mode": (0, "b", 0)},
    "DEPTH_TO_SPACE": {"BlockSize": (0, "i", 0)},
    "SPACE_TO_DEPTH": {"BlockSize": (0, "i", 0)},
    "GATHER": {"Axis": (0, "i", 0), "BatchDims": (1, "i", 0)},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {
        **_ACTIVATION,
        "CellClip": (1, "f", 0),
        "TimeMajor": (3, "?", 0),
        "DiagonalRecurrentTensors": (5, "?", 0),
    },
    "ONE_HOT": {"Axis": (0, "i", 0)},
    "SVDF": {"Rank": (0, "i", 0), "FusedActivationFunction": (1, "b", 0)},
    "LEAKY_RELU": {"Alpha": (0, "f", 0)},
    "GELU": {"Approximate": (0, "?", 0)},
    "SOFTMAX": {"Beta": (0, "f", 0)},
    "WHILE": {"CondSubgraphIndex": (0, "i", 0), "BodySubgraphIndex": (1, "i", 0)},
    "CONCATENATION": {"Axis": (0, "i", 0), "FusedActivationFunction": (1, "b", 0)},
}
CUSTOM = ("CUSTOM TFLite_Detection_PostProcess",)  # whose options are a flexbuffer
