"""An INTEGER graph to the bytes of an .ekc file, and back under checks; docs/format.md is the specification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import EdgekcError, FormatError, ModelError
from ..graph.ir import Graph, Stage
from ..ops import legal
from . import container, encode
from .container import Section
from .decode import decode


@dataclass(frozen=True, slots=True)
class Packed:
    """What an .ekc file holds, checked: the graph, the sections, and where its constants lie."""

    graph: Graph
    sections: tuple[Section, ...]  # in file order
    offsets: Mapping[str, tuple[int, int]]  # constant name -> (bytes from file start, stored bytes)


def pack(graph: Graph) -> bytes:
    """The one file that holds this graph; the same graph gives the same bytes on every machine.

    Kept: nodes, constants, shapes, names, metadata, quantisation of the graph's inputs and outputs. Dropped:
    tensors that nothing uses, and the quantisation of all others, which the nodes' integers already express.
    """
    if graph.stage is not Stage.INTEGER:
        raise ModelError(f"only an integer graph can be packed, not a {graph.stage.value} one", where=graph.name)
    legal.check(graph)
    return container.join(encode.bodies(graph))


def unpack(data: bytes, where: str) -> Graph:
    """The graph of an .ekc file; FormatError, and nothing else, where it is not exactly what `pack` writes."""
    return read(data, where).graph


def read(data: bytes, where: str) -> Packed:
    """Everything in an .ekc file, all of it checked; `where` names the file in errors."""
    sections = container.split(data, where)
    decoded = decode(data, sections, where)
    try:
        legal.check(decoded.graph)
    except EdgekcError as error:
        raise FormatError(f"the graph is not legal: {error}", where=where) from error
    return Packed(decoded.graph, sections, decoded.offsets)
