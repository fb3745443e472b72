"""A compiled network to what a page needs to run it: the WebAssembly module, its tensors, and samples with hashes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..graph.ir import Graph

Kind = Literal["image", "speech", "other"]
MOST_BYTES = 1_300_000  # of a module: in base64 it leaves room for the charts below two million bytes
_LEAST_SIDE = 6  # pixels of an image


@dataclass(frozen=True, slots=True)
class Sample:
    """An input that the page offers.

    Attributes:
        name: what the page calls it.
        data: bytes as NAME_run takes them.
        output: what the network gives for it, by the reference or the host.
    """

    name: str
    data: bytes
    output: bytes


def kind_of(shape: Sequence[int]) -> Kind:
    """What an input of this shape is most likely: an image, features of one second of speech, or something else.

    Speech has some fifty frames of a few coefficients, which no image has: its sides are far apart.
    """
    if len(shape) != 4 or shape[3] not in (1, 3):
        return "other"
    high, wide = shape[1], shape[2]
    if shape[3] == 1 and 40 <= high <= 60 and 8 <= wide <= 40 and high > 1.2 * wide:
        return "speech"
    return "image" if min(high, wide) >= _LEAST_SIDE else "other"


def live_data(
    module: bytes, manifest: Mapping[str, Any], graph: Graph, classes: Sequence[str], samples: Sequence[Sample]
) -> dict[str, Any]:
    """What `report.js` reads.

    Args:
        module: of `packages.wasm.build`, with traces.
        graph: INTEGER; has the types of the layers' outputs.
        classes: names by number; may be empty.
        samples: the page shows the first of them when it opens.
    """
    types = {node.name: graph.tensors[node.outputs[0]].dtype for node in graph.nodes}
    return {
        "wasm": base64.b64encode(module).decode(),
        "kind": kind_of(manifest["inputs"][0]["shape"]),
        "input_bytes": sum(int(e["bytes"]) for e in manifest["inputs"]),
        "inputs": manifest["inputs"],
        "outputs": manifest["outputs"],
        "layers": [
            {
                "index": int(layer["index"]),
                "name": str(layer["name"]),
                "kernel": str(layer["kernel"]),
                "shape": list(layer["output_shape"]),
                "dtype": types.get(str(layer["name"]), "int8"),
            }
            for layer in manifest["layers"]
        ],
        "classes": list(classes),
        "samples": [
            {
                "name": s.name,
                "data": base64.b64encode(s.data).decode(),
                "sha256": hashlib.sha256(s.output).hexdigest(),
            }
            for s in samples
        ],
    }
