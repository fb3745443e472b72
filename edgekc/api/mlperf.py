"""Models of MLPerf Tiny and a board to a submission's folder, and to what its two modes say over the board's UART."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__, tables
from ..boards.board import Board, load_board
from ..console.session import Way
from ..errors import ToolError, UsageError
from ..files.output import build_folder, write_folder
from ..files.place import save
from ..mlperf import firmware, submission
from ..mlperf.benchmarks import BENCHMARKS, Benchmark, benchmark_of
from ..mlperf.client import Device
from ..mlperf.modes import Performance, Quality, accuracy, performance
from ..mlperf.samples import Labelled, load_samples, unlabelled
from ..progress import Progress, silent
from .compiling import compile
from .program import Program

_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class MlperfRow:
    """One model.

    Attributes:
        performance: None where it was not run.
        quality: of accuracy mode; None where it was not run.
        notes: why something was not run.
    """

    model: str
    benchmark: str
    performance: Performance | None
    quality: Quality | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mlperf(tables.Shown):
    """What `run_mlperf` found.

    Attributes:
        folder: of the submission, below DIR.
        rows: one for each model, in the order in which they were named.
    """

    board: str
    division: str
    folder: str
    rows: tuple[MlperfRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `edgekc mlperf --json` prints."""
        rows = []
        for row in self.rows:
            p, q = row.performance, row.quality
            runs = None if p is None else {
                "iterations": p.iterations, "elapsed": list(p.elapsed), "unit": p.unit, "resolution": p.resolution,
                "median": p.median, "inferences_per_second": p.throughput,
            }  # fmt: skip
            found = None if q is None else {"value": q.value, "files": q.files, "right": q.right}
            quality = None if found is None else {"metric": BENCHMARKS[row.benchmark].quality, **found}
            rows.append({"model": row.model, "benchmark": row.benchmark, "performance": runs, "accuracy": quality,
                         "notes": list(row.notes)})  # fmt: skip
        return {"board": self.board, "division": self.division, "folder": self.folder, "rows": rows}

    def parts(self) -> list[tables.Part]:
        """The table, its unit, and why something is missing in it."""
        number = tables.number
        sheet = tables.Sheet(
            f"MLPerf Tiny on {self.board}, by edgekc's client", "benchmark", number("inferences a run"),
            number("median of an inference"), number("inferences/s"), "accuracy", "asked",
        )  # fmt: skip
        units = []
        for row in self.rows:
            b, p, q = BENCHMARKS[row.benchmark], row.performance, row.quality
            each = ("", "", "") if p is None else (
                tables.size(p.iterations), f"{p.median:,.0f}", "" if p.throughput is None else f"{p.throughput:,.3f}",
            )  # fmt: skip
            said = "" if p is None else f"{p.unit}; each run to within {tables.size(p.resolution)}"
            units += [said] if said and said not in units else []
            sheet.add(row.benchmark, *each, "" if q is None else q.text(b), f"{b.quality} {b.target:g}")
        notes = [f"{row.benchmark}: {note}" for row in self.rows for note in row.notes]
        return [sheet, *(f"median: {unit}" for unit in units), *notes, f"the folder of a submission: {self.folder}"]


def run_mlperf(
    models: Sequence[str | Path],
    out: str | Path,
    *,
    board: str | Path | Board,
    submitter: str = "SUBMITTER",
    division: str = "",
    data: Mapping[str, str | Path] | None = None,
    samples: int | None = None,
    iterations: int = 10,
    way: Way | None = None,
    run: bool = True,
    timeout_s: float = 300.0,
    force: bool = False,
    progress: Progress = silent,
) -> Mlperf:
    """Build MLPerf Tiny's firmware over models, run performance and accuracy mode, and write a submission's folder.

    Args:
        models: int8 models of the benchmarks ic, kws, vww and ad, each at most once; see `compile`.
        out: the folder to write: a new one, an empty one, or an earlier one of this function's.
        board: a microcontroller with a UART. An emulated one is run here. Another is flashed and run where `way` says
            how it is reached.
        submitter: the organisation, as a folder's name.
        division: closed or open. Default: closed, but open for a model that a recipe has changed.
        data: labelled samples of accuracy mode by benchmark, see `edgekc.mlperf.samples.load_samples`. A benchmark
            without them has no accuracy mode.
        samples: how many of them; None: all.
        iterations: inferences of each of five runs, at least. On hardware each run takes at least ten seconds.
        way: how a board that is not emulated is reached; its link is the UART. None: as its file says for an emulated
            one, and nothing is run on another.
        run: False: build and write only.
        timeout_s: for each `infer`.
        force: overwrite files of an earlier folder that were changed since.
        progress: is told what is done.

    Raises:
        UsageError: a model is of no benchmark, one is named twice, or data do not fit.
        BoardError: the board has no UART.
        CapacityError, ModelError, UnsupportedError, FormatError: as `compile`.
        FlashError: the board could not be programmed.
        ToolError: no compiler or emulator, or the device does not answer as the protocol wants it.
    """
    target = board if isinstance(board, Board) else load_board(board)
    firmware.check_board(target)
    submission.check_submitter(submitter)
    if iterations < 1:
        raise UsageError(f"{iterations} inferences are none", where="--iterations", fix="ask for 1 at least")
    given = {name: Path(path) for name, path in (data or {}).items()}
    if strange := sorted(set(given) - set(BENCHMARKS)):
        raise UsageError(f"there is no benchmark {strange[0]}", where="--data", fix=f"use {', '.join(BENCHMARKS)}")
    jobs = _jobs(models, target, given, samples)
    if unused := sorted(set(given) - {benchmark.name for _, benchmark, _, _ in jobs}):
        raise UsageError(f"there are samples of {unused[0]}, and no model", where="--data", fix="leave it out")
    divisions = {submission.division_of(p.manifest, division, where) for p, _, where, _ in jobs}
    if len(divisions) > 1:
        raise UsageError("some models are of the closed division and some of the open", fix="use --division open")
    place = f"{divisions.pop()}/{submitter}"
    reach = way or Way(timeout_s=timeout_s) if run and (way or firmware.is_emulated(target)) else None
    rows = []
    with build_folder(Path(out), {"tool": f"edgekc {__version__}", "board": target.name}, force=force) as new:
        for program, benchmark, where, labelled in jobs:
            row = _one(program, benchmark, where, labelled, target, new / place, given.get(benchmark.name),
                       iterations, reach, timeout_s, progress)  # fmt: skip
            rows.append(row)
        _frame(new / place, target, submitter, rows)
    return Mlperf(target.name, place.partition("/")[0], str(Path(out) / place), tuple(rows))


def _jobs(
    models: Sequence[str | Path], board: Board, data: Mapping[str, Path], samples: int | None
) -> list[tuple[Program, Benchmark, str, tuple[Labelled, ...]]]:
    """All that can be wrong with what the user gave is found before anything is built."""
    jobs: list[tuple[Program, Benchmark, str, tuple[Labelled, ...]]] = []
    for model in models:
        program = compile(model, board=board)
        benchmark = benchmark_of(program.manifest, str(model))
        if benchmark.name in [other.name for _, other, _, _ in jobs]:
            raise UsageError(f"is another model of {benchmark.name}", where=str(model), fix="name one of each")
        path = data.get(benchmark.name)
        labelled = () if path is None else load_samples(path, benchmark, samples)
        jobs.append((program, benchmark, str(model), labelled))
    if not jobs:
        raise UsageError("no model is named", fix="name one at least")
    return jobs


def _one(
    program: Program, benchmark: Benchmark, where: str, labelled: tuple[Labelled, ...], board: Board, place: Path,
    source: Path | None, iterations: int, way: Way | None, timeout_s: float, progress: Progress,
) -> MlperfRow:  # fmt: skip
    """Builds and runs one model, and writes its code and its results."""
    notes, speed, quality = [], None, None
    with tempfile.TemporaryDirectory(prefix="edgekc-mlperf-") as temporary:
        folder, built = Path(temporary) / "net", Path(temporary) / "build"
        progress(f"{benchmark.name}: build", 0, 0)
        write_folder(program.files, folder)
        image = firmware.build(folder, board, benchmark, built)
        code = place / "code" / benchmark.task / "edgekc"
        for path, content in firmware.sources(image, built, program.files).items():
            save(code / path, content)
        if (code / "build.sh").is_file():
            (code / "build.sh").chmod(0o755)
        results = place / "results" / board.name / benchmark.name
        if way is None:
            notes.append("nothing was run: say how the board is reached, by --probe, --tool or --port")
        else:
            log: list[str] = []
            with firmware.connect(image, built, way) as line:
                device = Device(line, f"board {board.name} (uart)", _ANSWER_S, timeout_s, log.append)
                identity = device.identify()
                if identity.model != benchmark.model:
                    raise ToolError(f"the device has {identity.model}, not {benchmark.model}",
                                    where=f"board {board.name}", fix="flash the program of this model")  # fmt: skip
                sample = labelled[0].windows[0] if labelled else unlabelled(benchmark)
                speed = performance(device, identity, benchmark, board, sample, iterations, progress=progress)
                _results(results / "performance", submission.performance_text(benchmark, speed), log)
                if labelled:
                    quality = accuracy(device, benchmark, labelled, progress=progress)
                    text = submission.accuracy_text(benchmark, quality, str(source), emulated=speed.emulated)
                    _results(results / "accuracy", text, log)
                else:
                    notes.append(f"no accuracy: there are no samples; name some by --data {benchmark.name}=PATH")
    return MlperfRow(where, benchmark.name, speed, quality, tuple(notes))


def _results(folder: Path, text: str, log: list[str]) -> None:
    """results.txt and log.txt; the log starts anew."""
    save(folder / "results.txt", text)
    save(folder / "log.txt", "\n".join(log) + "\n")
    log.clear()


def _frame(place: Path, board: Board, submitter: str, rows: Sequence[MlperfRow]) -> None:
    """The files that are about all models."""
    emulated = firmware.is_emulated(board) or any(r.performance is not None and r.performance.emulated for r in rows)
    missing = [f"{row.benchmark}: {note}" for row in rows for note in row.notes]
    division = place.parent.name
    save(place / "README.md", submission.readme(submitter, division, board, missing, emulated=emulated))
    compiler = firmware.compiler_of(board)
    text = submission.system(board, submitter, division, compiler, emulated=emulated)
    save(place / "systems" / f"{board.name}.json", text)
