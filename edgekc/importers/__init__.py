"""A model file to a Graph: one importer per source format; frameworks are imported only when they are used."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from ..files.bounded import check_path
from ..graph.ir import Graph
from .imported import Imported

SUFFIXES = (".tflite", ".onnx", ".pt2", ".keras", ".h5")


def import_model(path: Path, name: str) -> Graph:
    """Turn a model file into a graph called `name`.

    Stage FLOAT for float .tflite, float ONNX, torch.export programs and Keras; QUANTIZED for int8 .tflite and
    for ONNX with QuantizeLinear and DequantizeLinear. The suffix decides, or the first bytes where it is another.

    Raises:
        UsageError: the file cannot be read, or is none of these.
        ModelError, UnsupportedError, ToolError: see the importer.
    """
    return read_model(path, name).sound()


def read_model(path: Path, name: str) -> Imported:
    """As `import_model`; what is refused stands beside the graph, all of it, and what was read is there.

    Raises:
        UsageError, ModelError, ToolError: as `import_model`.
        UnsupportedError: nothing of it can be read.
    """
    try:
        with check_path(path).open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    kind = path.suffix.lower()
    if head[4:8] == b"TFL3":
        kind = ".tflite"
    if kind == ".tflite":
        return _tflite(path, name)
    if kind == ".onnx":
        from .onnx.importer import read_onnx

        return read_onnx(path, name)
    if kind == ".pt2":
        from .torch.importer import read_torch

        return read_torch(path, name)
    if kind in (".keras", ".h5"):
        from .keras.importer import read_keras

        return read_keras(path, name)
    fix = "pass one of these"
    if kind in (".pt", ".pth"):
        fix = "save torch.export.export(model, inputs) with torch.export.save as .pt2"
    raise UsageError(
        f"{path.suffix or 'no suffix'} is no model; supported: {', '.join(SUFFIXES)}", where=str(path), fix=fix
    )


def _tflite(path: Path, name: str) -> Imported:
    from .tflite.file import read
    from .tflite.float32 import is_float, read_tflite_float
    from .tflite.int8 import read_tflite

    model = read(path.read_bytes(), str(path))
    return (read_tflite_float if is_float(model) else read_tflite)(model, name, str(path))
