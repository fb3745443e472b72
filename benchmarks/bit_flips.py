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
from edgekc.errors import EdgekcError  # noqa: E402
from edgekc.firmware.build import Image, build_image  # noqa: E402
from edgekc.firmware.elf import read_elf  # noqa: E402
from edgekc.fuzzing.nets import random_net  # noqa: E402
from edgekc.fuzzing.subjects import FORMS, subject  # noqa: E402
from edgekc.measure.cycles.estimate import estimate  # noqa: E402
from edgekc.measure.cycles.timing import TIMINGS  # noqa: E402
from edgekc.measure.ledger import embedded_sections, read_ledger  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "bit_flips.json"
TRUST = ROOT / "docs" / "trust.md"
BOARD = "mps2-an386"  # a Cortex-M4
RUN_BOARDS = ("rpi-pico", "mps2-an385", BOARD, "mps3-an547", "linux-aarch64")
SINGLE, DOUBLE = 100_000, 10_000
RANDOM = 45  # networks


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
    """Flips in embedded models, runs without a check, and what sanitizers say of them.

    Three fifths in the demo's model, by the kernels of each family; the rest in random networks of all operators.
    """
    models = [
        ("digits", board, (DATA / "digits_int8.tflite").read_bytes(), 3 * count // 5 // 5) for board in RUN_BOARDS
    ]
    for seed in range(RANDOM):
        form, board = FORMS[seed % 3], RUN_BOARDS[seed // 3 % len(RUN_BOARDS)]
        try:
            models.append(
                (f"{seed}-{form}", board, subject(random_net(seed), form, 1).data, -(-2 * count // 5 // RANDOM))
            )
        except EdgekcError:
            continue  # refused
    total, findings = Counter[str](), Counter[str]()
    for name, board, data, share in models:
        model = folder / f"{name}.{'tflite' if name == 'digits' else 'ekc'}"
        model.write_bytes(data)
        out = compiled(model, folder / f"{name}-{board}", board=board, strip=True, check=True)
        program = flips.build(out, folder / f"{name}-{board}-flips", (*flips.SANITIZERS, "-O1"), check=False)
        found, said = flips.flip(program, "run", share, 1, 0, timeout_s=3600)
        total.update(found)
        manifest = json.loads((out / "manifest.json").read_text())
        seen = flips.findings(said, [layer["kernel"] for layer in manifest["layers"]])
        findings.update(seen)
        print(name, board, found, seen, flush=True)
    return {**total, "networks": len(models), "findings": dict(sorted(findings.items()))}


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
    TRUST.write_text(flips.in_trust(TRUST.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
