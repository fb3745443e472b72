"""Turns SPACE_TO_BATCH_ND, a convolution and BATCH_TO_SPACE_ND into one dilated convolution.

TensorFlow computes a dilated convolution by dealing the pixels out to several images, one per phase, and
convolving each. The converter undoes that only where the batch size is fixed.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import UnsupportedError
from ..graph.ir import Graph, Node, Tensor, consumers, prune
from ..ops import filters_of, source_of


def run(graph: Graph) -> tuple[Graph, list[str]]:
    """Exact because both compute the same sums: what is dealt out are pixels, and padding is the zero point.

    Raises:
        UnsupportedError: either operator in any other place.
    """
    notes = []
    for first in graph.nodes:
        if first.op == "space_to_batch":
            graph, conv = _fold(graph, first)
            notes.append(f"{first.name}: folded into the dilation of {conv}, the same sums")
    for node in graph.nodes:
        if node.op == "batch_to_space":
            raise _unsupported(node)
    return prune(graph), notes


def _unsupported(node: Node) -> UnsupportedError:
    return UnsupportedError(
        f"{node.op.upper()}_ND that is not one half of a dilated convolution; supported: those around a "
        "convolution of stride 1 without padding, with the same scale before and after",
        where=node.name,
        fix="convert the model with a fixed batch size of 1",
    )


def _only_reader(graph: Graph, name: str) -> Node | None:
    readers = consumers(graph)[name]
    return readers[0] if len(readers) == 1 and name not in graph.sinks else None


def _chain(graph: Graph, first: Node) -> list[Node]:
    """From SPACE_TO_BATCH_ND to BATCH_TO_SPACE_ND; a convolution of sequences has reshapes in between."""
    chain = [first]
    while chain[-1].op != "batch_to_space":
        reader = _only_reader(graph, chain[-1].outputs[0])
        if reader is None or len(chain) > 4 or reader.inputs[0] != chain[-1].outputs[0]:
            raise _unsupported(first)
        chain.append(reader)
    inner = [n for n in chain[1:-1] if not source_of(n).view]
    if len(inner) != 1 or not _slides(inner[0]):
        raise _unsupported(first)
    return chain


def _slides(node: Node) -> bool:
    filters = filters_of(node)
    return filters is not None and filters.window and not filters.transposed


def _fold(graph: Graph, first: Node) -> tuple[Graph, str]:
    chain = _chain(graph, first)
    last, conv = chain[-1], next(n for n in chain if _slides(n))
    x, y = graph.tensors[first.inputs[0]], graph.tensors[last.outputs[0]]
    if last.attrs["blocks"] != first.attrs["blocks"]:
        raise _unsupported(first)
    blocks = [int(v) for v in str(first.attrs["blocks"]).split(",")]
    pads = [int(v) for v in str(first.attrs["pads"]).split(",")]
    crops = [int(v) for v in str(last.attrs["crops"]).split(",")]
    amounts = [pad - crop for pad, crop in zip(pads, crops, strict=True)]
    own = ("pad_top", "pad_bottom", "pad_left", "pad_right")
    plain = all(conv.int_attr(f"{k}_{axis}") == 1 for k in ("stride", "dilation") for axis in ("h", "w"))
    same_quant = x.quant == graph.tensors[first.outputs[0]].quant and y.quant == graph.tensors[last.inputs[0]].quant
    if (
        not plain or not same_quant or min(amounts) < 0 or any(conv.int_attr(k) for k in own)
        or not _seen_as_dealt(graph, first, conv, last)
    ):  # fmt: skip
        raise _unsupported(first)
    blocks, amounts = ([1] * (2 - len(blocks))) + blocks, [0] * (4 - len(amounts)) + amounts
    attrs = {**conv.attrs, "dilation_h": blocks[0], "dilation_w": blocks[1], **dict(zip(own, amounts, strict=True))}

    tensors, nodes = dict(graph.tensors), []
    source, sink = x.name, y.name
    if len(x.shape) == 3:  # a sequence is an image of one row
        source, sink = f"{conv.name}_image", f"{conv.name}_dilated"
        tensors[source] = Tensor(source, (x.shape[0], 1, *x.shape[1:]), x.dtype, x.quant)
        tensors[sink] = Tensor(sink, (y.shape[0], 1, *y.shape[1:]), y.dtype, y.quant)
        nodes.append(Node("reshape", source, (x.name,), (source,), {}))
    nodes.append(replace(conv, inputs=(source, *conv.inputs[1:]), outputs=(sink,), attrs=attrs))
    if sink != y.name:
        nodes.append(Node("reshape", last.name, (sink,), (y.name,), {}))
    gone = {n.name for n in chain}
    return replace(graph, tensors=tensors, nodes=_spliced(graph, gone, last, nodes)), conv.name


def _seen_as_dealt(graph: Graph, first: Node, conv: Node, last: Node) -> bool:
    """The convolution works on (phases, height, width, channels); on a sequence, as images of one row."""

    def as_image(name: str) -> tuple[int, ...]:
        shape = graph.tensors[name].shape
        return shape if len(shape) == 4 else (shape[0], 1, *shape[1:])

    before, after = graph.tensors[conv.inputs[0]].shape, graph.tensors[conv.outputs[0]].shape
    return before == as_image(first.outputs[0]) and after == as_image(last.inputs[0])


def _spliced(graph: Graph, gone: set[str], last: Node, nodes: list[Node]) -> tuple[Node, ...]:
    """The nodes without those `gone`; the new ones stand where the last of them stood."""
    out: list[Node] = []
    for node in graph.nodes:
        if node.name == last.name:
            out += nodes
        elif node.name not in gone:
            out.append(node)
    return tuple(out)
