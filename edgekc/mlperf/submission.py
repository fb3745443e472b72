"""The folder of a submission to MLPerf Tiny, with what edgekc can fill in, and a list of what it cannot.

The layout is that of github.com/mlcommons/tiny_results_v1.3, README.md: DIVISION/SUBMITTER/{systems,code,results}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .. import __version__
from ..boards.board import Board
from ..errors import UsageError
from .benchmarks import Benchmark
from .modes import RUNS, Performance, Quality

TO_FILL_IN = "TO BE FILLED IN"
_NOT_THE_RUNNER = (
    "Made by `edgekc mlperf`, whose client speaks the protocol of the benchmark's runner and is not it. The rules ask "
    "for the runner."
)
_NO_HARDWARE = "The board was emulated. Nothing here is a time, and no result of it can be submitted."


def check_submitter(name: str) -> str:
    """UsageError for what makes no folder."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UsageError(f"{name!r} makes no folder's name", where="--submitter", fix="use letters, digits, - and _")
    return name


def division_of(manifest: Mapping[str, Any], wanted: str, where: str) -> str:
    """closed or open: closed takes the reference's weights, however they were quantised (rules, Model Equivalence)."""
    recipe = str(manifest["metadata"].get("recipe", "none"))
    changed = recipe != "none" and not recipe.startswith("rounding=")
    if wanted not in ("", "closed", "open"):
        raise UsageError(f"there is no division {wanted!r}", where="--division", fix="use closed or open")
    if wanted == "closed" and changed:
        raise UsageError(
            "a recipe has changed its weights, and the closed division forbids that", where=where,
            fix="use --division open",
        )  # fmt: skip
    return wanted or ("open" if changed else "closed")


def system(board: Board, submitter: str, division: str, compiler: str, *, emulated: bool) -> str:
    """systems/BOARD.json, with the keys of published submissions."""
    clock = board.console.clock_hz if board.console is not None else 0
    ram = sum(m.size_bytes for m in board.memories if m.kind == "ram")
    fields = {
        "Submitter": submitter,
        "Division": division.capitalize(),
        "Status": TO_FILL_IN,
        "Board Name": board.description,
        "Board Memory capacity (not including SoC, processor, or accelerator)": TO_FILL_IN,
        "Board Memory type": TO_FILL_IN,
        "Board storage capacity": TO_FILL_IN,
        "Board storage type": TO_FILL_IN,
        "SoC Name": TO_FILL_IN,
        "SoC Memory capacity (not including processor or accelerator)": f"{ram // 1024} KiB",
        "SoC Memory type": "SRAM",
        "SoC storage capacity": f"{board.flash.size_bytes // 1024} KiB",
        "SoC storage type": "flash",
        "Processor(s) Name": board.core.name,
        "Processor(s) Frequencies": f"{clock / 1e6:g} MHz" if clock and not emulated else TO_FILL_IN,
        "Processor memory type and capacity": TO_FILL_IN,
        "Processor storage type and capacity": TO_FILL_IN,
        "Accelerator": "",
        "Accelerator(s) Frequencies": "",
        "Accelerator memory type and capacity": "",
        "Accelerator storage type and capacity": "",
        "Hardware Notes": _NO_HARDWARE if emulated else "",
        "Inference Framework": f"edgekc {__version__}",
        "Software Libraries": "none",
        "Operating System": "none",
        "Other Software Stack": "",
        "Software Notes": "",
        "Quantization Method": TO_FILL_IN,
        "Training framework (open division)": TO_FILL_IN if division == "open" else "",
        "ML Model Compiler(s)": f"edgekc {__version__}",
        "General Compiler(s)": compiler,
        "Other Software": "",
        "Training and Quantization Notes": TO_FILL_IN,
    }
    return json.dumps(fields, indent=2) + "\n"


def performance_text(benchmark: Benchmark, found: Performance) -> str:
    """results.txt of performance mode."""
    lines = [_NOT_THE_RUNNER, *([_NO_HARDWARE] if found.emulated else []), ""]
    lines.append(f"benchmark {benchmark.model}, {RUNS} runs of {found.iterations} inferences, one sample")
    for k, elapsed in enumerate(found.elapsed):
        lines.append(f"run {k + 1}: {elapsed} {found.unit}")
    lines.append(f"median of an inference: {found.median:.1f} {found.unit}")
    if found.throughput is not None:
        lines.append(f"throughput: {found.throughput:.3f} inferences/s")
    return "\n".join(lines) + "\n"


def accuracy_text(benchmark: Benchmark, found: Quality, source: str, *, emulated: bool) -> str:
    """results.txt of accuracy mode."""
    lines = [_NOT_THE_RUNNER, *([_NO_HARDWARE] if emulated else []), ""]
    lines.append(f"benchmark {benchmark.model}, samples of {source}")
    lines.append(found.text(benchmark))
    lines.append(
        f"the closed division asks for {benchmark.quality} of {benchmark.target:g}, over the benchmark's own set"
    )
    return "\n".join(lines) + "\n"


def readme(submitter: str, division: str, board: Board, missing: list[str], *, emulated: bool) -> str:
    """README.md of the submitter's folder: what is there, and what is missing for a submission."""
    lines = [
        f"# {submitter}, MLPerf Tiny, {division} division",
        "",
        f"Written by edgekc {__version__} for {board.name}, in the layout that MLPerf Tiny asks of submissions.",
        "",
        f"- `systems/{board.name}.json`: the system. Its fields `{TO_FILL_IN}` are the submitter's.",
        "- `code/TASK/edgekc/`: the network as C, the firmware around it, and the program. `build.sh` builds it.",
        f"- `results/{board.name}/BENCHMARK/`: `results.txt` and the serial line's log, of each mode that was run.",
        "",
        "## What is missing for a submission",
        "",
        *(f"- {line}" for line in missing),
        "- results of the benchmark's own runner, with its `script.async`",
        "- the submission checklist, as PDF, in `systems/`",
        "- `energy/`, if energy is submitted: the firmware has performance mode only",
        "- the benchmark's own firmware side: `code/*/edgekc/firmware/port/ek_mlperf.c` is edgekc's. Replace it by "
        "`benchmark/api/internally_implemented.cpp` of mlcommons/tiny.",
    ]
    if emulated:
        lines.append("- hardware: " + _NO_HARDWARE)
    return "\n".join(lines) + "\n"
