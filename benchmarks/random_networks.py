"""Random int8 networks on every family of kernels, and how many of them reach each kernel file.

    python benchmarks/random_networks.py [--graphs 300] [--first 0] [--json]
    python benchmarks/random_networks.py --seed 17

A graph is a .tflite file of edgekc/fuzzing/nets.py. It runs as it is, with layers packed so that they compute the same,
and with packed weights of up to 16 bits. Its bytes are held against LiteRT's reference kernels, the numpy definition,
and the C of each family of kernels under the address and undefined-behaviour sanitizers. What is wrong is made small
and written to a folder. `--seed` runs one graph and shows its layers. Needs a checkout, gcc or clang, and
ai-edge-litert. `edgekc fuzz` draws more kinds of networks, and runs them on boards too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "sweep")]

import oracle  # noqa: E402
import random_failures  # noqa: E402
import random_sweep  # noqa: E402

from edgekc.fuzzing.building import Kernels  # noqa: E402
from edgekc.fuzzing.compiling import SANITIZE  # noqa: E402
from edgekc.fuzzing.nets import random_net  # noqa: E402
from edgekc.fuzzing.shrinking import described  # noqa: E402
from edgekc.fuzzing.subjects import SAMPLES  # noqa: E402

RESULT = Path(__file__).resolve().parent / "results" / "random_networks.json"
CHUNK = 100  # seeds that are built together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    if oracle.missing():
        sys.exit(oracle.missing())
    first, count = (arguments.first, arguments.graphs) if arguments.seed is None else (arguments.seed, 1)
    if arguments.seed is not None:
        print(described(random_net(first)))
    out, place = random_sweep.Outcome(), Path(tempfile.mkdtemp(prefix="edgekc-random-"))
    kernels = Kernels(place / "kernels", SANITIZE)
    for start in range(first, first + count, CHUNK):
        seeds = range(start, min(start + CHUNK, first + count))
        out.add(random_sweep.sweep(seeds, kernels, place / str(start)))
        print(f"seeds {seeds.start} to {seeds.stop - 1}: {len(out.findings)} wrong so far", file=sys.stderr)
    print(random_sweep.table(out))
    for finding in out.refused:
        print(f"refused: {finding}")
    if out.findings:
        sys.exit(random_failures.explained(out.findings, kernels, place))
    if arguments.json:
        RESULT.write_text(json.dumps(report(out, count), indent=1) + "\n")


def report(out: random_sweep.Outcome, count: int) -> dict[str, object]:
    return {
        "command": f"python benchmarks/random_networks.py --graphs {count} --json",
        "files": count,
        "samples": SAMPLES,
        "graphs": out.graphs,
        "refused": [str(finding) for finding in out.refused],
        "wrong": len(out.findings),
        "runs": dict(sorted(out.families.items())),
        "files_with_operator": dict(sorted(out.operators.items())),
        "graphs_that_reach_kernel_file": {name: out.reached[name] for name in random_sweep.kernel_files()},
    }


if __name__ == "__main__":
    main()
