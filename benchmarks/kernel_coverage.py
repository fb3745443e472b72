"""Which branches of the portable kernels the operators' cases take: gcov's count, by source.

    python benchmarks/kernel_coverage.py           # a table
    python benchmarks/kernel_coverage.py --json    # and benchmarks/results/kernel_coverage.json

The kernels are compiled for this machine by gcc -O0 --coverage. Two parts of the tests run them, each in turn against
the numpy definitions: every case of every operator, with guard bytes, in place and in all sizes of scratch
(`tests/ops/host_kernels.py guarded`), and `pytest tests/ops`, which has the random ones. A branch is an outcome of a
condition in one source line. What a header's inline function has counts once, whichever kernel takes it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / room) for room in ("", "ops"))]
RESULT = ROOT / "benchmarks" / "results" / "kernel_coverage.json"
PORTABLE = ROOT / "runtime_c" / "kernels" / "portable"
COUNTED = (PORTABLE, ROOT / "runtime_c" / "include")  # the sources that counts are kept of


@dataclass
class Count:
    """Of one source: each line's and each branch's executions."""

    lines: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    branches: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))


def build(folder: Path, jobs: int) -> Path:
    """The kernels of tests/ops as one library; those of other families without counters."""
    import host_kernels

    from edgekc.fuzzing.compiling import host_flags

    def one(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        counters = ("--coverage",) if source.parent == PORTABLE else ()
        subprocess.run(["gcc", *host_flags("-O0", *counters), "-c", str(source), "-o", str(target)], check=True)
        return target

    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(one, host_kernels.sources()))
    library = folder / "libkernels.so"
    subprocess.run(["gcc", "-shared", "--coverage", *map(str, parts), "-o", str(library)], check=True)
    return library


def run(library: Path, jobs: int) -> None:
    """Both parts of the tests, on that library; CalledProcessError where one fails."""
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "ops"]
    environment = {**os.environ, "EK_HOST_LIBRARY": str(library), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, folders))
    cases = [sys.executable, str(ROOT / "tests" / "ops" / "host_kernels.py"), "guarded", ""]
    tests = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "-p", "no:cacheprovider", "tests/ops"]
    for command in (cases, tests):
        subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def counts(folder: Path) -> dict[str, Count]:
    """What gcov says of each source, whichever object it is in."""
    found: dict[str, Count] = defaultdict(Count)
    for notes in sorted(folder.glob("*.gcno")):
        command = ["gcov", "--branch-probabilities", "--json-format", "--stdout", notes.name]
        text = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
        for file in json.loads(text)["files"]:
            path = Path(file["file"])
            if path.parent in COUNTED:
                add(found[path.name], file["lines"])
    return found


def add(count: Count, lines: Sequence[dict[str, Any]]) -> None:
    for line in lines:
        number = line["line_number"]
        count.lines[number] += line["count"]
        for place, branch in enumerate(line["branches"]):
            count.branches[number, place] += branch["count"]


def result(found: dict[str, Count]) -> dict[str, Any]:
    """Totals, and of each source: its lines and branches, those that were run, and lines with a branch not taken."""
    files = {}
    for name, count in sorted(found.items()):
        files[name] = {
            "lines": len(count.lines),
            "lines_run": sum(n > 0 for n in count.lines.values()),
            "branches": len(count.branches),
            "branches_taken": sum(n > 0 for n in count.branches.values()),
            "not_taken_at": sorted({line for (line, _), n in count.branches.items() if n == 0}),
        }
    keys = ("lines", "lines_run", "branches", "branches_taken")
    total = {key: sum(row[key] for row in files.values()) for key in keys}
    version = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "command": "python benchmarks/kernel_coverage.py --json",
        "gcc": version,
        "sources": len(files),
        "total": total,
        "files": files,
    }


def share(row: dict[str, Any], part: str, whole: str) -> str:
    return f"{100 * row[part] / row[whole]:.1f} %" if row[whole] else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgekc-coverage-") as name:
        folder = Path(name)
        run(build(folder, chosen.jobs), chosen.jobs)
        found = result(counts(folder))
    for file, row in found["files"].items():
        if row["not_taken_at"]:
            taken = f"{row['branches_taken']} of {row['branches']} branches"
            print(f"{file}: {taken}; not all at line {', '.join(map(str, row['not_taken_at']))}")
    total = found["total"]
    for part, whole in (("lines_run", "lines"), ("branches_taken", "branches")):
        print(f"{whole}: {total[part]:,} of {total[whole]:,}, {share(total, part, whole)}")
    if chosen.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
