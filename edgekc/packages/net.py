"""The files of an output folder to what the templates of packages see of the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Edge:
    """An input or output, as the manifest has it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int  # bytes into the caller's buffer
    bytes: int
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Net:
    """A network and the files that every package of it shares, by file name: they are the same bytes in each."""

    name: str
    upper: str
    board: str
    needs: tuple[str, ...]  # extensions of the core that its kernels use
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    state_bytes: int
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    sources: Mapping[str, bytes]
    headers: Mapping[str, bytes]  # and files that the assembler includes


class Compiled(Protocol):
    """What has the files of an output folder, by their path below it: a Program."""

    @property
    def files(self) -> Mapping[str, bytes]: ...


def files_of(source: Compiled | Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files of an output folder, by their path below it."""
    return source if isinstance(source, Mapping) else source.files


def net_of(files: Mapping[str, bytes]) -> Net:
    """The network of an output folder: path below it -> content."""
    manifest = json.loads(files["manifest.json"])
    inputs, outputs = (tuple(_edge(record) for record in manifest[key]) for key in ("inputs", "outputs"))
    name = str(manifest["name"])
    return Net(
        name=name,
        upper=name.upper(),
        board=str(manifest["board"]),
        needs=tuple(manifest["needs"]),
        arena_bytes=int(manifest["arena_bytes"]),
        input_bytes=sum(edge.bytes for edge in inputs),
        output_bytes=sum(edge.bytes for edge in outputs),
        state_bytes=int(manifest.get("state_bytes", 0)),
        inputs=inputs,
        outputs=outputs,
        sources=_below("src", files),
        headers=_below("include", files),
    )


def _edge(record: Mapping[str, Any]) -> Edge:
    shape = tuple(int(size) for size in record["shape"])
    return Edge(
        str(record["name"]), shape, str(record["dtype"]), int(record["offset"]), int(record["bytes"]),
        float(record["scale"]), int(record["zero_point"]),
    )  # fmt: skip


def _below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {PurePosixPath(p).name: data for p, data in sorted(files.items()) if PurePosixPath(p).parts[0] == folder}
