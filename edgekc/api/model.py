"""A file or a PyTorch module to a Model: a graph that can be compressed or compiled."""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import tables
from ..errors import UsageError
from ..format.pack import read
from ..graph.ir import Graph, Stage
from ..importers import read_model as import_file
from ..importers.imported import Imported
from ..names import default_name
from ..ops import legal
from ..pipeline import read_model

_STAGES = {Stage.FLOAT: "float", Stage.QUANTIZED: "quantised", Stage.INTEGER: "packed"}


@dataclass(frozen=True, slots=True)
class Model(tables.Shown):
    """A network, as its file or module says it.

    Attributes:
        name: of the network; becomes C identifiers when it is compiled.
        graph: its operators and tensors; images are NHWC.
        where: what errors call it: the path, or the module's class.
        path: the file; None of a module.
        data: what the file held; empty of a module. Of a packed model these are the bytes of the .ekc.
    """

    name: str
    graph: Graph
    where: str
    path: Path | None
    data: bytes

    @property
    def stage(self) -> str:
        """`float` (compress it), `quantised` or `packed` (compile it)."""
        return _STAGES[self.graph.stage]

    @property
    def origin(self) -> dict[str, str]:
        """What a packed model says of this source: the file's name and SHA-256."""
        if self.path is None:
            return {"source": self.where}
        name = self.path.name.encode(errors="replace").decode()  # a file's name need not be text
        return {"source": name, "source_sha256": hashlib.sha256(self.data).hexdigest()}

    def to_dict(self) -> dict[str, Any]:
        """Name, stage, number of operators, and the shape and type of each input and output."""
        graph = self.graph

        def ends(names: tuple[str, ...]) -> list[dict[str, Any]]:
            return [{"name": t.name, "shape": list(t.shape), "dtype": t.dtype} for t in graph.of(names)]

        return {
            "name": self.name,
            "stage": self.stage,
            "source": self.where,
            "operators": len(graph.nodes),
            "inputs": ends(graph.inputs),
            "outputs": ends(graph.outputs),
        }

    def parts(self) -> list[tables.Part]:
        """One line, and a table of inputs and outputs."""
        found = self.to_dict()
        ends = tables.Sheet("inputs and outputs", "", "name", "shape", "type")
        for side in ("inputs", "outputs"):
            for end in found[side]:
                ends.add(side[:-1], end["name"], "x".join(map(str, end["shape"])), end["dtype"])
        return [f"{self.name}: {self.stage}, {found['operators']} operators, from {self.where}", ends]


def load(source: Any, example_inputs: Any = None, *, name: str = "", allow_float: bool = False) -> Model:
    """Read a model.

    Args:
        source: the path of a .tflite, .ekc, .onnx, .pt2, .keras or .h5 file; a torch.nn.Module or
            torch.export.ExportedProgram; or a Model or Packed, which stay what they are.
        example_inputs: of an nn.Module only: one sample of each input with its batch axis, such as (1, 3, 32, 32); an
            array or tensor, or a tuple of them. The module is exported in evaluation mode.
        name: of the network. Default: made of the file's name, or of the module's class.
        allow_float: where something stands in the way, operators that compute in float are not listed; see `compile`.

    Raises:
        UsageError: the file cannot be read, is of no known kind, or a module comes without example inputs.
        ModelError, FormatError: the file is damaged.
        UnsupportedError: it uses an operator, type or attribute that edgekc does not have.
        ToolError: the package that reads it is not installed; names the command that adds it.
    """
    if isinstance(source, Model):
        return source
    if isinstance(model := getattr(source, "model", None), Model):  # a Packed
        return model
    if isinstance(source, (str, Path)):
        return _from_file(Path(source), name, allow_float)
    name, found = traced(source, example_inputs, name)
    return Model(name, found.sound(allow_float=allow_float), f"torch {type(source).__name__}", None, b"")


def is_known(source: Any) -> bool:
    """Whether it is a path, a Model or a Packed; all else is an object of PyTorch's, or nothing that `load` takes."""
    return isinstance(source, (str, Path, Model)) or isinstance(getattr(source, "model", None), Model)


def traced(source: Any, example_inputs: Any, name: str) -> tuple[str, Imported]:
    """The name of a module or ExportedProgram, and what could be read of it; raises as `load`."""
    from ..importers.torch.importer import read_torch

    if "torch" not in sys.modules:  # no object of PyTorch's is there without it
        what = f"a {type(source).__name__}; expected a path, an nn.Module, an ExportedProgram, a Model or a Packed"
        raise UsageError(what, where="load")
    name = name or default_name(Path(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(source).__name__)))
    return name, read_torch(source, name, example_inputs)


def _from_file(path: Path, name: str, allow_float: bool) -> Model:
    name = name or default_name(path)
    data = read_model(path)
    packed = path.suffix == ".ekc"
    graph = read(data, str(path)).graph if packed else import_file(path, name).sound(allow_float=allow_float)
    return Model(name, graph, str(path), path, data)


def check_float(model: Model) -> None:
    """UsageError where there is nothing left to compress."""
    legal.require_float(model.graph, model.where)
