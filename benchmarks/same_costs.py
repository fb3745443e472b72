"""What models cost on emulated cores, to prove that a change of parameters or kernels costs and changes nothing.

    python benchmarks/same_costs.py --models DIR --write before.json     # in the old checkout
    python benchmarks/same_costs.py --models DIR --against before.json   # in the new one

DIR holds the int8 models of MLPerf Tiny; those of examples/models/ are measured with them. The packed model and the
outputs of two samples must be the same bytes; flash, arena and instructions may be at most 1% more. Exits with 1 where
one is not. Run it with the same compilers and emulators.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BOARDS = ("mps2-an386", "mps3-an547", "m0plus-an385")  # DSP extension, Helium, neither
MODELS = ("ic", "kws", "vww", "ad")
MOST = 1.01  # of what it was
Costs = dict[str, dict[str, Any]]


def costs(path: Path, board_name: str) -> dict[str, Any]:
    """Hashes of the packed model and of its outputs, and what it costs on the board's emulator."""
    from edgekc.boards.board import load_board
    from edgekc.emulate.device import run_image
    from edgekc.files.output import write_folder
    from edgekc.firmware.build import build_image
    from edgekc.measure.ledger import embedded_sections, read_ledger
    from edgekc.pipeline import compile_model, target_of

    board = load_board(board_name)
    with tempfile.TemporaryDirectory() as temporary:
        compiled = compile_model(path, "model", target_of(board))
        folder = Path(temporary) / "out"
        write_folder(compiled.files, folder)
        image = build_image(folder, board, Path(temporary) / "image", optimise="speed")
        manifest = json.loads((folder / "manifest.json").read_text())
        ledger = read_ledger(image, compiled.plan.arena_bytes, embedded_sections(manifest))
        run = run_image(image, np.random.default_rng(0).bytes(2 * image.input_bytes), timeout_s=600)
    return {
        "ekc": hashlib.sha256(compiled.files["model.ekc"]).hexdigest(),
        "outputs": hashlib.sha256(run.outputs).hexdigest(),
        "flash_bytes": ledger.model_flash_bytes,
        "arena_bytes": compiled.plan.arena_bytes,
        "instructions": (run.instructions or (0,))[0],
    }


def differences(name: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not as it was, a line each."""
    found = [f"{name}: other {key}" for key in ("ekc", "outputs") if now[key] != before[key]]
    for key in ("flash_bytes", "arena_bytes", "instructions"):
        if now[key] > MOST * before[key]:
            found.append(f"{name}: {key} {before[key]:,} -> {now[key]:,}, {now[key] / before[key]:.4f} of it")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the int8 models")
    parser.add_argument("--boards", default=",".join(BOARDS), help="names, with commas")
    parser.add_argument("--write", type=Path, help="a JSON file of what this checkout costs")
    parser.add_argument("--against", type=Path, help="what --write wrote")
    options = parser.parse_args()
    paths = [options.models / f"{model}_int8.tflite" for model in MODELS]
    paths += sorted((ROOT / "examples" / "models").glob("*.ekc"))
    before: Costs = json.loads(options.against.read_text()) if options.against else {}
    found: Costs = {}
    wrong: list[str] = []
    for board in options.boards.split(","):
        for path in paths:
            name = f"{board} {path.stem}"
            now = found[name] = costs(path, board)
            figures = [f"{key} {now[key]:,}" for key in ("flash_bytes", "arena_bytes", "instructions")]
            if name in before:
                keys = ("flash_bytes", "arena_bytes", "instructions")
                figures = [f"{key} {before[name][key]:,} -> {now[key]:,}" for key in keys]
                wrong += differences(name, before[name], now)
            print(f"{name}: {', '.join(figures)}", flush=True)
    if options.write:
        options.write.write_text(json.dumps(found, indent=1) + "\n")
    print("\n".join(wrong) or "nothing that may not differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
