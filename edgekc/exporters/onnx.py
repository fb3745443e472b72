"""An INTEGER graph to ONNX, in one of two forms.

QDQ: int8 tensors between QuantizeLinear and DequantizeLinear, as other tools read them. The integers are those of the
graph to within one level for each layer: ONNX rounds halves to even, and computes in float between the two.
Exact: layers compute in integers of 64 bits, and give the integers of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import ToolError, UnsupportedError
from ..graph.ir import Graph
from ..graph.op import View, view_of
from ..ops import OPS
from . import exact as integers
from . import qdq
from .writer import Writer

W = TypeVar("W", bound=Writer)


def to_onnx(graph: Graph, *, exact: bool = False) -> bytes:
    """The model as the bytes of a .onnx file; inputs and outputs are those of the graph, NHWC and in its types.

    Args:
        exact: in integers of 64 bits, so that a runtime gives the same bits.

    Raises:
        UnsupportedError: an operator or a type has no form in ONNX here; says the layer.
        ToolError: the package onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise ToolError("writing ONNX needs the package onnx", fix="pip install 'edgekc[onnx]'") from None
    if graph.states:
        raise UnsupportedError("a network with a state has no form in ONNX here", where=graph.name)
    if exact:
        return _written(integers.Whole(onnx, graph), integers.WRITERS)
    return _written(qdq.Quantising(onnx, graph), qdq.WRITERS)


def _written(writer: W, writers: Mapping[str, Callable[[W, View], None]]) -> bytes:
    graph = writer.graph
    for name in graph.inputs:
        writer.take_input(name)
    for node in graph.nodes:
        write = writers.get(OPS[node.op].packs or node.op)
        dtypes = {t.dtype for t in graph.of((*node.inputs, *node.outputs)) if t.data is None}
        if write is None or dtypes != {"int8"}:
            what = f"{node.op} of {' and '.join(sorted(dtypes))}"
            raise UnsupportedError(f"{what} has no form in ONNX here", where=node.name)
        write(writer, view_of(graph, node))
    for name in graph.outputs:
        writer.give_output(name)
    return writer.bytes()


def supported() -> tuple[str, ...]:
    """Operators of an INTEGER graph that can be written, and those that hold their weights in another form."""
    return tuple(name for name, op in OPS.items() if (op.packs or name) in qdq.WRITERS)
