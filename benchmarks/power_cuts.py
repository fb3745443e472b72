"""Power cuts within and behind each step of updates, on a model of flash.

    python benchmarks/power_cuts.py [--cuts 100000] [--seed 1] [--json]

tests/update/power_cuts.c says what a setting is and what must hold. The same seed and count give the same figures.
Needs a checkout and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "update")]

from update_device import program  # noqa: E402

RESULT = Path(__file__).resolve().parent / "results" / "power_cuts.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100_000, help="at least so many")
    parser.add_argument("--seed", type=int, default=1, help="of the first setting; the others follow")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    arguments = parser.parse_args()
    command = [program("power_cuts", sanitized=False), str(arguments.seed), str(arguments.cuts)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = {"first_seed": arguments.seed, **json.loads(done.stdout)}
    for name, count in found.items():
        print(f"{name.replace('_', ' '):24} {count:>10,}")
    if done.returncode:
        sys.exit("a cut left neither payload, an update was refused, or a unit was programmed twice")
    if arguments.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
