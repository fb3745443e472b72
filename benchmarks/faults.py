"""Faults injected into networks on emulated cores, and what became of them; benchmarks/results/faults.json.

    python benchmarks/faults.py          # some ten minutes: prints what it finds
    python benchmarks/faults.py --json   # writes the results too; then: python tests/unit/test_tables.py
    python benchmarks/faults.py --json IC   # of this network alone; the others' results stay

Each row is one of `edgekc inject MODEL --board BOARD --check-run --runs 40`, and flips of constants without a check.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from models import model_path  # noqa: E402

import edgekc  # noqa: E402
from edgekc.demo.walk import DATA  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
BOARDS = {"Cortex-M0+": "rpi-pico", "Cortex-M4": "nucleo-f446re"}
CONSTANTS = ("weights", "tables")


def networks() -> dict[str, Path]:
    """By the name in the results."""
    return {
        "digits (the demo)": DATA / "digits_int8.tflite",
        "packed KWS": ROOT / "examples" / "models" / "kws_dscnn.ekc",
        "IC": model_path("ic"),
    }


def rows(model: Path, board: str, runs: int) -> dict[str, Any]:
    """What became of faults with all checks, and of those in constants without."""
    checked = edgekc.inject(model, board=board, check_run=True, runs=runs)
    unchecked = edgekc.inject(model, board=board, faults=CONSTANTS, runs=runs)
    return {"compiler": checked.compiler, "checked": table(checked), "unchecked": table(unchecked)}


def table(found: edgekc.Injection) -> dict[str, Any]:
    """The rows by kind, without the places."""
    return {
        row.fault: {"injected": row.injected, "detected": row.detected, "harmless": row.harmless, "wrong": row.wrong}
        for row in found.rows
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NETWORK", help=f"of {', '.join(networks())}; default: all")
    parser.add_argument("--runs", type=int, default=40, metavar="N", help="faults of each kind")
    parser.add_argument("--json", action="store_true", help=f"write {RESULTS.name}")
    given = parser.parse_args()
    results: dict[str, Any] = {"runs": given.runs, "boards": BOARDS, "networks": dict.fromkeys(networks())}
    if given.names:
        results["networks"] |= json.loads(RESULTS.read_text())["networks"] if RESULTS.is_file() else {}
    for name in given.names or networks():
        results["networks"][name] = {}
        for core, board in BOARDS.items():
            results["networks"][name][core] = rows(networks()[name], board, given.runs)
            print(name, core, json.dumps(results["networks"][name][core]), flush=True)
    if given.json:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
