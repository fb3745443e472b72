"""Which types the activations of an operator may have in an int8 file, by what TensorFlow Lite calls it."""

from __future__ import annotations

from collections.abc import Mapping

_PLACES = ("int32", "int64")
_RELATIONS = ("LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL")
_CHOICES = ("SELECT", "SELECT_V2")
_FLOAT_ALONE = ("POW", "ADD_N", "ZEROS_LIKE", "SIGN", "CUMSUM")
_DETECTION = "CUSTOM TFLite_Detection_PostProcess"
_INPUTS: Mapping[str, tuple[str, ...]] = {
    "QUANTIZE": ("int8", "uint8", "int16", "float32"),
    "DEQUANTIZE": ("int8", "uint8", "int16"),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN", "TOPK_V2", _DETECTION, *_RELATIONS, *_CHOICES), ("int8", "float32")),
    **dict.fromkeys(_FLOAT_ALONE, ("float32",)),
}
_OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "QUANTIZE": ("int8", "uint8", "int16"),
    "DEQUANTIZE": ("float32",),
    **dict.fromkeys(_FLOAT_ALONE, ("float32",)),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _PLACES),
    _DETECTION: ("float32",),
    **dict.fromkeys(("CAST", *_CHOICES), ("int8", "float32")),
    "TOPK_V2": ("int8", "int32", "float32"),
}
_MOVES = frozenset(
    """
RESHAPE EXPAND_DIMS SQUEEZE PAD PADV2 CONCATENATION PACK TRANSPOSE STRIDED_SLICE SLICE REVERSE_V2 SPLIT SPLIT_V UNPACK
TILE BROADCAST_TO GATHER RESIZE_NEAREST_NEIGHBOR MIRROR_PAD
""".split()
)
# What takes int16, and gives it.
_WIDE = _MOVES | frozenset(
    """
FULLY_CONNECTED CONV_2D DEPTHWISE_CONV_2D AVERAGE_POOL_2D MAX_POOL_2D ADD SUB MUL MEAN RELU RELU6 LEAKY_RELU
LOGISTIC TANH SOFTMAX TRANSPOSE_CONV BATCH_MATMUL SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND
""".split()
)
# A converter leaves a function that has no int8 kernel in float, between DEQUANTIZE and QUANTIZE.
_FUNCTIONS = frozenset(
    """
RELU RELU6 RELU_N1_TO_1 LOGISTIC TANH ELU LEAKY_RELU HARD_SWISH GELU EXP LOG ABS NEG SQRT RSQRT SIN COS SQUARE
RELU_0_TO_1 FLOOR CEIL ROUND
""".split()
)
# What int8 files may have in float.
_IN_FLOAT = _MOVES | _FUNCTIONS.union(
    """
SOFTMAX ADD SUB MUL DIV MAXIMUM MINIMUM SQUARED_DIFFERENCE MEAN SUM REDUCE_MAX REDUCE_MIN L2_NORMALIZATION
FULLY_CONNECTED DEPTH_TO_SPACE SPACE_TO_DEPTH CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV AVERAGE_POOL_2D MAX_POOL_2D
PRELU BATCH_MATMUL REDUCE_PROD SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND RESIZE_BILINEAR
LOG_SOFTMAX
""".split()
)
CONSTANTS = ("int8", "uint8", "int16", "int32", "int64", "float16", "float32", "float64", "bool")  # numpy's names too


def of_inputs(builtin: str) -> tuple[str, ...]:
    return _INPUTS.get(builtin, _usual(builtin))


def of_outputs(builtin: str) -> tuple[str, ...]:
    return _OUTPUTS.get(builtin, _usual(builtin))


def one_of(builtin: str) -> tuple[str, ...]:
    """Those of an operator whose first input and output have one type; empty where they need not."""
    return _usual(builtin) if builtin in _WIDE | _IN_FLOAT else ()


def _usual(builtin: str) -> tuple[str, ...]:
    return ("int8", *["int16"] * (builtin in _WIDE), *["float32"] * (builtin in _IN_FLOAT))
