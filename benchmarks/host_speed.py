"""How many inferences a second the host emulator runs on one core.

    python benchmarks/host_speed.py [--models DIR] [--json]

CPU seconds of this process, the best of five rounds: what a test set costs. Asked: 1,000 a second for KWS. It says
nothing of a device; `edgekc measure` counts instructions there.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.files.output import write_folder
from edgekc.pipeline import compile_model, target_of

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "host_speed.json"
ASKED = {"kws": 1000}
SAMPLES, ROUNDS = 300, 5


def speed(model: Path, name: str) -> float:
    """Inferences for each CPU second."""
    result = compile_model(model, name, target_of(load_board("mps2-an386")))
    with tempfile.TemporaryDirectory() as temporary:
        write_folder(result.files, Path(temporary) / name)
        program = host.build(Path(temporary) / name)
    inputs = host.samples(program.manifest, SAMPLES)
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        host.run(program, inputs)
        seconds.append(time.process_time() - start)
    return SAMPLES / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with the int8 models")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    found = {name: round(speed(arguments.models / f"{name}_int8.tflite", name)) for name in ("ic", "kws", "vww", "ad")}
    for name, value in found.items():
        asked = f"   asked {ASKED[name]:,}: {'met' if value >= ASKED[name] else 'missed'}" if name in ASKED else ""
        print(f"{name:4} {value:>8,} inferences a CPU second{asked}")
    if arguments.json:
        command = "python benchmarks/host_speed.py --json"
        record = {"command": command, "machine": platform.machine(), "inferences_per_cpu_second": found}
        RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
