"""Random networks on every family of kernels: what LiteRT, the numpy definition and the sanitizers say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import oracle

from edgekc.emulate import litert
from edgekc.errors import EdgekcError
from edgekc.fuzzing import comparing
from edgekc.fuzzing.building import Family, Job, Kernels, jobs_of
from edgekc.fuzzing.comparing import Finding
from edgekc.fuzzing.compiling import kernel_sources
from edgekc.fuzzing.interpreter import Interpreter
from edgekc.fuzzing.nets import random_net
from edgekc.fuzzing.plans import row_jobs, row_net
from edgekc.fuzzing.subjects import FORMS, Subject, subject


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


def rounding() -> str:
    """Of fully connected layers, as the oracle's interpreter has them."""
    older = not oracle.missing() and oracle.fully_connected_rounding() == "double"
    return "double" if older else "tflite"


def sweep(
    seeds: Iterable[int],
    kernels: Kernels,
    folder: Path,
    forms: Sequence[str] = FORMS,
    families: Sequence[Family] | None = None,
    rows: bool = False,
) -> Outcome:
    """Compile, run and compare the network of each seed in its forms; with `rows`, networks of images by rows."""
    out, subjects, jobs = Outcome(), dict[str, Subject](), list[Job]()
    oracle_here = litert.find(rounding())
    interpreter = None if oracle_here is None else Interpreter(oracle_here)
    for seed in seeds:
        net = row_net(seed) if rows else random_net(seed)
        out.operators.update(dict.fromkeys((v.node.op for v in net.views), 1))
        for form in forms:
            out.graphs += 1
            try:
                s = subject(net, form, rounding=rounding())
                found = jobs_of(s.name, s.data, s.inputs, families)
                found = row_jobs(found, seed) if rows else found
            except EdgekcError as error:
                out.refused.append(Finding(net.kind, seed, form, "", str(error)))
                continue
            if form != "wide" and interpreter is not None:
                text = comparing.differs_from_litert(s, comparing.litert_values(s, interpreter))
                out.findings += [comparing.found(s, comparing.LITERT, text)] if text else []
            subjects[s.name] = s
            jobs += found
    if interpreter is not None:
        interpreter.close()
    out.findings += comparing.run_jobs(jobs, subjects, kernels, folder)
    files: dict[str, set[str]] = {}
    for job in jobs:
        for source in job.sources:
            files.setdefault(source, set()).add(job.name.rsplit("_", 1)[0])
    out.reached.update({source: len(names) for source, names in files.items()})
    out.runs = len(jobs)
    out.families.update(job.family.name for job in jobs)
    return out


def kernel_files() -> list[str]:
    return [path.name for path in kernel_sources()]


# Of uint8 models, rare broadcasts, variable tensors and memory filters: test_unsigned.py, test_pairs.py, test_lstm.py
# and test_svdf.py in tests/ops/. Of programs that pt2e quantised: tests/importers/test_torch_quantised.py. Of layers by
# rows: test_random_rows.py. For little RAM: tests/unit/test_rows.py. For size: tests/cross/test_less_code.py.
# Of damaged constants: tests/cross/test_integrity.py. Of blobs: tests/blobs.
ELSEWHERE = (
    "ek_average_pool_half_up_s8.c",
    "ek_average_pool_nearest_s8.c",
    "ek_blob_check.c",
    "ek_center_table_small_dsp.c",
    "ek_check_crc.c",
    "ek_conv2d_direct_s8_dsp.c",
    "ek_crc32.c",
    "ek_expand_columns_small_dsp.c",
    "ek_expand_outputs_small_dsp.c",
    "ek_lstm_s8.c",
    "ek_lut_mean_s8.c",
    "ek_mean_nearest_s8.c",
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
