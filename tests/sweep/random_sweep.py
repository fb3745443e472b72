"""Random networks on every family of kernels: what LiteRT, the numpy definition and the sanitizers say of them.

A network enters in up to three forms: as the file has it ("dense"), with layers packed so that they compute the same
("exact"), and with packed weights of up to 16 bits ("wide"). LiteRT is the oracle of the first two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import oracle
import oracle_operators
import random_build as rb
from importing import import_tflite
from kernel_files import kernel_sources
from random_nets import RandomNet, random_net, random_samples
from random_packed import pack_layers
from random_rows import row_jobs, row_net

from edgekc.emulate import reference
from edgekc.errors import EdgekcError
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Array, Graph
from edgekc.importers.tflite.builder import node_name
from edgekc.importers.tflite.file import FileOperator
from edgekc.ops import legal
from edgekc.passes import INTEGER_PASSES, QUANTIZED_PASSES, apply
from edgekc.passes.lower import lower
from edgekc.progress import unsaid

FORMS = ("dense", "exact", "wide")
SAMPLES = 5
MOST_FINDINGS = 20  # then the sweep stops
METADATA = {"tool": "edgekc", "source": "random.tflite", "source_sha256": "0" * 64, "recipe": "none"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A network in one form, compiled to an .ekc, with what every activation of it should be."""

    net: RandomNet
    form: str
    data: bytes  # the .ekc
    graph: Graph  # as read back
    inputs: list[Array]  # of the graph: a sample along the first axis
    values: dict[str, Array]  # of all activations, by the numpy definition

    @property
    def name(self) -> str:
        return f"net{self.net.seed}{self.form}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one network."""

    seed: int
    form: str
    text: str

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.form}: {self.text}"


@dataclass
class Outcome:
    graphs: int = 0
    runs: int = 0  # of a graph on a family of kernels that chooses others than those before
    refused: list[Finding] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)  # kernel file -> graphs that call it
    operators: Counter[str] = field(default_factory=Counter)  # of the .tflite files
    families: Counter[str] = field(default_factory=Counter)  # runs of each

    def add(self, more: Outcome) -> None:
        """Take in what another sweep, of other networks, found."""
        self.graphs += more.graphs
        self.runs += more.runs
        self.refused += more.refused
        self.findings += more.findings
        for mine, theirs in (
            (self.reached, more.reached),
            (self.operators, more.operators),
            (self.families, more.families),
        ):
            mine.update(theirs)


def integer_graph(net: RandomNet, form: str = "dense") -> Graph:
    """The pipeline up to the packed model, with packed layers put in behind the lowering. EdgekcError: refused."""
    graph = apply(import_tflite(net.model(), "net", "random.tflite"), QUANTIZED_PASSES, unsaid)
    legal.check(graph)
    older = not oracle.missing() and oracle.fully_connected_rounding() == "double"
    graph = lower(graph, "double" if older else "tflite")
    if form != "dense":
        graph = pack_layers(graph, np.random.default_rng([net.seed, 22]), form == "exact")
    legal.check(graph)
    return replace(apply(graph, INTEGER_PASSES, unsaid), metadata=METADATA)


def subject(net: RandomNet, form: str, count: int = SAMPLES) -> Subject:
    """Raises EdgekcError where the compiler refuses the network."""
    data = pack(integer_graph(net, form))
    graph = read(data, "random.ekc").graph
    rows = random_samples(net, count)
    columns = [np.concatenate([_stored(net, t.name, row[i]) for row in rows]) for i, t in enumerate(net.inputs)]
    return Subject(net, form, data, graph, columns, reference.run(graph, columns))


def _stored(net: RandomNet, name: str, value: Array) -> Array:
    """An input as the compiled network takes it: a cast from float32 at the edge is the application's."""
    if value.dtype != np.float32:
        return value
    q = next(v.out.q for v in net.views if v.node.inputs[:1] == (name,))
    return (np.round(value / np.float32(q.scale)) + q.zero_point).astype(np.int8)


def differs_from_litert(s: Subject) -> str:
    """The first layer and element that LiteRT's reference kernels compute otherwise; empty where there is none.

    Layers that passes dropped, or took channels from, have no counterpart.
    """
    expected = oracle.every_tensor(s.net.model(), random_samples(s.net, len(s.inputs[0])))
    outputs = {t.name: name for t, name in zip(s.net.outputs, s.graph.outputs, strict=True)}
    for k, theirs in enumerate(expected):
        for i, view in enumerate(s.net.views):
            name = outputs.get(view.out.name) or importer_name(oracle_operators.builtin_name(view), i)
            value = theirs[view.out.name]
            if name not in s.values or (view.out.name not in outputs and s.values[name][k].size != value.size):
                continue
            ours = np.asarray(s.values[name][k]).ravel()
            if value.dtype == np.float32:
                value = np.round(value / np.float32(view.x.q.scale) + view.x.q.zero_point).astype(ours.dtype)
            if text := _difference(ours, value.ravel(), "the numpy definition", "LiteRT"):
                what = "output" if view.out.name in outputs else "layer"
                return f"sample {k}, {what} {view.out.name} ({name} of the graph), {text}"
    return ""


def importer_name(builtin: str, index: int) -> str:
    """The tensor that the importer makes of what the operator of this index writes."""
    return node_name(FileOperator(index, builtin, (), (), {}))


def _difference(ours: Array, theirs: Array, who: str, whom: str) -> str:
    if ours.size != theirs.size:
        return f"{who} has {ours.size} values, {whom} {theirs.size}"
    wrong = np.flatnonzero(ours != theirs)
    if not wrong.size:
        return ""
    i = int(wrong[0])
    return f"element {i}: {who} has {ours[i]}, {whom} {theirs[i]}; {wrong.size} of {ours.size} differ"


def differs_from_definition(s: Subject, job: rb.Job, results: Sequence[Sequence[bytes]]) -> str:
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


def sweep(
    seeds: Iterable[int],
    kernels: rb.Kernels,
    folder: Path,
    forms: Sequence[str] = FORMS,
    families: Sequence[rb.Family] | None = None,
    rows: bool = False,
) -> Outcome:
    """Compile, run and compare the network of each seed in its forms; with `rows`, networks of images by rows."""
    out, subjects, jobs = Outcome(), {}, []
    for seed in seeds:
        net = row_net(seed) if rows else random_net(seed)
        out.operators.update(dict.fromkeys((v.node.op for v in net.views), 1))
        for form in forms:
            out.graphs += 1
            try:
                s = subject(net, form)
                found = rb.jobs_of(s.name, s.data, s.inputs, families)
                found = row_jobs(found, seed) if rows else found
            except EdgekcError as error:
                out.refused.append(Finding(seed, form, str(error)))
                continue
            if form != "wide" and not oracle.missing() and (text := differs_from_litert(s)):
                out.findings.append(Finding(seed, form, text))
            subjects[s.name] = s
            jobs += found
    run_jobs(jobs, subjects, kernels, folder, out)
    files: dict[str, set[str]] = {}
    for job in jobs:
        for source in job.sources:
            files.setdefault(source, set()).add(job.name.rsplit("_", 1)[0])
    out.reached.update({source: len(names) for source, names in files.items()})
    out.runs = len(jobs)
    out.families.update(job.family.name for job in jobs)
    return out


def run_jobs(
    jobs: Sequence[rb.Job], subjects: Mapping[str, Subject], kernels: rb.Kernels, folder: Path, out: Outcome
) -> None:
    """Build, run and compare; what is wrong goes to the findings of `out`."""
    for flags in dict.fromkeys(job.family.flags for job in jobs):
        part = [job for job in jobs if job.family.flags == flags]
        program = rb.build(part, kernels, folder / ("-".join(flags) or "common"))
        while part:
            results, stopped = rb.run(program, part)
            for job, rows in zip(part, results, strict=False):
                s = subjects[job.name.rsplit("_", 1)[0]]
                if text := differs_from_definition(s, job, rows):
                    out.findings.append(Finding(s.net.seed, s.form, text))
            if stopped is None:
                break
            s, job = subjects[part[len(results)].name.rsplit("_", 1)[0]], part[len(results)]
            out.findings.append(Finding(s.net.seed, s.form, f"{job.family.name}, {stopped}"))
            if len(out.findings) > MOST_FINDINGS:
                return
            part = part[len(results) + 1 :]
            program = rb.build(part, kernels, folder / "rest") if part else program


def kernel_files() -> list[str]:
    return [path.name for path in kernel_sources()]


# Of uint8 models, rare broadcasts, variable tensors and memory filters: test_unsigned.py, test_pairs.py, test_lstm.py
# and test_svdf.py in tests/ops/. Of programs that pt2e quantised: tests/importers/test_torch_quantised.py. Of layers by
# rows: test_random_rows.py. For little RAM: tests/unit/test_rows.py. For size: tests/cross/test_less_code.py.
# Of damaged constants: tests/cross/test_integrity.py.
ELSEWHERE = (
    "ek_average_pool_half_up_s8.c",
    "ek_average_pool_nearest_s8.c",
    "ek_center_table_small_dsp.c",
    "ek_check_crc.c",
    "ek_conv2d_direct_s8_dsp.c",
    "ek_crc32.c",
    "ek_expand_columns_small_dsp.c",
    "ek_expand_outputs_small_dsp.c",
    "ek_lstm_s8.c",
    "ek_lut_mean_s8.c",
    "ek_mean_nearest_s8.c",
    "ek_mul_deep_const_s8.c",
    "ek_mul_deep_s8.c",
    "ek_mul_nearest_const_s8.c",
    "ek_mul_nearest_s8.c",
    "ek_resize_bilinear_unsigned_s8.c",
    "ek_rows_next.c",
    "ek_svdf_s8.c",
)
# Of 16x8 models: tests/importers/test_tflite_int16.py. Of float parts: tests/ops/test_floats_vs_litert.py.
_OTHER_TYPES = ("_s16", "_s16_deep", "_s16_dsp", "_s16_mve", "_f32")


def unreached(out: Outcome) -> list[str]:
    """Kernel files that no network of the sweep calls, and that it is for."""
    here = [name for name in kernel_files() if not name.removesuffix(".c").endswith(_OTHER_TYPES)]
    return [name for name in here if not out.reached[name] and name not in ELSEWHERE]


def table(out: Outcome) -> str:
    """How many graphs reach each kernel file, and how many runs each family has."""
    counts = f"{out.graphs} graphs, {out.runs} runs, {len(out.refused)} refused, {len(out.findings)} wrong"
    lines = [f"{counts}; {oracle.missing() or 'held against LiteRT too'}"]
    lines += [f"  {name:<40} {count:>5} runs" for name, count in sorted(out.families.items())]
    return "\n".join([*lines, *(f"  {name:<40} {out.reached[name]:>5} graphs" for name in kernel_files())])
