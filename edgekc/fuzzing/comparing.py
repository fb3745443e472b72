"""What is wrong with random networks: LiteRT, the file as imported and the C held against the definition."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..emulate import near
from ..graph.ir import Array, Tensor
from ..graph.op import View
from ..importers.tflite.builder import node_name
from ..importers.tflite.file import FileOperator
from ..passes import QUANTIZED_PASSES, apply
from ..progress import unsaid
from .building import Job, Kernels, build, linkable, run
from .file_operators import builtin_name
from .floats import KIND as FLOAT
from .interpreter import Interpreter
from .subjects import Subject, imported_graph, imported_outputs

MOST_FINDINGS = 20  # then it stops
LITERT, IMPORTED = "LiteRT", "as imported"  # sides, beside the families of kernels and the boards


def first_line(text: str) -> str:
    """What a finding says, without the report behind it."""
    return text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one network. `side`: what computes otherwise than the definition; `text`: in a line, behind
    which a sanitizer's report may stand."""

    kind: str
    seed: int
    form: str
    side: str
    text: str

    def __str__(self) -> str:
        kind = "" if self.kind == "int8" else f"{self.kind}, "
        return f"seed {self.seed}, {kind}{self.form}: {first_line(self.text)}"


def found(s: Subject, side: str, text: str) -> Finding:
    return Finding(s.net.kind, s.net.seed, s.form, side, text)


def litert_values(s: Subject, interpreter: Interpreter) -> list[dict[str, Array]]:
    """What LiteRT gives for the outputs of each node, sample by sample. RuntimeError where it refuses the file."""
    return interpreter.values(s.net.model(), s.samples, [t.name for view in s.net.views for t in view.outputs])


def differs_from_litert(s: Subject, expected: Sequence[Mapping[str, Array]]) -> str:
    """The first layer and element that LiteRT's reference kernels compute otherwise; empty where there is none.

    Layers that passes dropped, or took channels from, have no counterpart. Of a network with variables only outputs are
    compared: there LiteRT was seen to give other bytes behind a RESHAPE than in front of it, where no output needs it.
    """
    outputs = {t.name: name for t, name in zip(s.net.outputs, s.graph.outputs, strict=True)}
    distance = _in_float(s) if s.net.kind == FLOAT else _apart
    for k, theirs in enumerate(expected):
        for i, view in enumerate(s.net.views):
            for part, t in enumerate(view.outputs):
                made = importer_name(builtin_name(view), i, part if len(view.outputs) > 1 else None)
                name = outputs.get(t.name) or made
                if (s.net.variables and t.name not in outputs) or name not in s.values:
                    continue
                ours, value = np.asarray(s.values[name][k]), theirs[t.name]
                if t.name not in outputs and ours.size != value.size:
                    continue
                if text := distance(view, made, t, ours.ravel(), value.ravel()):
                    what = "output" if t.name in outputs else "layer"
                    return f"sample {k}, {what} {t.name} ({name} of the graph), {text}"
    return ""


def _apart(view: View, made: str, t: Tensor, ours: Array, theirs: Array) -> str:
    """How the bytes of an output of a node differ."""
    if theirs.dtype == np.uint8 and ours.dtype == np.int8:
        theirs = (theirs ^ np.uint8(0x80)).view(np.int8)
    if theirs.dtype == np.float32:
        apart = 128 if view.x.dtype == "uint8" and ours.dtype == np.int8 else 0
        theirs = np.round(theirs / np.float32(view.x.q.scale) + (view.x.q.zero_point - apart)).astype(ours.dtype)
    return _difference(ours, theirs, "the numpy definition", "LiteRT")


def _in_float(s: Subject) -> Callable[[View, str, Tensor, Array, Array], str]:
    """As `_apart` for a network with a part in float: numbers may be as far away as `edgekc verify` allows.

    What comes of such a number by a jump is not held: a last bit makes the next level, or another order of detections.
    """
    graph = apply(imported_graph(s.net), QUANTIZED_PASSES, unsaid)
    inexact, loose = near.inexact(graph)
    jumps = loose | near.detections(graph, inexact)
    ends = dict(zip((t.name for t in s.net.outputs), graph.outputs, strict=True))
    detected = near.detections(graph)

    def apart(view: View, made: str, t: Tensor, ours: Array, theirs: Array) -> str:
        before = ends.get(t.name, made)
        if view.node.op == "dequantize" or before in jumps:  # a cast at an edge is dropped
            return ""
        a, b = (v.astype(np.float64) for v in (ours, theirs))
        if before in detected:  # LiteRT leaves what lies behind the last detection as it finds it
            b = np.where(a == 0, 0.0, b)
        if a.size != b.size:
            return _difference(ours, theirs, "the numpy definition", "LiteRT")
        allowed = near.TOLERANCE * max(1.0, float(np.abs(b).max())) if before in inexact else 0.0
        if (distance := float(np.abs(a - b).max())) <= allowed:
            return ""
        return f"the numpy definition and LiteRT are {distance:.1e} apart, not {allowed:.1e}"

    return apart


def importer_name(builtin: str, index: int, part: int | None = None) -> str:
    """The tensor that the importer makes of what the operator of this index writes; `part`: of several outputs."""
    return node_name(FileOperator(index, builtin, (), (), {}), part)


def _difference(ours: Array, theirs: Array, who: str, whom: str) -> str:
    if ours.size != theirs.size:
        return f"{who} has {ours.size} values, {whom} {theirs.size}"
    wrong = np.flatnonzero(ours != theirs)
    if not wrong.size:
        return ""
    i = int(wrong[0])
    return f"element {i}: {who} has {ours[i]}, {whom} {theirs[i]}; {wrong.size} of {ours.size} differ"


def differs_from_import(s: Subject) -> str:
    """The first output that the passes and lowerings changed, by the numpy definitions of both sides of them."""
    outputs = imported_outputs(s)
    for name, theirs in zip(s.graph.outputs, outputs or (), strict=False):
        ours = np.asarray(s.values[name])
        if text := _difference(
            ours.ravel(), np.asarray(theirs).ravel(), "the numpy definition", "the file as imported"
        ):
            return f"output {name}, {text}"
    return ""


def differs_from_definition(s: Subject, job: Job, results: Sequence[Sequence[bytes]]) -> str:
    """The first layer and element that the C computes otherwise than the definition."""
    for k, row in enumerate(results):
        outputs = b"".join(np.ascontiguousarray(s.values[n][k]).tobytes() for n in s.graph.outputs)
        expected = [np.ascontiguousarray(s.values[step.view.node.outputs[0]][k]).tobytes() for step in job.plan.steps]
        for i, (ours, theirs) in enumerate(zip([*expected, outputs], row, strict=True)):
            text = _difference(np.frombuffer(theirs, np.int8), np.frombuffer(ours, np.int8), "the C", "the definition")
            if text:
                steps = job.plan.steps
                layer = (
                    f"layer {i} {steps[i].view.node.name} ({steps[i].kernel.symbol})" if i < len(steps) else "output"
                )
                return f"{job.family.name}, sample {k}, {layer}, {text}"
    return ""


def run_jobs(jobs: Sequence[Job], subjects: Mapping[str, Subject], kernels: Kernels, folder: Path) -> list[Finding]:
    """Build, run and compare on this machine.

    Args:
        subjects: by name; a job's name is its subject's, and a number.
    """
    wrong: list[Finding] = []
    for flags in dict.fromkeys(job.family.flags for job in jobs):
        part = [job for job in jobs if job.family.flags == flags]
        waiting = linkable(part)
        while waiting and len(wrong) <= MOST_FINDINGS:
            part = waiting.pop()
            try:
                program = build(part, kernels, folder / ("-".join(flags) or "common"))
            except subprocess.CalledProcessError as error:
                half = len(part) // 2
                waiting += [part[half:], part[:half]] if half else []
                if not half:
                    said = next((line for line in str(error).splitlines() if " error: " in line), "").partition(
                        " error: "
                    )
                    text = f"{part[0].family.name}, the compiler ended with {error.returncode}: {said[2]}"
                    wrong.append(found(subject_of(part[0], subjects), part[0].family.name, text))
                continue
            results, stopped = run(program, part)
            for job, rows in zip(part, results, strict=False):
                s = subject_of(job, subjects)
                if text := differs_from_definition(s, job, rows):
                    wrong.append(found(s, job.family.name, text))
            if stopped is not None:
                job, rest = part[len(results)], part[len(results) + 1 :]
                wrong.append(found(subject_of(job, subjects), job.family.name, f"{job.family.name}, {stopped}"))
                waiting += [rest] if rest else []
    return wrong


def subject_of(job: Job, subjects: Mapping[str, Subject]) -> Subject:
    return subjects[job.name.rsplit("_", 1)[0]]
