"""The graph that walks through the compiler: frozen records, one type for every stage."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError, UnsupportedError
from ..names import visible

Array = npt.NDArray[Any]
AttrValue = int | float | str


class Stage(enum.Enum):
    """How far a graph has walked; `ops/legal.py` says what is legal in each."""

    FLOAT = "float"  # float32 weights and activations
    QUANTIZED = "quantized"  # int8 tensors with float scales; attributes as the source says them
    INTEGER = "integer"  # integers only: what is packed, emulated and generated


class Role(enum.Enum):
    """What a tensor is for; the constant roles name the .ekc section that holds them."""

    ACTIVATION = "activation"
    WEIGHTS = "weights"
    BIAS = "bias"
    REQUANT = "requant"  # multipliers, shifts, look-up tables
    CODEBOOK = "codebook"
    INDEX = "index"
    PAIRS = "pairs"
    CENTERS = "centers"


@dataclass(frozen=True, slots=True)
class Quant:
    """real = scale * (q - zero_point); one entry per tensor, or one per index of `axis`."""

    scales: tuple[float, ...]  # float32 values, held exactly as Python floats
    zero_points: tuple[int, ...]
    axis: int = 0  # used only when len(scales) > 1

    @property
    def scale(self) -> float:
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        return self.zero_points[0]


REAL = Quant((1.0,), (0,))  # of float32 inputs and outputs, in a manifest too: they are what they stand for


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str  # a numpy name: int8, uint8, int16, int32, float32
    quant: Quant | None = None
    role: Role = Role.ACTIVATION
    data: Array | None = None  # the value of a constant, read-only

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def q(self) -> Quant:
        """The quantisation, where the stage promises one; ModelError where the model does not hold it."""
        if self.quant is None:
            raise ModelError("the tensor has no quantisation (scale and zero point)", where=self.name)
        return self.quant

    @property
    def value(self) -> Array:
        """The value of a constant; UnsupportedError where it is computed at run time."""
        if self.data is None:
            raise UnsupportedError("the tensor must be a constant, but is computed at run time", where=self.name)
        return self.data


@dataclass(frozen=True, slots=True)
class Node:
    """One operator; `inputs` and `outputs` are tensor names, in the order its Op declares.

    `source` is the index of the source model's operator that it was made of, -1 of none. No stage reads it:
    `edgekc check` follows operators by it.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, AttrValue]
    source: int = field(default=-1, compare=False)

    def int_attr(self, key: str) -> int:
        value = self.attrs[key]
        assert isinstance(value, int)
        return value


@dataclass(frozen=True, slots=True)
class State:
    """A value that a network keeps from one step to the next. Its name is that of `start`."""

    start: str  # activation that holds it when a step starts, as an input does
    end: str  # activation that holds it when the step ends, as an output does; a node that moves no bytes writes it
    initial: Array  # what `start` holds in the first step; of its shape and type, read-only

    def first_bytes(self) -> bytes:
        """The initial value as it lies in memory."""
        return self.initial.astype(self.initial.dtype.newbyteorder("<")).tobytes()


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in execution order; tensors by name."""

    name: str
    stage: Stage
    tensors: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]  # tool version, source hash, recipe: see docs/format.md
    states: tuple[State, ...] = ()  # of a streaming network, whose samples are steps of a sequence

    @property
    def sources(self) -> tuple[str, ...]:
        """What is there before any node has run: inputs, and states at the start of a step."""
        return (*self.inputs, *(s.start for s in self.states))

    @property
    def sinks(self) -> tuple[str, ...]:
        """What is wanted when all nodes have run: outputs, and states at the end of a step."""
        return (*self.outputs, *(s.end for s in self.states))

    def of(self, names: tuple[str, ...]) -> list[Tensor]:
        """The tensors of these names, in order."""
        return [self.tensors[n] for n in names]


def constant(name: str, data: Array, role: Role, quant: Quant | None = None) -> Tensor:
    """A tensor with a value; the array is copied and made read-only."""
    value = np.ascontiguousarray(data).copy()
    value.setflags(write=False)
    return Tensor(name, value.shape, value.dtype.name, quant, role, value)


def prune(graph: Graph) -> Graph:
    """Drop tensors that no node, input or output mentions."""
    used = {*graph.sources, *graph.sinks}
    for node in graph.nodes:
        used.update(node.inputs, node.outputs)
    return replace(graph, tensors={n: t for n, t in graph.tensors.items() if n in used})


def consumers(graph: Graph) -> dict[str, list[Node]]:
    """Tensor name to the nodes that read it, in execution order."""
    out: dict[str, list[Node]] = {n: [] for n in graph.tensors}
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            out[name].append(node)
    return out


def producers(graph: Graph) -> dict[str, Node]:
    """Tensor name to the node that writes it."""
    return {name: node for node in graph.nodes for name in node.outputs}


def dump(graph: Graph) -> str:
    """A stable text form for `--keep`, to be compared with diff."""
    lines = [f"graph {graph.name} stage={graph.stage.value}"]
    lines += [f"  meta {k} = {graph.metadata[k]}" for k in sorted(graph.metadata)]
    lines += [f"  input {n}" for n in graph.inputs] + [f"  output {n}" for n in graph.outputs]
    lines += [f"  state {s.start} -> {s.end} crc={_crc(s.initial):08x}" for s in graph.states]
    for t in graph.tensors.values():
        text = f"  tensor {t.name} {t.dtype}{list(t.shape)} {t.role.value}"
        if t.quant is not None:
            text += f" scale={t.quant.scale!r}x{len(t.quant.scales)} zero_point={t.quant.zero_point}"
        if t.data is not None:
            text += f" crc={_crc(t.data):08x}"
        lines.append(text)
    for node in graph.nodes:
        attrs = " ".join(f"{k}={node.attrs[k]}" for k in sorted(node.attrs))
        lines.append(f"  {node.name}: {', '.join(node.outputs)} = {node.op}({', '.join(node.inputs)}) {attrs}")
    return "".join(f"{visible(line)}\n" for line in lines)


def _crc(data: Array) -> int:
    import zlib

    return zlib.crc32(np.ascontiguousarray(data).tobytes())
