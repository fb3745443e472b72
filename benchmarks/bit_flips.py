"""Flipped bits of networks' constants: what --check notices and costs; benchmarks/results/bit_flips.json.

    python benchmarks/bit_flips.py                # some four minutes; writes the table of docs/trust.md too
    python benchmarks/bit_flips.py --runs 100000  # and what damage does to runs that nobody checks, under sanitizers

The flips are numbered, and the same everywhere.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import flips  # noqa: E402
from models import model_path  # noqa: E402

import edgekc  # noqa: E402
from edgekc.boards.board import load_board  # noqa: E402
from edgekc.demo.walk import DATA  # noqa: E402
from edgekc.emulate import host, unicorn_core  # noqa: E402
from edgekc.emulate.plugin import READ, WRITE, Region, Unavailable  # noqa: E402
from edgekc.firmware.build import Image, build_image  # noqa: E402
from edgekc.firmware.elf import read_elf  # noqa: E402
from edgekc.measure.cycles.estimate import estimate  # noqa: E402
from edgekc.measure.cycles.timing import TIMINGS  # noqa: E402
from edgekc.measure.ledger import embedded_sections, read_ledger  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "bit_flips.json"
TRUST = ROOT / "docs" / "trust.md"
MARKS = ("<!-- cost -->", "<!-- end -->")
BOARD = "mps2-an386"  # a Cortex-M4
RUN_BOARDS = ("rpi-pico", "mps2-an385", BOARD, "mps3-an547", "linux-aarch64")
SINGLE, DOUBLE = 100_000, 10_000


def networks() -> dict[str, Path]:
    """By the name in the tables."""
    packed = ROOT / "examples" / "models"
    return {
        "digits (the demo)": DATA / "digits_int8.tflite",
        "IC": model_path("ic"),
        "packed ResNet-8": packed / "resnet8_cifar10.ekc",
        "packed KWS": packed / "kws_dscnn.ekc",
    }


def compiled(model: Path, folder: Path, **options: Any) -> Path:
    return edgekc.compile(model, name="net", **options).save(folder)


def noticed(model: Path, folder: Path) -> dict[str, Any]:
    """Bits of a checked network, and how many of those that were flipped were noticed."""
    program = flips.build(compiled(model, folder / "out", board=BOARD, check=True), folder / "flips")
    small = model.stat().st_size < 20_000
    kinds: dict[str, tuple[object, ...]] = {"every": ("every",)} if small else {}
    kinds |= {"random": ("random", SINGLE, 1, 1), "double": ("random", DOUBLE, 2, 2)}
    found = {kind: flips.flip(program, *arguments)[0] for kind, arguments in kinds.items()}
    return {"bits": found["random"]["bits"], **{k: [f["noticed"], f["flips"]] for k, f in found.items()}}


def cost(model: Path, folder: Path) -> dict[str, Any]:
    """On the emulated Cortex-M4: flash of the model, and instructions and estimated cycles of a run and of a check."""
    board = load_board(BOARD)
    plain = build_image(compiled(model, folder / "plain", board=BOARD), board, folder / "1")
    called = flips.calling(compiled(model, folder / "called", board=BOARD, check=True), board, folder / "2")
    each = build_image(compiled(model, folder / "each", board=BOARD, check_run=True), board, folder / "3")
    base, asked, run = (_measured(image, folder / "plain") for image in (plain, called, each))
    return {"run": base, "check": _less(asked, base), "check_run": _less(run, base)}


def _measured(image: Image, folder: Path) -> dict[str, int]:
    manifest = json.loads((folder / "manifest.json").read_text())
    memory = Region("memory", 0, 1 << 32, READ | WRITE)
    counts = unicorn_core.count_layers(image, [], host.samples(manifest, 1), [memory], timeout_s=300)
    if isinstance(counts, Unavailable):
        raise SystemExit(counts.reason)
    cycles = estimate(TIMINGS[image.board.core.name], read_elf(image.elf), counts).total
    ledger = read_ledger(image, int(manifest["arena_bytes"]), embedded_sections(manifest))
    return {
        "flash_bytes": ledger.model_flash_bytes,
        "instructions": counts.instructions[0],
        "cycles": round(cycles.likely),
    }


def _less(more: dict[str, int], base: dict[str, int]) -> dict[str, int]:
    return {key: more[key] - base[key] for key in base}


def unchecked(count: int, folder: Path) -> dict[str, Any]:
    """Flips in the embedded models, runs without a check, and what sanitizers say of them."""
    small = {"digits": DATA / "digits_int8.tflite", "kws": ROOT / "examples" / "models" / "kws_dscnn.ekc"}
    total, findings = Counter[str](), Counter[str]()
    for name, model in small.items():
        for board in RUN_BOARDS:
            out = compiled(model, folder / f"{name}-{board}", board=board, strip=True)
            program = flips.build(out, folder / f"{name}-{board}-flips", (*flips.SANITIZERS, "-O1"), check=False)
            share = count * (9 if name == "digits" else 1) // (10 * len(RUN_BOARDS))
            found, said = flips.flip(program, "run", share, 1, 0, timeout_s=3600)
            total.update(found)
            manifest = json.loads((out / "manifest.json").read_text())
            findings.update(flips.findings(said, [layer["kernel"] for layer in manifest["layers"]]))
    return {**total, "findings": dict(sorted(findings.items()))}


def table(results: dict[str, Any]) -> str:
    """The costs, for docs/trust.md."""
    lines = [
        "",
        "| Cortex-M4 | `--check`, flash | a call of `NAME_check` | `--check-run`, flash | added to each `NAME_run` |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, found in results["networks"].items():
        run, check, each = (found["cost"][key] for key in ("run", "check", "check_run"))
        lines.append(
            f"| {name} | {check['flash_bytes']:,} of {run['flash_bytes']:,} bytes | {check['cycles']:,} cycles, "
            f"{check['cycles'] / run['cycles']:.2f} of a run | {each['flash_bytes']:,} bytes | "
            f"{each['cycles']:,} cycles, {each['cycles'] / run['cycles']:.2%} |"
        )
    return "\n".join([*lines, "", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="also N flips in runs that nobody checks")
    given = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as folder:
        if given.runs:
            results["unchecked"] = unchecked(given.runs, Path(folder))
            print(results["unchecked"])
        else:
            results["networks"] = {}
            for name, model in networks().items():
                place = Path(folder) / model.stem
                place.mkdir()
                results["networks"][name] = {**noticed(model, place), "cost": cost(model, place)}
                print(name, results["networks"][name], flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    before, _, rest = TRUST.read_text(encoding="utf-8").partition(MARKS[0])
    TRUST.write_text(f"{before}{MARKS[0]}\n{table(results)}{MARKS[1]}{rest.partition(MARKS[1])[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
