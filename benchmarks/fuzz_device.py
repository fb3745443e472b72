"""libFuzzer on what a device reads, as long as one likes: benchmarks/results/fuzz_device.json.

python benchmarks/fuzz_device.py --runs 10000000 --json      # of each harness, one beside another on each core
python benchmarks/fuzz_device.py --harness wav --seconds 60  # one of them
python benchmarks/fuzz_device.py --seconds 60 --corpora      # and the corpora anew: what was reached, made small
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fuzz"), str(ROOT)]

import device_fuzzers as fuzzers  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "fuzz_device.json"


def one(clang: str, name: str, limit: str, folder: Path, *, corpora: bool) -> dict[str, Any]:
    """A harness from its corpus on."""
    program = fuzzers.build(clang, name, folder / "build")
    corpus = folder / "corpus"
    corpus.mkdir()
    if (fuzzers.HERE / f"{name}.zip").exists():
        fuzzers.unpacked(name, corpus)
    for i, data in enumerate(fuzzers.seeds(name)):
        (corpus / f"seed-{i}").write_bytes(data)
    began = time.monotonic()
    found = fuzzers.run(program, corpus, limit)
    seconds = round(time.monotonic() - began)
    if found.finding:
        print(f"{name}: {found.finding}; the input is in {program.parent}", flush=True)
    elif corpora:
        fuzzers.minimise(program, corpus, folder / "small")
        fuzzers.pack(name, folder / "small")
    print(f"{name}: {found.executions:,} inputs, {found.covered} edges, {seconds} s", flush=True)
    return {"executions": found.executions, "edges": found.covered, "seconds": seconds, "finding": found.finding}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", choices=sorted(fuzzers.HARNESSES), help="only this one")
    parser.add_argument("--runs", type=int, help="inputs of each")
    parser.add_argument("--seconds", type=int, default=60, help="of each, where --runs does not say")
    parser.add_argument("--corpora", action="store_true", help="write the corpora anew")
    parser.add_argument("--json", action="store_true", help="write the results")
    given = parser.parse_args()
    clang = fuzzers.compiler()
    if clang is None:
        raise SystemExit("clang with libFuzzer is not installed: apt-get install clang libclang-rt-14-dev")
    limit = f"-runs={given.runs}" if given.runs else f"-max_total_time={given.seconds}"
    names = [given.harness] if given.harness else list(fuzzers.HARNESSES)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))  # stays: what is found lies there
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(one, clang, name, limit, folder / name, corpora=given.corpora) for name in names]
        rows = {name: job.result() for name, job in zip(names, jobs, strict=True)}
    if given.json:
        asked = f"--runs {given.runs}" if given.runs else f"--seconds {given.seconds}"
        RESULTS.write_text(
            json.dumps({"command": f"python benchmarks/fuzz_device.py {asked} --json", "harnesses": rows}, indent=1)
            + "\n"
        )
    raise SystemExit(1 if any(row["finding"] for row in rows.values()) else 0)


if __name__ == "__main__":
    main()
