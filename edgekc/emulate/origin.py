"""Does a packed model compute what the user's own file says? Compared with the file as imported, and with LiteRT.

Host and board are compared with the packed model's definition (compare.py). That is after every pass; here the other
half of the proof starts at the file that was compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import EdgekcError, ToolError, UnsupportedError, UsageError, VerifyError
from ..figures import short_hash
from ..files.bounded import read_file
from ..format.pack import read as read_packed
from ..graph.ir import Array, Graph, Stage
from ..ops import source_of
from ..ops.dequantize import reals_of
from ..ops.quantize import levels_of
from ..passes import INTEGER_PASSES, QUANTIZED_PASSES
from ..passes.lower import lower
from . import imported, litert, near, reference

IMPORTED = "as imported, before any pass"
_RECIPES = {
    "none": "tflite",
    "float": "tflite",
    "rounding=double": "double",
    "rounding=double, float": "double",
}  # what `compile` does to a file; others are `compress`'s


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a packed model was made from, as far as it is here and says what is to be computed."""

    path: Path | None
    rounding: str
    note: str  # why the reference starts at the packed model; empty where `path` is there


@dataclass(frozen=True, slots=True)
class Checked:
    """What the packed model's outputs were equal to, and what was not compared, and why."""

    oracles: tuple[str, ...]
    notes: tuple[str, ...]


def find_source(folder: Path, name: str, named: Path | None = None, beside: Sequence[Path] = ()) -> Source:
    """The source of the packed model `name` in an output folder: the file that the user named, or one of its name and
    hash in the current folder, beside the output folder or in it, or in the folders `beside`.

    Raises:
        UsageError: the named file is not what the packed model was made from, or cannot be read.
    """
    metadata = read_packed((folder / f"{name}.ekc").read_bytes(), f"{name}.ekc").graph.metadata
    name, digest = metadata.get("source", ""), metadata.get("source_sha256", "")
    rounding = _RECIPES.get(metadata.get("recipe", ""), "")
    packed = "the reference starts at the packed model"
    if named is not None:
        if _hash(named) != digest:
            raise UsageError(
                f"is not what the packed model was made from: that was {name or 'not recorded'}"
                + (f" with the SHA-256 {short_hash(digest)}" if digest else ""),
                where=str(named),
                fix="name that file, or compile this one",
            )
        found: Path | None = named
    else:
        folders = (Path(), folder.parent, folder, *beside)
        places = [place / name for place in folders] if name and Path(name).name == name else []
        there = [path for path in places if path.is_file()]
        found = next((path for path in there if _hash(path) == digest), None)
        if found is None and there:
            return Source(None, rounding, f"{packed}: {there[0]} has changed since it was compiled")
    if not rounding:
        return Source(None, "", f"{packed}: a recipe quantised and compressed its source, {name or 'not recorded'}")
    if found is None:
        return Source(None, rounding, f"{packed}: {name or 'its source'} is not here; name it with --model")
    return Source(found, rounding, "")


def _hash(path: Path) -> str:
    return hashlib.sha256(read_file(path, None)).hexdigest()


def check(
    source: Source, packed: Graph, manifest: Mapping[str, Any], inputs: Sequence[Array], expected: Sequence[Array],
    traced: int,
) -> Checked:  # fmt: skip
    """Compare outputs of the packed model with those of its source.

    Args:
        inputs: samples as the device takes them, an array for each input.
        expected: what the packed model's definition makes of them, an array for each output.
        traced: of how many samples LiteRT's values are compared layer by layer.

    Raises:
        VerifyError: names the sample, the output and its first element that differs, and the pass that changed it, or
            the layer in which LiteRT differs.
    """
    if source.path is None:
        return Checked((), (source.note,))
    from ..importers import import_model

    graph = import_model(source.path, packed.name)
    if graph.stage is not Stage.QUANTIZED:
        raise VerifyError("the source is float, though no recipe is recorded", where=str(source.path))
    program, needed = _runnable(graph, source.rounding)
    edges = _Edges(program.graph, manifest)
    real = edges.from_device(inputs)
    found = edges.to_device(imported.outputs(program, real))
    _same(expected, found, "the packed model", f"{source.path.name} {IMPORTED},",
          lambda k: _blame(graph, source.rounding, program, edges, *(_to(k, graph, a) for a in (inputs, real))))  # fmt: skip  # noqa: E501
    oracles, notes = [f"{source.path.name} {IMPORTED}"], []
    if needed:
        oracles = [f"{source.path.name} behind {', '.join(needed)}"]
        notes.append(f"no node by itself defines what is before {', '.join(needed)}: these were needed, not checked")
    title, note = _litert(source, graph, program, edges, real, found, traced)
    return Checked((*oracles, *title), (*notes, *note))


def _to(k: int, graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """What has to run for sample k: it alone, or with states the sequence that leads to it."""
    return [x[0 if graph.states else k : k + 1] for x in arrays]


def _runnable(graph: Graph, rounding: str) -> tuple[imported.Program, list[str]]:
    """The graph with every node defined, and the passes without which it would not be: none, where that can be."""
    needed: list[str] = []
    for name, run in (("", None), *QUANTIZED_PASSES):
        if run is not None:
            graph, _ = run(graph)
            needed.append(name)
        try:
            return imported.prepare(graph, rounding), needed
        except UnsupportedError:
            if len(needed) == len(QUANTIZED_PASSES):
                raise
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class _Edges:
    """Inputs and outputs of a graph that may still be float, against those of the device, in the manifest's scales."""

    graph: Graph
    manifest: Mapping[str, Any]

    def from_device(self, levels: Sequence[Array]) -> list[Array]:
        return [
            reals_of(x, edge["scale"], edge["zero_point"]) if t.dtype == "float32" else x
            for x, edge, t in zip(levels, self.manifest["inputs"], self.graph.of(self.graph.inputs), strict=True)
        ]

    def to_device(self, values: Sequence[Array]) -> list[Array]:
        return [
            levels_of(y, edge["scale"], edge["zero_point"], edge["dtype"]) if y.dtype == np.float32 else y
            for y, edge in zip(values, self.manifest["outputs"], strict=True)
        ]


def _same(ours: Sequence[Array], theirs: Sequence[Array], who: str, oracle: str, why: Callable[[int], str]) -> None:
    """VerifyError at the first sample with a byte that differs; `why` says where that comes from."""
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        a, b = (np.ascontiguousarray(x).reshape(len(ours[0]), -1) for x in (a, b))
        if a.shape != b.shape:
            raise VerifyError(f"{oracle} has {b.shape[1]} values, {who} {a.shape[1]}", where=f"output {index}")
        wrong = np.flatnonzero((a != b).any(1))
        if wrong.size:
            k = int(wrong[0])
            i = int(np.flatnonzero(a[k] != b[k])[0])
            raise VerifyError(
                f"{who} has {a[k, i].item()!r}, {oracle} {b[k, i].item()!r}; {np.count_nonzero(a[k] != b[k])} of "
                f"{a.shape[1]} differ, and so do {wrong.size} of {len(a)} samples; {why(k)}",
                where=f"sample {k}, output {index}, element {i}",
            )


def _blame(
    graph: Graph, rounding: str, program: imported.Program, edges: _Edges, levels: Sequence[Array],
    real: Sequence[Array],
) -> str:  # fmt: skip
    """Which pass changes the outputs of a sample, when all are run again one by one."""
    before = edges.to_device(imported.outputs(program, real))

    def differs(outputs: Sequence[Array]) -> bool:
        return any(not np.array_equal(a.ravel(), b.ravel()) for a, b in zip(before, outputs, strict=True))

    try:
        for name, run in QUANTIZED_PASSES:
            graph, _ = run(graph)
            try:
                program = imported.prepare(graph, rounding)
            except UnsupportedError:
                continue  # another pass is needed before it can be run
            sources = graph.of(graph.inputs)
            here = [a if t.dtype == "float32" else b for a, b, t in zip(real, levels, sources, strict=True)]
            if differs(edges.to_device(imported.outputs(program, here))):
                return f"the pass {name} changes them"
        graph = lower(graph, rounding)
        if differs(reference.outputs(graph, levels)):
            return "the lowering of the whole graph changes them"
        for name, run in INTEGER_PASSES:
            graph, _ = run(graph)
            if differs(reference.outputs(graph, levels)):
                return f"the pass {name} changes them"
    except EdgekcError as error:
        return f"compiling it again fails: {error}"
    return "no pass of this version changes them: the packed model was made by another version, or damaged"


def _litert(
    source: Source, graph: Graph, program: imported.Program, edges: _Edges, real: Sequence[Array],
    found: Sequence[Array], traced: int,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """(oracle) where LiteRT gives the same bytes, or (note) why it was not asked."""
    assert source.path is not None
    from ..importers.tflite.file import FileModel, read

    data = source.path.read_bytes()
    if data[4:8] != b"TFL3":
        return [], [f"not compared with LiteRT, which reads no {source.path.suffix}"]
    rounds = any(source_of(n).two_roundings for n in graph.nodes)
    interpreter = litert.find(source.rounding if rounds else None)
    if interpreter is None and source.rounding == "double":
        return [], ["not compared with LiteRT: its fully connected layers do not round as --rounding double does"]
    if interpreter is None:
        return [], [f"not compared with LiteRT, which is not installed: {litert.INSTALL}"]
    model: FileModel = read(data, str(source.path))
    layers = {
        op.outputs[0]: op
        for op in model.operators
        if len(op.outputs) == 1 and model.tensors[op.outputs[0]].dtype != "resource"
    }
    try:
        if wrong := sorted({op.builtin for op in model.operators} & set(litert.WRONG_REFERENCE)):
            raise ToolError(f"its reference kernel of {', '.join(wrong)} is wrong", where=interpreter.title)
        outputs, inner = litert.run(interpreter, source.path, real, sorted(layers), traced)
    except ToolError as error:
        return _own_kernels(interpreter, source.path, real, edges, found, str(error))
    names, (floats, loose) = _names(program.graph), near.inexact(program.graph)

    def layer(values: Mapping[str, Array], seen: Mapping[int, Array]) -> str:
        """The first layer of a sample in which LiteRT differs; empty where there is none."""
        for index, op in layers.items():
            ours = values.get(names.get(op.index, ""))
            if ours is None or seen[index].dtype != ours.dtype or ours.dtype == np.float32:
                continue
            if names[op.index] in floats:
                continue
            a, b = ours.ravel(), seen[index].ravel()
            if a.shape == b.shape and (a != b).any():
                return f"the first layer that differs is {op.builtin} {op.index}"
        return ""

    def why(k: int) -> str:
        to_k = _to(k, graph, real)
        _, seen = litert.run(interpreter, source.path or Path(), to_k, sorted(layers), len(to_k[0]))
        for j, values in enumerate(imported.batches(program, to_k, 1)):
            if fault := layer(values, {i: x[j] for i, x in seen.items()}):
                return fault
        return "all layers that could be compared agree"

    oracle = f"LiteRT ({interpreter.title})"
    given = edges.to_device(outputs)
    notes = near.compare(program.graph, floats, loose, found, given, oracle)
    exact = [k for k, name in enumerate(program.graph.outputs) if name not in floats]
    _same([found[k] for k in exact], [given[k] for k in exact], f"{source.path.name} {IMPORTED},", oracle, why)
    for k, values in enumerate(imported.batches(program, [x[:traced] for x in real], 1)):
        difference = layer(values, {i: v[k] for i, v in inner.items()})
        if difference:
            raise VerifyError(f"{oracle} agrees in the outputs, but {difference}", where=f"sample {k}")
    return [oracle], notes


def _own_kernels(
    interpreter: litert.Interpreter, path: Path, real: Sequence[Array], edges: _Edges, found: Sequence[Array],
    reason: str,
) -> tuple[list[str], list[str]]:  # fmt: skip
    """As `_litert`, where its reference kernels cannot be asked. A difference is a note: its others define nothing."""
    try:
        outputs, _ = litert.run(interpreter, path, real, reference=False)
    except ToolError as error:
        return [], [f"not compared with LiteRT: {error}"]
    pairs = list(zip(found, edges.to_device(outputs), strict=True))
    count = sum(int(np.count_nonzero(a.ravel() != b.ravel())) for a, b in pairs)
    if not count:
        return [f"LiteRT ({interpreter.title}), its own kernels"], [f"not its reference kernels: {reason}"]
    most = max(int(np.abs(a.ravel().astype(np.int64) - b.ravel().astype(np.int64)).max()) for a, b in pairs)
    whole = sum(a.size for a, _ in pairs)
    return [], [f"LiteRT's own kernels differ in {count} of {whole} outputs, by {most} at most; {reason}"]


def _names(graph: Graph) -> dict[int, str]:
    """Operator's index in the file -> the graph's tensor that it writes; nodes are named by operator and index."""
    out = {}
    for node in graph.nodes:
        tail = node.name.rsplit("_", 1)[-1]
        if tail.isdigit():
            out[int(tail)] = node.outputs[0]
    return out
