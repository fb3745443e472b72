"""The bytes of an .ekc file to what `edgekc inspect` shows, as JSON and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph.bits import index_bits
from ..graph.ir import Node, Role, Tensor
from ..graph.op import view_of
from ..ops import OPS
from ..terminal import lines, styled
from . import fields
from .pack import Packed, read

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

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
        "layers": layers,
        "metadata": dict(graph.metadata),
    }


def _edge(t: Tensor) -> dict[str, Any]:
    scale, zero_point = (None, None) if t.quant is None else (t.quant.scale, t.quant.zero_point)
    return {"name": t.name, "dtype": t.dtype, "shape": list(t.shape), "scale": scale, "zero_point": zero_point}


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


def render(found: dict[str, Any], console: Console) -> None:
    """The report as tables."""
    title = styled(found["name"], "bold")
    console.print(title.append(f": format {found['format']}, {found['file_bytes']:,} bytes", "not bold"))
    sections = _table("sections", ("kind", "offset", "bytes"), numbers=2)
    for s in found["sections"]:
        sections.add_row(s["kind"], f"{s['offset']:,}", f"{s['bytes']:,}")
    console.print(sections)
    layers = _table("layers", ("", "layer", "op", "input", "output", "constants", "bytes", "MACs"), numbers=2)
    for layer in found["layers"]:
        constants = ", ".join(f"{c['role']} {_size(c)}" for c in layer["constants"] if c["role"] != "requant")
        ends = [lines(*(_size(t) for t in layer[side])) for side in ("inputs", "outputs")]
        tail = (constants, f"{layer['constant_bytes']:,}", f"{layer['macs']:,}")
        layers.add_row(str(layer["index"]), layer["name"], layer["op"], *ends, *tail)
    console.print(layers)
    edges = _table("inputs and outputs", ("", "name", "type", "scale", "zero point"), numbers=2)
    for side in ("inputs", "outputs"):
        for e in found[side]:
            edges.add_row(side[:-1], e["name"], f"{e['dtype']} {_size(e)}", str(e["scale"]), str(e["zero_point"]))
    console.print(edges)
    metadata = _table("metadata", ("key", "value"), numbers=0)
    for key, value in found["metadata"].items():
        metadata.add_row(key, value)
    console.print(metadata)


def _size(t: dict[str, Any]) -> str:
    return "x".join(map(str, t["shape"])) + (f" ({t['bits']} bits)" if "bits" in t else "")


def _table(title: str, columns: tuple[str, ...], numbers: int) -> Table:
    """An empty table whose last `numbers` columns are aligned to the right."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        is_number = i >= len(columns) - numbers
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    return table
