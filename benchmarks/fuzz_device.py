"""libFuzzer on what a device reads, as long as one likes: benchmarks/results/fuzz_device.json.

python benchmarks/fuzz_device.py --runs 10000000 --json      # of each harness, one beside another on each core
python benchmarks/fuzz_device.py --harness wav --seconds 60  # one of them
python benchmarks/fuzz_device.py --cpu-seconds 60            # of processor time, whatever else runs: .ci/run
python benchmarks/fuzz_device.py --seconds 60 --corpora      # and the corpora anew: what was reached, made small
python benchmarks/fuzz_device.py --harness wav --input FILE  # one input again
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "fuzz"), str(ROOT)]

import device_fuzzers as fuzzers  # noqa: E402

from edgekc.assets import RUNTIME_C  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "fuzz_device.json"


def one(clang: str, name: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """A harness from its corpus on, or one input of it."""
    program = fuzzers.build(clang, name, folder / "build", given.runtime)
    corpus = folder / "corpus"
    corpus.mkdir()
    if (fuzzers.HERE / f"{name}.zip").exists():
        fuzzers.unpacked(name, corpus)
    for i, data in enumerate(fuzzers.seeds(name)):
        (corpus / f"seed-{i}").write_bytes(data)
    if given.input is not None:
        found = fuzzers.run(program, given.input.resolve(strict=True))
    elif given.cpu_seconds:
        found = fuzzers.run_for(program, corpus, given.cpu_seconds)
    else:
        limit = f"-runs={given.runs}" if given.runs else f"-max_total_time={given.seconds}"
        found = fuzzers.run(program, corpus, limit)
    if found.finding:
        print(f"{name}: {found.finding}; the input is in {program.parent}", flush=True)
        for path in fuzzers.found_by(program):
            print(again(name, path.read_bytes()), flush=True)
    elif given.corpora:
        fuzzers.minimise(program, corpus, folder / "small")
        fuzzers.pack(name, folder / "small")
    seconds = round(found.seconds)
    print(f"{name}: {found.executions:,} inputs, {found.covered} edges, {seconds} s", flush=True)
    return {"executions": found.executions, "edges": found.covered, "seconds": seconds, "finding": found.finding}


def again(name: str, data: bytes) -> str:
    """The commands that give an input to a harness once more, wherever it was found."""
    return (
        f"echo {base64.b64encode(data).decode()} | base64 -d >input\n"
        f"python benchmarks/fuzz_device.py --harness {name} --input input"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", choices=sorted(fuzzers.HARNESSES), help="only this one")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--runs", type=int, help="inputs of each")
    limit.add_argument("--seconds", type=int, default=60, help="of each by the clock, where nothing else is said")
    limit.add_argument("--cpu-seconds", type=float, help="of each, of processor time")
    limit.add_argument("--input", type=Path, metavar="FILE", help="only this input, with --harness")
    parser.add_argument("--corpora", action="store_true", help="write the corpora anew")
    parser.add_argument("--json", action="store_true", help="write the results")
    parser.add_argument("--runtime", type=Path, metavar="DIR", default=RUNTIME_C, help="instead of runtime_c")
    given = parser.parse_args()
    if given.input is not None and (given.harness is None or given.corpora or given.json):
        parser.error("--input is for one --harness, without --corpora and --json")
    clang = fuzzers.compiler()
    if clang is None:
        raise SystemExit("clang with libFuzzer is not installed: apt-get install clang libclang-rt-14-dev")
    names = [given.harness] if given.harness else list(fuzzers.HARNESSES)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))  # stays: what is found lies there
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(one, clang, name, given, folder / name) for name in names]
        rows = {name: job.result() for name, job in zip(names, jobs, strict=True)}
    if given.json:
        asked = f"--runs {given.runs}" if given.runs else f"--seconds {given.seconds}"
        if given.cpu_seconds:
            asked = f"--cpu-seconds {given.cpu_seconds:g}"
        RESULTS.write_text(
            json.dumps({"command": f"python benchmarks/fuzz_device.py {asked} --json", "harnesses": rows}, indent=1)
            + "\n"
        )
    raise SystemExit(1 if any(row["finding"] for row in rows.values()) else 0)


if __name__ == "__main__":
    main()
