"""The kind `blank`: samples of input.bin in, of each the index of the largest output out. The frame of every app."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..assets import DEMO
from ..emulate import host, reference
from ..errors import UsageError
from ..graph.ir import Graph
from ..packages.net import Net
from .app import App, Fitted

_SAMPLES = 16
_DEMO = DEMO / "digits_int8.tflite"


def fit(net: Net, graph: Graph, model: Path) -> Fitted:
    """Networks of one input and one output. Their samples are made up, and of the demo's model real digits."""
    if len(net.inputs) != 1 or len(net.outputs) != 1:
        edges = f"{len(net.inputs)} inputs and {len(net.outputs)} outputs"
        raise UsageError(f"has {edges}; this kind takes one of each", where=str(model), fix="take another model")
    tensor = graph.of(graph.inputs)[0]
    shape = (_SAMPLES, *tensor.shape[1:])
    if model == _DEMO:
        with np.load(DEMO / "digits_test.npz") as digits:
            x = digits["x"][:_SAMPLES]
    else:
        edge = net.inputs[0]
        record = {"dtype": tensor.dtype, "shape": edge.shape, "bytes": edge.bytes, "offset": edge.offset}
        x = np.frombuffer(host.samples({"inputs": [record]}, _SAMPLES, 0), tensor.dtype).reshape(shape)
    found = np.asarray(reference.outputs(graph, [x])[0]).reshape(_SAMPLES, -1).argmax(axis=1)
    lines = "".join(f"class {index}\n" for index in found)
    return Fitted({}, {"input.bin": x.tobytes(), "expected.txt": lines.encode()})


APP = App("blank", "samples in, the index of the largest output out", lambda: _DEMO, fit)
