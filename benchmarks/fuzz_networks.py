"""The published run of `edgekc fuzz`: 2,000 networks on everything that computes them, at every optimisation level.

    python benchmarks/fuzz_networks.py [--networks 2000] [--seed 0] [--boards A,B] [--json]

Networks of int8, uint8 and int16, packed ones too. Their bytes are held against LiteRT's reference kernels, the file as
imported, the C of each family of kernels on this machine, and three emulated cores. What is wrong is made small and
written to the current folder. Needs the extra `fuzz`, gcc or clang, and a compiler and emulator for Arm.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edgekc.fuzzing import session
from edgekc.train.bars import bars

RESULT = Path(__file__).resolve().parent / "results" / "fuzz_networks.json"
BOARDS = "microbit,mps2-an386,mps3-an547"  # of Cortex-M0, M4 and M55


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--boards", default=BOARDS, metavar="BOARD,...")
    parser.add_argument("--json", action="store_true", help=f"write results/{RESULT.name}")
    arguments = parser.parse_args()
    boards = [name for name in arguments.boards.split(",") if name]
    with bars() as shown:
        run = session.fuzz(
            arguments.seed, seconds=None, networks=arguments.networks, boards=boards, flags="all",
            progress=shown.progress,
        )  # fmt: skip
    print(run)
    if arguments.json and not run.stopped:
        command = f"python benchmarks/fuzz_networks.py --networks {arguments.networks} --seed {arguments.seed} --json"
        RESULT.write_text(json.dumps({"command": command, "boards": boards, **run.to_dict()}, indent=1) + "\n")
    sys.exit(0 if run.ok else 1)


if __name__ == "__main__":
    main()
