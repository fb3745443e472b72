"""The bytes of an .ekc file to what `edgekc inspect` shows, as JSON and as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from .. import tables
from ..graph.bits import index_bits
from ..graph.ir import Graph, Node, Role, Tensor
from ..graph.op import view_of
from ..ops import OPS
from ..terminal import lines, styled
from . import fields
from .pack import Packed, read

SCHEMA = 1  # raised when a key of the JSON changes its meaning or goes away; new keys do not raise it


def report(data: bytes, where: str) -> dict[str, Any]:
    """Everything that a file says about itself, in a stable order, ready for JSON."""
    packed = read(data, where)
    graph = packed.graph
    _, major, minor, *_ = fields.HEADER_STRUCT.unpack_from(data)
    layers = [_layer(i, node, packed) for i, node in enumerate(graph.nodes)]
    stored = sum(nbytes for _, nbytes in packed.offsets.values())
    return {
        "schema": SCHEMA,
        "format": f"{major}.{minor}",
        "name": graph.name,
        "file_bytes": len(data),
        "constant_bytes": stored,
        "overhead_bytes": len(data) - stored,
        "macs": sum(layer["macs"] for layer in layers),
        "sections": [{"kind": s.kind.name.lower(), "offset": s.offset, "bytes": s.nbytes} for s in packed.sections],
        "inputs": [_edge(graph.tensors[n]) for n in graph.inputs],
        "outputs": [_edge(graph.tensors[n]) for n in graph.outputs],
        **(_states(graph) if graph.states else {}),
        "layers": layers,
        "metadata": dict(graph.metadata),
    }


def _edge(t: Tensor) -> dict[str, Any]:
    scale, zero_point = (None, None) if t.quant is None else (t.quant.scale, t.quant.zero_point)
    return {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "scale": scale, "zero_point": zero_point}


def _states(graph: Graph) -> dict[str, Any]:
    rows = [{**_shaped(graph.tensors[s.start]), "end": s.end, "bytes": s.initial.nbytes} for s in graph.states]
    return {"states": rows, "state_bytes": sum(row["bytes"] for row in rows)}


def _layer(index: int, node: Node, packed: Packed) -> dict[str, Any]:
    graph = packed.graph
    inputs, outputs = graph.of(node.inputs), graph.of(node.outputs)
    constants = [_constant(t, packed) for t in inputs if t.role is not Role.ACTIVATION]
    return {
        "index": index,
        "name": node.name,
        "op": node.op,
        "inputs": [_shaped(t) for t in inputs if t.role is Role.ACTIVATION],
        "outputs": [_shaped(t) for t in outputs],
        "attributes": dict(node.attrs),
        "constants": constants,
        "constant_bytes": sum(c["bytes"] for c in constants),
        "macs": OPS[node.op].macs(view_of(graph, node)),
    }


def _shaped(t: Tensor) -> dict[str, Any]:
    return {"name": t.name, "dtype": t.dtype, "shape": list(t.shape)}


def _constant(t: Tensor, packed: Packed) -> dict[str, Any]:
    offset, nbytes = packed.offsets[t.name]
    out = {**_shaped(t), "role": t.role.value, "offset": offset, "bytes": nbytes}
    if t.role is Role.INDEX:
        out["bits"] = index_bits(t.value)
    return out


def parts(found: dict[str, Any]) -> list[tables.Part]:
    """The report as tables."""
    number, words = tables.number, tables.words
    title = styled(found["name"], "bold")
    sections = tables.Sheet("sections", "kind", number("offset"), number("bytes"))
    for s in found["sections"]:
        sections.add(s["kind"], tables.size(s["offset"]), tables.size(s["bytes"]))
    figures = (number("bytes"), number("MACs"), words("constants"))
    layers = tables.Sheet("layers", number(""), "layer", "op", "input", "output", *figures, keys=2)
    for layer in found["layers"]:
        constants = ", ".join(f"{c['role']} {_size(c)}" for c in layer["constants"] if c["role"] != "requant")
        ends = [lines(*(_size(t) for t in layer[side])) for side in ("inputs", "outputs")]
        tail = (tables.size(layer["constant_bytes"]), tables.size(layer["macs"]), constants)
        layers.add(str(layer["index"]), layer["name"], layer["op"], *ends, *tail)
    edges = tables.Sheet("inputs and outputs", "", "name", words("type"), number("scale"), number("zero point"))
    for side in ("inputs", "outputs"):
        for e in found[side]:
            edges.add(side[:-1], e["name"], f"{e['dtype']} {_size(e)}", str(e["scale"]), str(e["zero_point"]))
    for s in found.get("states", ()):
        edges.add("state", s["name"], f"{s['dtype']} {_size(s)}", "", "")
    metadata = tables.Sheet("metadata", "key", words("value"))
    for key, value in found["metadata"].items():
        metadata.add(key, value)
    heading = title.append(f": format {found['format']}, {tables.size(found['file_bytes'])} bytes", "not bold")
    return [heading, sections, layers, edges, metadata]


def render(found: dict[str, Any], console: Console | None = None) -> None:
    """Print them."""
    tables.show(parts(found), console)


def _size(t: dict[str, Any]) -> str:
    return "x".join(map(str, t["shape"])) + (f" ({t['bits']} bits)" if "bits" in t else "")
