"""Models to pictures of their operators, and to ONNX for other tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import tables
from ..errors import UsageError
from ..exporters.onnx import to_onnx
from ..files.output import check_writable, write_file
from ..format.pack import read
from ..graph.ir import Graph
from ..report import network
from .compiling import packed_bytes
from .model import load

SUFFIXES = (".svg", ".dot")


@dataclass(frozen=True, slots=True)
class Drawn(tables.Shown):
    """A network as a picture.

    Attributes:
        graph: what is drawn, as it was read.
        svg: the picture.
        dot: the same for Graphviz, without places.
    """

    graph: Graph = field(repr=False)

    @property
    def svg(self) -> str:
        """An SVG element; it follows the light or dark colours of a report's page, and is light by itself."""
        return network.draw(self.graph)

    @property
    def dot(self) -> str:
        """Text that Graphviz reads."""
        return network.dot(self.graph)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write it, completely or not at all; the ending says as what.

        Args:
            path: a name that ends in .svg or .dot.
            force: over a file that is there.

        Raises:
            UsageError: another ending; something is there; it cannot be written.
        """
        target = Path(path)
        check_drawing_file(target, force=force)
        text = self.svg + "\n" if target.suffix == ".svg" else self.dot
        write_file(target, text.encode(), force=force)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Name, stage and operators."""
        nodes = [
            {"name": n.name, "op": n.op, "inputs": list(n.inputs), "output": n.outputs[0]} for n in self.graph.nodes
        ]
        return {"name": self.graph.name, "stage": self.graph.stage.value, "nodes": nodes}

    def parts(self) -> list[tables.Part]:
        """Each operator with its shape, a row each."""
        chart = network.network_chart(self.graph)
        return [f"{self.graph.name}, {self.graph.stage.value}", *chart.sheets]

    def _repr_html_(self) -> str:
        return self.svg


def check_drawing_file(path: Path, *, force: bool = False) -> None:
    """UsageError where `Drawn.save` could not write, or should not."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"ends in {path.suffix or 'nothing'}", where=str(path), fix="name a .svg or .dot file")
    check_writable(path, force=force)


def draw_network(model: Any) -> Drawn:
    """The operators of a model as they were read: float, quantised or packed.

    Args:
        model: a path, a Model, or whatever else `load` takes; a Program is drawn as its packed model.

    Raises:
        UsageError, ModelError, UnsupportedError, FormatError, ToolError: as `load`.
    """
    graph = getattr(model, "graph", None)
    return Drawn(graph if isinstance(graph, Graph) else load(model, allow_float=True).graph)


@dataclass(frozen=True, slots=True)
class Exported(tables.Shown):
    """An integer network as ONNX.

    Attributes:
        name: of the network.
        data: bytes of the .onnx file.
        layers: of the network.
    """

    name: str
    data: bytes = field(repr=False)
    layers: int

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the file, completely or not at all.

        Args:
            path: of the file.
            force: over a file that is there.

        Raises:
            UsageError: it does not end in .onnx; something is there; it cannot be written.
        """
        target = Path(path)
        check_onnx_file(target, force=force)
        write_file(target, self.data, force=force)
        return target

    def to_dict(self) -> dict[str, Any]:
        """Name, layers and bytes."""
        return {"name": self.name, "layers": self.layers, "bytes": len(self.data)}

    def parts(self) -> list[tables.Part]:
        """How many layers and bytes, in one line."""
        return [f"{self.name}: {self.layers} layers, {len(self.data):,} bytes of ONNX"]


def check_onnx_file(path: Path, *, force: bool = False) -> None:
    """UsageError where `Exported.save` could not write, or should not."""
    if path.suffix != ".onnx":
        raise UsageError(f"ends in {path.suffix or 'nothing'}", where=str(path), fix="name a .onnx file")
    check_writable(path, force=force)


def export_onnx(model: Any, *, exact: bool = False) -> Exported:
    """The integer network that the device computes, as ONNX with QuantizeLinear and DequantizeLinear.

    Each layer gives the device's integers to within one level: ONNX rounds otherwise. Inputs and outputs are int8.

    Args:
        model: quantised or packed: a path, a Model, what `compress` gave, or a Program.
        exact: in integers of 64 bits instead, which are more operators and give the very bits of the device.

    Raises:
        UsageError: the model is float.
        UnsupportedError: a layer has no form in ONNX here; says which.
        ToolError: the package onnx is not installed.
        ModelError, FormatError: as `load`.
    """
    graph = getattr(model, "graph", None)
    if isinstance(graph, Graph) and hasattr(model, "manifest"):
        return Exported(str(model.name), to_onnx(graph, exact=exact), len(graph.nodes))
    loaded = load(model)
    graph = read(packed_bytes(loaded), loaded.where).graph
    return Exported(loaded.name, to_onnx(graph, exact=exact), len(graph.nodes))
