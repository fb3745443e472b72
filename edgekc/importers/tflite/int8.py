"""An int8 .tflite file to a QUANTIZED graph."""

from __future__ import annotations

from dataclasses import replace

from ...graph.ir import Graph, Stage
from ..imported import Imported
from . import truths, unsigned
from .builder import Builder, operators_of
from .file import FileModel
from .handlers import FLOAT_ONLY, HANDLERS
from .handlers.state import states
from .unroll import unrolled


def read_tflite(model: FileModel, name: str, where: str) -> Imported:
    """The QUANTIZED graph of an int8 or uint8 model, called `name`, with everything that stands in its way.

    Raises:
        ModelError: the file is damaged or contradicts itself.
    """
    model = unrolled(model, where)
    operators = operators_of(model)
    model = truths.as_bytes(unsigned.signed(model), where)
    b = Builder(model, where)
    inputs = tuple(
        b.activation(
            b.there(model.tensors[i], f"{where}: input {k}"), "input" if k == 0 else f"input_{k}", f"{where}: input {k}"
        )
        for k, i in enumerate(model.inputs)
    )
    for k, shape in enumerate(b.tensors[n].shape for n in inputs):
        if len(shape) > 1 and shape[0] != 1:
            b.refuse_batch(shape, f"{where}: input {k}", model.inputs[k])
    outputs = b.walk({**HANDLERS, **FLOAT_ONLY}, "is not implemented")
    if b.refused:  # what variables hold behind a refused operator is not known
        b.guessed += b.starts.values()
    kept = () if b.refused else states(b)
    read = b.finished(Graph(name, Stage.QUANTIZED, b.tensors, tuple(b.nodes), inputs, outputs, {}, kept))
    return replace(read, operators=operators)
