"""The operators that PyTorch and ONNX share, each from the source's terms (NCHW) to nodes of the graph (NHWC).

Kernels have height and width. What the source has in one dimension, (n, c, w), lies in memory as (n, 1, w, c): taking
it for an image of one row moves nothing and costs nothing.
"""

from __future__ import annotations

from .attention import attention, cumulative, einsum, layer_norm, log_sum_exp, matmul, normalized
from .elements import (
    binary,
    clamp,
    elu,
    hard_sigmoid,
    hard_swish,
    mish,
    number,
    power,
    prelu,
    silu,
    softplus,
    softsign,
    unary,
)
from .layers import across_channels, affine, batch_norm, conv, conv_transpose, fully_connected, local_response
from .logic import compare, embedding, logical_and, logical_not, logical_or, sign, top_k, truth_of, where
from .moves import concat, depth_to_space, expand, pad, reshape, space_to_depth, strided, take, tile, transpose
from .recurrent import Cell, gru, lstm, rnn, rows_of, sequence_of
from .reductions import arg, l2_normalize, log_softmax, mean, reduce, softmax
from .spatial import Pads, Pair, adaptive_pool, global_pool, pool, resize
from .writes import write

__all__ = [
    "Cell", "Pads", "Pair", "across_channels", "adaptive_pool", "affine", "arg", "attention", "batch_norm",
    "binary", "clamp", "compare", "concat", "conv", "conv_transpose", "cumulative", "depth_to_space", "einsum", "elu",
    "embedding", "expand", "fully_connected", "global_pool", "gru", "hard_sigmoid", "hard_swish", "l2_normalize",
    "layer_norm", "local_response", "log_softmax", "log_sum_exp", "logical_and", "logical_not", "logical_or", "lstm",
    "matmul", "mean", "mish", "normalized", "number", "pad", "pool", "power", "prelu", "reduce", "reshape", "resize",
    "rnn", "rows_of", "sequence_of", "sign", "silu", "softmax", "softplus", "softsign", "space_to_depth", "strided",
    "take", "tile", "top_k", "transpose", "truth_of", "unary", "where", "write",
]  # fmt: skip
