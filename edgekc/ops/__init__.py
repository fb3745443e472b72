"""The operators, one file each; this list is the registry.

A file holds `OP`, what the device computes, `SOURCE`, what source models are made of, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np

from ..errors import UnsupportedError
from ..graph.ir import Array, Node
from ..graph.op import OPERANDS, Lowered, Op, View
from ..graph.source import Filters, FloatHalf, SourceOp
from .shared.floats import activate

# The files below this folder, in the order in which tables list their operators.
FILES = """
conv2d depthwise fully_connected add mul average_pool max_pool mean reshape softmax pad lut concat
strided_copy moves take mirror_pad concat_const average_pool_half_up
relu logistic tanh curves quantize dequantize table phases
add_signed maximum squared_difference div prelu mul_deep mul_nearest mean_nearest compare select
packed.clustered_conv2d packed.clustered_fully_connected packed.template_conv2d packed.template_pairs_conv2d
packed.clustered_depthwise packed.template_depthwise packed.template_pairs_depthwise
grouped_conv2d packed.clustered_grouped_conv2d packed.template_grouped_conv2d packed.template_pairs_grouped_conv2d
 resize_nearest resize_bilinear resize_bilinear_unsigned transpose_conv sum reduce_max reduce_min reduce_prod
 packed.clustered_transpose_conv packed.template_transpose_conv packed.template_pairs_transpose_conv
 batch_matmul l2_normalize l2_normalize_unsigned arg_max arg_min top_k lookup embedding log_softmax lstm svdf
fully_connected_16x8 conv2d_16x8 pool_s16 add_s16 mul_s16 rescale_s16 mean_s16 sigmoid_s16 softmax_s16 lut_s16
binary_nearest_s16 average_pool_nearest lut_mean
transpose_conv_16x8 batch_matmul_s16
f32.softmax_f32 f32.unary_f32 f32.binary_f32 f32.quantize_f32
f32.reduce_f32 f32.l2_normalize_f32 f32.fully_connected_f32 f32.arg_max_f32
f32.conv2d_f32 f32.pool_f32 f32.batch_matmul_f32 f32.resize_bilinear_f32
f32.detection_postprocess f32.log_softmax_f32 f32.compare_f32 f32.top_k_f32
""".split()
MODULES = tuple(import_module(f".{name}", __name__) for name in FILES)
OPS: dict[str, Op] = {module.OP.name: module.OP for module in MODULES if hasattr(module, "OP")}
BY_CODE: dict[int, Op] = {op.code: op for op in OPS.values()}
_FOUND: list[tuple[SourceOp, ...]] = [
    getattr(m, "SOURCES", (m.SOURCE,) if hasattr(m, "SOURCE") else ()) for m in MODULES
]
SOURCES: dict[str, SourceOp] = {source.name: source for found in _FOUND for source in found}
LOWER: dict[str, Callable[[View], Lowered]] = {s.name: s.lower for s in SOURCES.values() if s.lower is not None}
# The same in float32: a source operator's lowering where it computes in float, and the user allows that.
IN_FLOAT: dict[str, Callable[[View], Lowered]] = {
    name: lower for module in MODULES for name, lower in getattr(module, "IN_FLOAT", {}).items()
}
OPERANDS.update({source.name: source.operands for source in SOURCES.values()})
OPERANDS.update({op.name: op.operands for op in OPS.values()})


def source_of(node: Node) -> SourceOp:
    """The record of a FLOAT or QUANTIZED node; one without any property where there is none."""
    return SOURCES.get(node.op) or SourceOp(node.op, lower=None)


def filters_of(node: Node) -> Filters | None:
    """Of a FLOAT or QUANTIZED node with weights; None: it has none, or they are packed."""
    return source_of(node).filters


def layer_filters(node: Node) -> Filters:
    """Of a FLOAT or QUANTIZED node that is known to have weights."""
    filters = filters_of(node)
    assert filters is not None, f"{node.op} has no filters"
    return filters


def floats_of(node: Node) -> FloatHalf:
    """Of a FLOAT node; UnsupportedError where it has no float definition."""
    floats = source_of(node).floats
    if floats is None:
        raise UnsupportedError(f"{node.op} has no float definition", where=node.name)
    return floats


def in_reals(view: View, operands: Sequence[Array]) -> Array:
    """A node's output in float32, (batch, *shape[1:]), from all its operands; UnsupportedError as `floats_of`."""
    return activate(floats_of(view.node).compute(view, operands), str(view.node.attrs.get("activation", "none")))


def function_of(view: View, x: Array) -> Array:
    """The float32 values of a node that maps each value by itself, correctly rounded from those in double precision."""
    return in_reals(view, [x.astype(np.float64)]).astype(np.float32)


def is_function(node: Node) -> bool:
    """Whether a node maps each value by itself, so that in int8 it is a table."""
    source = source_of(node)
    return source.becomes == "lut" and source.floats is not None and len(source.operands) == 1
