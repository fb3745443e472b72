"""Damaged files to every reader of a user's file, and what became of them: benchmarks/results/fuzz_readers.json.

    python benchmarks/fuzz_readers.py                    # 1,120,500 cases, some two hours on two cores
    python benchmarks/fuzz_readers.py --reader .onnx     # one reader; --cases 500 for fewer
    python benchmarks/fuzz_readers.py --reader .onnx --case 123 --keep damaged.onnx

The cases are numbered, and the same everywhere. What is in the results is not run again (`--fresh` starts anew).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLACES = [str(ROOT / "tests" / "fuzz"), str(ROOT / "tests"), str(ROOT)]
sys.path[:0] = PLACES

import fuzz_readers  # noqa: E402
import fuzz_seeds  # noqa: E402
from fuzz_readers import READERS, Tally  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "fuzz_readers.json"
SECURITY = ROOT / "SECURITY.md"
MARKS = ("<!-- fuzz -->", "<!-- end -->")
CHUNK = 1000  # cases of one process
CHUNK_S = 1200.0


def run_chunk(name: str, first: int, count: int) -> Tally:
    """Cases in a process of their own; one that dies is begun again behind the case that killed it."""
    total = Tally()
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PLACES), "OMP_NUM_THREADS": "1"}
    end = first + count
    while first < end:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            command = [sys.executable, fuzz_readers.__file__, name, str(first), str(end - first), folder]
            problem, output = "ended", ""
            try:
                done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=CHUNK_S)
                output, problem = done.stdout, done.stderr[-2000:]
            except subprocess.TimeoutExpired:
                problem = "did not end"
            lines = output.strip().splitlines()
            if lines and lines[-1].startswith("{"):
                total.add(Tally(**json.loads(lines[-1])))
                return total
            number = Path(folder) / "case"
            if not number.exists():
                raise SystemExit(f"{name}: the worker failed before its first case: {problem}")
            last = int(number.read_text())
            total.add(Tally(inputs=last + 1 - first, crashes=[last]))
            first = last + 1
    return total


def as_json(tallies: dict[str, Tally]) -> dict[str, Any]:
    """The results file: totals, then a row for each reader."""
    rows = {name: dataclasses.asdict(tallies[name]) for name in READERS if name in tallies}
    numbers = ("inputs", "accepted", "refused")
    return {
        "schema": 1,
        "what": "numbered damaged files, see tests/fuzz/fuzz_readers.py; limits: 10 s and 1 GiB a file",
        "total": {key: sum(getattr(t, key) for t in tallies.values()) for key in numbers},
        "found": {name: tally.found() for name, tally in tallies.items() if tally.found()},
        "readers": rows,
    }


def table(results: dict[str, Any]) -> str:
    """The results as SECURITY.md shows them."""
    lines = [
        "| reader | damaged files | taken | refused | anything else | worst, seconds of computing | worst, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in results["readers"].items():
        tally = Tally(**row)
        counts = " | ".join(f"{n:,}" for n in (tally.inputs, tally.accepted, tally.refused))
        others = tally.inputs - tally.accepted - tally.refused
        lines.append(f"| {name} | {counts} | {others} | {tally.worst_seconds:.2f} | {tally.worst_mib:.0f} |")
    total = " | ".join(f"{results['total'][key]:,}" for key in ("inputs", "accepted", "refused"))
    return "\n".join([*lines, f"| all | {total} | | | |"])


def write_table(results: dict[str, Any]) -> None:
    """Put the table into SECURITY.md, between its marks."""
    text = SECURITY.read_text(encoding="utf-8")
    head, rest = text.split(MARKS[0])
    SECURITY.write_text(
        f"{head}{MARKS[0]}\n\n{table(results)}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}", encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", choices=sorted(READERS), action="append")
    parser.add_argument("--cases", type=int, help="of each reader; default: its share of all")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget the results that are there")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--case", type=int, help="run this case alone, in this process, and show what happens")
    parser.add_argument("--keep", type=Path, help="write the file of --case here")
    given = parser.parse_args()
    names = given.reader or list(READERS)
    if given.case is not None:
        show(names[0], given.case, given.keep)
        return
    there = json.loads(given.out.read_text())["readers"] if given.out.is_file() and not given.fresh else {}
    tallies = {name: Tally(**row) for name, row in there.items()}
    for name in names:
        lacking = fuzz_readers.missing(READERS[name])
        if lacking:
            print(f"{name}: skipped, {lacking} is not installed")
            continue
        end = given.first + (given.cases or READERS[name].share)
        tally = tallies.setdefault(name, Tally())
        with ThreadPoolExecutor(given.jobs) as pool:
            size = CHUNK // 10 if "torch" in READERS[name].needs else CHUNK
            starts = range(given.first + tally.inputs, end, size)
            for made in [pool.submit(run_chunk, name, at, min(size, end - at)) for at in starts]:
                tally.add(made.result())
                given.out.parent.mkdir(parents=True, exist_ok=True)
                given.out.write_text(json.dumps(as_json(tallies), indent=1) + "\n")
        line = f"{name}: {tally.inputs} inputs, {tally.accepted} accepted, {tally.refused} refused"
        worst = f"worst {tally.worst_seconds} s, {tally.worst_mib} MiB"
        print(f"{line}, {worst}", *tally.found(), sep="\n  ", flush=True)
    if given.out == RESULTS:
        write_table(json.loads(RESULTS.read_text()))
    if any(tally.found() for tally in tallies.values()):
        raise SystemExit("something was found")


def show(name: str, number: int, keep: Path | None) -> None:
    """One case, with its traceback."""
    reader = READERS[name]
    data = fuzz_readers.case(name, fuzz_seeds.SEEDS[name](), number)
    if keep is not None:
        keep.write_bytes(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / fuzz_readers.name_of(reader)
        path.write_bytes(data)
        print(reader.read(path if reader.suffix else data))


if __name__ == "__main__":
    main()
