"""An int8 .tflite file to a QUANTIZED graph."""

from __future__ import annotations

from ...errors import UnsupportedError
from ...graph.ir import Graph, Stage
from . import file, through_float
from .builder import Builder
from .file import FileModel
from .handlers import HANDLERS


def import_tflite(source: bytes | FileModel, name: str, where: str) -> Graph:
    """Turn an int8 model, as bytes or as they were read, into a QUANTIZED graph called `name`.

    Raises:
        ModelError: the file is damaged or contradicts itself.
        UnsupportedError: an operator, type or attribute that edgekc does not have; names operator, index
            and tensor. Float models are refused here.
    """
    model = through_float.joined(file.read(source, where) if isinstance(source, bytes) else source)
    b = Builder(model, where)
    inputs = tuple(
        b.activation(model.tensors[i], "input" if k == 0 else f"input_{k}", f"{where}: input {k}")
        for k, i in enumerate(model.inputs)
    )
    for k, shape in enumerate(b.tensors[n].shape for n in inputs):
        if len(shape) > 1 and shape[0] != 1:
            raise UnsupportedError(f"batch size {shape[0]} of {list(shape)}; supported: 1", where=f"{where}: input {k}")
    outputs = b.walk({**HANDLERS, **through_float.HANDLERS}, "is not implemented")
    return Graph(name, Stage.QUANTIZED, b.tensors, tuple(b.nodes), inputs, outputs, {})
