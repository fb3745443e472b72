"""Every image that a user's build may make gives the reference's bytes: compilers x flags x cores x models.

    python benchmarks/compiler_matrix.py                          every kernel of each core, and packed models
    python benchmarks/compiler_matrix.py --models DIR --json      and the four MLPerf Tiny models; and the file
    python benchmarks/compiler_matrix.py --cores M4,M33 --flags=-Os,-Og       part of it
    python benchmarks/compiler_matrix.py --models DIR --json --docs           and the table of docs/compilers.md

Each result is kept as it comes (--work), by a digest of all that makes it: started again, it goes on where it was.
Exits with 1 if an image is wrong, faults, or is refused by its compiler.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekc import __version__
from edgekc.errors import ToolError
from edgekc.firmware.toolchain import emulator

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "cross"))
import compiler_matrix as matrix  # noqa: E402  the axes and one image, which the tests share

RESULTS = HERE / "results" / "compiler_matrix.json"
DOCS = HERE.parent / "docs" / "compilers.md"
WORK = Path.home() / ".cache" / "edgekc" / "compiler_matrix.jsonl"
BAD = (matrix.WRONG, matrix.FAULT, matrix.REFUSED)
EVERYWHERE = (*matrix.KERNELS, "digits")  # models for every core, compiler and flag; the others are for WHOLE_CORES
WHOLE_CORES = ("M4",)


@dataclass(frozen=True, slots=True)
class Row:
    core: str
    model: str
    compiler: str
    flag: str
    result: str
    detail: str
    displaced: int


def plan(models: Path | None, wanted: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Each core and model that is asked for and here, the widest first."""
    known = (*matrix.KERNELS, *matrix.FILES, *(matrix.MLPERF if models is not None else ()))
    for model in known:
        for core in matrix.CORES:
            everywhere = model in EVERYWHERE or core in WHOLE_CORES
            if core in wanted["cores"] and model in wanted["only"] and everywhere:
                yield core, model


def run_model(
    core: str, model: str, models: Path | None, wanted: Mapping[str, Sequence[str]], work: Path
) -> tuple[list[Row], list[str]]:
    """The rows of one model on one core, and what is not here; a row that is not in `work` is appended to it."""
    done = load(work)
    rows, missing = [], []
    board = matrix.board_of(core)
    try:
        emulator(board)
    except ToolError as error:
        return [], [str(error)]
    with tempfile.TemporaryDirectory(prefix="edgekc-matrix-") as temporary:
        case = matrix.case_of(model, core, Path(temporary) / "model", models)
        for name, compiler in matrix.compilers(board).items():
            if name not in wanted["compilers"]:
                continue
            if compiler is None:
                missing.append(f"{name} for {board.core.name} is not installed")
                continue
            for flag in wanted["flags"]:
                command = [compiler.version, *compiler.command[1:], *matrix.flags_of(flag, compiler), flag]
                key = hashlib.sha256(json.dumps([case.digest, core, model, command]).encode()).hexdigest()
                if key not in done or done[key].result in BAD:  # what failed is tried again
                    try:
                        found = matrix.run_cell(case, core, compiler, flag, Path(temporary) / "build")
                    except ToolError as error:
                        missing.append(f"{core}, {model}, {name} {flag}, which a further run tries again: {error}")
                        continue
                    detail = found.detail.replace(temporary, "")
                    done[key] = Row(core, model, name, flag, found.result, detail, found.displaced)
                    with work.open("a") as file:
                        file.write("\n" + json.dumps({"key": key, **asdict(done[key])}))
                rows.append(done[key])
    return rows, missing


def load(path: Path) -> dict[str, Row]:
    """What earlier runs found, by digest; a line that was cut off is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            entry = json.loads(line)
            key = entry.pop("key")
            found[key] = Row(**entry)
        except (ValueError, TypeError):
            continue
    return found


# ---- tables ----


def as_json(rows: Sequence[Row], missing: Sequence[str], command: str) -> dict[str, object]:
    """One word for each image of a model, core and compiler, in the order of the flags; what is not equal, in full."""
    images: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in rows:
        images.setdefault(row.model, {}).setdefault(row.core, {}).setdefault(row.compiler, []).append(row.result)
    return {
        "command": command,
        "edgekc": __version__,
        "compilers": versions(rows),
        "flags": {flag: list(matrix.FLAGS[flag]) for flag in dict.fromkeys(r.flag for r in rows)},
        "boards": {core: matrix.CORES[core] for core in dict.fromkeys(r.core for r in rows)},
        "not_here": sorted(set(missing)),
        "images": len(rows),
        "results": dict(Counter(row.result for row in rows)),
        "functions_displaced": sum(row.displaced for row in rows),
        "not_equal": [asdict(row) for row in rows if row.result in (*BAD, matrix.TOO_LARGE)],
        "does_not_apply": sorted(
            {f"{r.compiler} {r.flag} {r.core}: {r.detail}" for r in rows if r.result == matrix.NOT_HERE}
        ),
        "rows": images,
    }


def versions(rows: Sequence[Row]) -> dict[str, str]:
    found = {}
    for core in dict.fromkeys(row.core for row in rows):
        for name, compiler in matrix.compilers(matrix.board_of(core)).items():
            if compiler is not None:
                family = "Linux" if matrix.board_of(core).core.system == "linux" else "Cortex-M"
                found[f"{name}, {family}" if name == "gcc" else name] = compiler.version
    return found


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line for each compiler and flag, a column for each core: images that are equal, of all that ran."""
    cores = list(dict.fromkeys(row.core for row in rows))
    lines = [f"| compiler, flags | {' | '.join(cores)} |", "|---" * (len(cores) + 1) + "|"]
    for compiler, flag in dict.fromkeys((row.compiler, row.flag) for row in rows):
        cells = []
        for core in cores:
            own = [r for r in rows if (r.compiler, r.flag, r.core) == (compiler, flag, core)]
            ran = [r for r in own if r.result not in (matrix.NOT_HERE, matrix.TOO_LARGE)]
            equal = sum(r.result == matrix.EQUAL for r in ran)
            cells.append(f"{equal} of {len(ran)}" if ran else "—")
        lines.append(f"| {compiler} `{flag}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_docs(path: Path, made: str) -> None:
    """Puts the table between the marks of the page."""
    text = path.read_text()
    head, mark, rest = text.partition("<!-- matrix -->\n")
    _, end, tail = rest.partition("<!-- end -->")
    if not mark or not end:
        raise SystemExit(f"{path} has no <!-- matrix --> ... <!-- end -->")
    path.write_text(f"{head}{mark}\n{made}\n\n{end}{tail}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of the four *_int8.tflite of MLPerf Tiny")
    for axis, values in AXES.items():
        parser.add_argument(f"--{axis}", default=",".join(values), help=f"by default {', '.join(values)}")
    parser.add_argument("--jobs", type=int, default=2, help="models at a time")
    parser.add_argument("--work", type=Path, default=WORK, help="file of results so far")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, help="write the results to a file")
    parser.add_argument("--docs", action="store_true", help=f"write the table to {DOCS.name}")
    arguments = parser.parse_args()
    wanted = {axis: getattr(arguments, axis).split(",") for axis in AXES}
    for axis, values in AXES.items():
        if unknown := sorted(set(wanted[axis]) - set(values)):
            parser.error(f"--{axis}: {', '.join(unknown)}; use some of: {', '.join(values)}")
    arguments.work.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    missing: list[str] = []
    tasks = list(plan(arguments.models, wanted))
    with ProcessPoolExecutor(arguments.jobs) as pool:
        jobs = {pool.submit(run_model, *task, arguments.models, wanted, arguments.work): task for task in tasks}
        for n, job in enumerate(as_completed(jobs), 1):
            found, absent = job.result()
            missing += absent
            rows += found
            results = Counter(row.result for row in found)
            print(
                f"{n} of {len(jobs)}: {' '.join(jobs[job])}:",
                ", ".join(f"{v} {k}" for k, v in results.items()),
                flush=True,
            )
    order = [list(axis) for axis in (matrix.CORES, AXES["only"], AXES["compilers"], matrix.FLAGS)]
    rows.sort(
        key=lambda r: [axis.index(v) for axis, v in zip(order, (r.core, r.model, r.compiler, r.flag), strict=True)]
    )
    print(table(rows))
    for row in rows:
        if row.result in (*BAD, matrix.TOO_LARGE):
            print(f"{row.result}: {row.core}, {row.model}, {row.compiler} {row.flag}: {row.detail}")
    for text in sorted(set(missing)):
        print(f"not run: {text}")
    if arguments.json is not None:
        chosen = {f"--{axis}": ",".join(wanted[axis]) for axis in AXES if wanted[axis] != list(AXES[axis])}
        if arguments.models is not None:
            chosen["--models"] = str(arguments.models)
        command = shlex.join(["python", "benchmarks/compiler_matrix.py", *(w for o in chosen.items() for w in o)])
        arguments.json.write_text(json.dumps(as_json(rows, missing, command), indent=1) + "\n")
    if arguments.docs:
        write_docs(DOCS, table(rows))
    return 1 if any(row.result in BAD for row in rows) else 0


AXES: Mapping[str, Sequence[str]] = {
    "cores": tuple(matrix.CORES),
    "compilers": ("gcc", "zig", "clang"),
    "flags": tuple(matrix.FLAGS),
    "only": (*matrix.KERNELS, *matrix.FILES, *matrix.MLPERF),
}

if __name__ == "__main__":
    sys.exit(main())
