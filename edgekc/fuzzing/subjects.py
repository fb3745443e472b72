"""A random network compiled to an .ekc, with its inputs and what every activation should be.

A network enters in one of these forms: as the file has it ("dense"), with layers packed so that they compute the same
("exact"), with packed weights of up to 16 bits ("wide"), and with operators of sources that round once ("nearest").
LiteRT is the oracle of the first two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..emulate import imported, reference
from ..format.pack import pack, read
from ..graph.ir import Array, Graph
from ..importers.tflite import file
from ..importers.tflite.int8 import read_tflite
from ..ops import legal
from ..passes import INTEGER_PASSES, QUANTIZED_PASSES, apply
from ..passes.lower import lower
from ..progress import unsaid
from .nearest import as_nearest
from .nets import RandomNet, random_samples
from .packed import pack_layers

PACKED_FORMS = ("exact", "wide")
FORMS = ("dense", *PACKED_FORMS)
NEAREST = "nearest"  # a further form, of int8
SAMPLES = 5
METADATA = {"tool": "edgekc", "source": "random.tflite", "source_sha256": "0" * 64, "recipe": "none"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A network in one form, compiled to an .ekc, with what every activation of it should be."""

    net: RandomNet
    form: str
    data: bytes  # the .ekc
    graph: Graph  # as read back
    samples: list[list[Array]]  # of the file's inputs
    inputs: list[Array]  # of the graph: a sample along the first axis
    values: dict[str, Array]  # of all activations, by the numpy definition

    @property
    def name(self) -> str:
        """Begins C names."""
        return f"{self.net.kind}_{self.net.seed}_{self.form}"


def imported_graph(net: RandomNet, form: str = "dense") -> Graph:
    """The QUANTIZED graph, before any pass. UnsupportedError where the importer refuses the file."""
    graph = read_tflite(file.read(net.model(), "random.tflite"), "net", "random.tflite").sound()
    return as_nearest(graph, np.random.default_rng([net.seed, 26])) if form == NEAREST else graph


def integer_graph(net: RandomNet, form: str = "dense", rounding: str = "tflite") -> Graph:
    """The pipeline up to the packed model, with packed layers put in behind the lowering. UnsupportedError: refused."""
    graph = apply(imported_graph(net, form), QUANTIZED_PASSES, unsaid)
    legal.check(graph)
    graph = lower(graph, rounding)
    if form in PACKED_FORMS:
        graph = pack_layers(graph, np.random.default_rng([net.seed, 22]), form == "exact")
    legal.check(graph)
    return replace(apply(graph, INTEGER_PASSES, unsaid), metadata=METADATA)


def subject(
    net: RandomNet,
    form: str,
    count: int = SAMPLES,
    rounding: str = "tflite",
    samples: list[list[Array]] | None = None,
) -> Subject:
    """A network compiled, and run by the definition.

    Args:
        count: of samples that are drawn.
        rounding: of fully connected layers, as `edgekc.emulate.litert` says of the interpreter.
        samples: instead of drawn ones; an array for each input of the file.

    Raises:
        UnsupportedError: the compiler refuses the network.
    """
    data = pack(integer_graph(net, form, rounding))
    graph = read(data, "random.ekc").graph
    rows = random_samples(net, count) if samples is None else samples
    columns = []
    for i, (t, name) in enumerate(zip(net.inputs, graph.inputs, strict=True)):
        columns.append(np.concatenate([_stored(net, t.name, row[i], graph.tensors[name].dtype) for row in rows]))
    if not graph.states:
        return Subject(net, form, data, graph, rows, columns, reference.run(graph, columns))
    steps = list(reference.steps(graph, columns))  # the samples are a sequence
    values = {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}
    return Subject(net, form, data, graph, rows, columns, values)


def _stored(net: RandomNet, name: str, value: Array, dtype: str) -> Array:
    """An input as the compiled network takes it: a cast at the edge is the application's."""
    if value.dtype == dtype:
        return value
    if value.dtype == np.uint8:
        return (value ^ np.uint8(0x80)).view(np.int8)
    out = next(v.out for v in net.views if v.node.inputs[:1] == (name,))
    info = np.iinfo(out.dtype)
    levels = np.clip(np.round(value / np.float32(out.q.scale)) + out.q.zero_point, info.min, info.max).astype(out.dtype)
    return _stored(net, name, levels, dtype)


def imported_outputs(s: Subject) -> Sequence[Array] | None:
    """The outputs by the file as it was imported, before any pass; None where the file's edges have other types."""
    graph = imported_graph(s.net, s.form)
    pairs = [*zip(graph.of(graph.inputs), s.graph.of(s.graph.inputs), strict=True)]
    pairs += zip(graph.of(graph.outputs), s.graph.of(s.graph.outputs), strict=True)
    if any(a.dtype != b.dtype for a, b in pairs):
        return None
    return imported.outputs(imported.prepare(graph), s.inputs)
