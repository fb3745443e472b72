"""The files of an output folder to what the templates of packages see of the network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from ..generate.front_matter import RIGHTS, front_matter
from ..names import in_comment

# By type of the manifest: bytes of an element, and its name in C, in Rust, of JavaScript's typed array, and in Java.
_TYPES = {
    "int8": (1, "int8_t", "i8", "Int8", "byte"),
    "uint8": (1, "uint8_t", "u8", "Uint8", "byte"),
    "int16": (2, "int16_t", "i16", "Int16", "short"),
    "int32": (4, "int32_t", "i32", "Int32", "int"),
    "float32": (4, "float", "f32", "Float32", "float"),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """An input or output, as the manifest has it, with its name in each language."""

    name: str  # input, input1, ... as the header calls it
    comment: str
    shape: tuple[int, ...]
    count: int  # elements
    offset: int  # bytes into the caller's buffer
    bytes: int
    element_bytes: int
    scale: str  # the shortest decimal that is the same double
    zero_point: int
    c_type: str
    rust_type: str
    js_type: str
    java_type: str  # whose bytes are signed whatever they mean

    @property
    def title(self) -> str:
        """Its name as a part of a method's."""
        return self.name[:1].upper() + self.name[1:]


@dataclass(frozen=True, slots=True)
class Net:
    """A network and the files that every package of it shares, by file name: they are the same bytes in each."""

    name: str
    upper: str
    title: str  # for classes
    jni: str  # the class in the names of its native methods, where an underscore is `_1` (JNI specification, chapter 2)
    board: str
    needs: tuple[str, ...]  # extensions of the core that its kernels use
    front: tuple[str, ...]  # lines that say what it was made from
    rights: tuple[str, ...]
    flash_bytes: int  # of the packed model, without code
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    state_bytes: int
    buffer_bytes: int  # what whoever calls it must have: arena, state, input and output
    input_rows: int  # of the input that come at a time, by a callback; 0: it is whole
    buffer_kib: int  # the same in whole KiB, rounded up
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    single: bool  # some of it computes in float
    check: bool  # the C has NAME_check
    check_run: bool  # and NAME_run compares its tables
    in_files: bool  # the assembler includes the model, into which link-time optimisation does not see
    sources: Mapping[str, bytes]
    headers: Mapping[str, bytes]  # and files that the assembler includes


def class_name(name: str) -> str:
    """A network's name as that of a class: words without underscores, each with a capital letter."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


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
    inputs, outputs = (
        tuple(_edge(i, record, key) for i, record in enumerate(manifest[f"{key}s"])) for key in ("input", "output")
    )
    name, board = str(manifest["name"]), str(manifest["board"])
    title = class_name(name)
    input_bytes, output_bytes = (max(edge.offset + edge.bytes for edge in edges) for edges in (inputs, outputs))
    arena_bytes, state_bytes = int(manifest["arena_bytes"]), int(manifest.get("state_bytes", 0))
    buffer_bytes = arena_bytes + state_bytes + input_bytes + output_bytes
    return Net(
        name=name,
        upper=name.upper(),
        title=title,
        jni=f"{name.replace('_', '_1')}_{title}",
        board=board,
        needs=tuple(manifest["needs"]),
        front=front_matter(manifest["metadata"], name, board),
        rights=RIGHTS,
        flash_bytes=int(manifest["ekc_bytes"]),
        arena_bytes=arena_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        state_bytes=state_bytes,
        buffer_bytes=buffer_bytes,
        input_rows=int(manifest.get("input_rows", 0)),
        buffer_kib=-(-buffer_bytes // 1024),
        inputs=inputs,
        outputs=outputs,
        single="ek_f32.h" in {PurePosixPath(path).name for path in files},
        check="check" in manifest,
        check_run=bool(manifest.get("check", {}).get("each_run")),
        in_files=any(path.endswith(".bin") for path in files),
        sources=_below("src", files),
        headers=_below("include", files),
    )


def _edge(index: int, record: Mapping[str, Any], direction: str) -> Edge:
    shape = tuple(int(size) for size in record["shape"])
    element_bytes, *types = _TYPES[record["dtype"]]
    return Edge(
        f"{direction}{index or ''}",
        f"{record['dtype']} {'x'.join(map(str, shape))}, {in_comment(str(record['name']))} in the model",
        shape, math.prod(shape), int(record["offset"]), int(record["bytes"]), element_bytes,
        repr(float(record["scale"])), int(record["zero_point"]), *types,
    )  # fmt: skip


def _below(folder: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {PurePosixPath(p).name: data for p, data in sorted(files.items()) if PurePosixPath(p).parts[0] == folder}
