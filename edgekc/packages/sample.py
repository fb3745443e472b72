"""A network to one input that a few lines of C make, and the hash of its output: the check of every example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..emulate.compare import reference_outputs
from ..format.pack import read
from ..graph.ir import Array
from .net import Edge, Net

_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193  # Fowler, Noll, Vo; draft-eastlake-fnv, 32 bits


@dataclass(frozen=True, slots=True)
class Sample:
    """What the examples of a network compare with."""

    fnv1a: int  # of the output bytes that the numpy definition gives; of a streaming network those of its first step


def sample_of(net: Net, files: Mapping[str, bytes]) -> Sample:
    """The sample of the packed model in the files of an output folder."""
    graph = read(files[f"{net.name}.ekc"], f"{net.name}.ekc").graph
    edges = zip(net.inputs, graph.of(graph.inputs), strict=True)
    data = b"".join(sample_input(edge, tensor.dtype).tobytes() for edge, tensor in edges)
    return Sample(fnv1a(reference_outputs(graph, data, 1)))


def sample_input(edge: Edge, dtype: str) -> Array:
    """The values (elements,) of an input: bytes 37 i + 11; of float32 that byte less 128, by 16, which is exact."""
    ramp = (np.arange(edge.bytes if dtype != "float32" else edge.count) * 37 + 11) & 0xFF
    if dtype == "float32":
        return ((ramp - 128) / 16).astype(np.float32)
    return ramp.astype(np.uint8).view(np.dtype(dtype).newbyteorder("<"))


def fnv1a(data: bytes) -> int:
    """The 32-bit hash FNV-1a: small enough for any firmware, and no proof against intent."""
    value = _FNV_OFFSET
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value
