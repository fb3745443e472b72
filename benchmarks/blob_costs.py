"""What it costs to take constants from a blob: bytes of code, cycles of a run, and of the check before the first one.

    python benchmarks/blob_costs.py --models DIR [--json]

DIR has ic_int8.tflite. Each network is compiled for an emulated Cortex-M4 twice, with its constants in the C and in a
blob. NAME_open is measured as the difference between NAME_run and a copy of it that opens its blob first.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import edgekc
from edgekc.api.program import Program
from edgekc.boards.board import load_board
from edgekc.format.blob import layout_of
from edgekc.measure.emulated import Measurement, measure
from edgekc.measure.ledger import HELPERS, KERNELS, NETWORK, TABLES

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "blob_costs.json"
BOARD = "mps2-an386"
CODE = (KERNELS, HELPERS, NETWORK, TABLES)


@dataclass(frozen=True, slots=True)
class Row:
    """One network, its constants in the C and in a blob."""

    network: str
    constants_bytes: int  # of the blob
    code_bytes: tuple[int, int]  # kernels, network function, tables, library code
    flash_bytes: tuple[int, int]  # code and constants
    run_cycles: tuple[int, int]  # estimated
    run_instructions: tuple[int, int]
    stack_bytes: tuple[int, int]
    open_cycles: int
    open_instructions: int


def networks(models: Path) -> dict[str, Path]:
    examples = HERE.parent / "examples" / "models"
    return {
        "digits (the demo)": HERE.parent / "edgekc" / "demo" / "data" / "digits_int8.tflite",
        "packed KWS": examples / "kws_dscnn.ekc",
        "packed ResNet-8": examples / "resnet8_cifar10.ekc",
        "IC": models / "ic_int8.tflite",
    }


def opening(program: Program, folder: Path) -> Path:
    """A copy of the program whose NAME_run opens the blob that it is given once more, before anything else."""
    shutil.copytree(program.folder, folder)
    name, source = program.name, folder / "src" / f"{program.name}.c"
    text, begin = source.read_text(), f"ekc_status {program.name}_run("
    at = text.index("    if (model == NULL", text.index(begin))
    behind = layout_of(program.manifest).offsets[0]
    own = f"(const uint8_t *)(const void *)model->learned - {behind}, {name.upper()}_BLOB_BYTES, &again"
    line = f"    {name}_model again; if ({name}_open({own}) != EK_BLOB_OK) return EKC_ERROR_NULL;\n"
    source.write_text(text[:at] + line + text[at:])
    return folder


def measured(folder: Path) -> Measurement:
    return measure(folder, load_board(BOARD), samples=1, timeout_s=600)


def cycles(found: Measurement) -> int:
    if found.speed is None:
        raise SystemExit("nothing estimates cycles here: pip install 'edgekc[arm]', and qemu or unicorn")
    return round(found.speed.cycles.likely)


def row(network: str, model: Path, scratch: Path) -> Row:
    programs = [edgekc.compile(model, board=BOARD, name="net", strip=not blob, blob=blob) for blob in (False, True)]
    found = [measured(program.folder) for program in programs]
    again = measured(opening(programs[1], scratch / model.stem))
    ledgers = [m.ledger for m in found]
    code = [sum(e.size_bytes for e in led.flash if e.of_model and e.kind in CODE) for led in ledgers]
    return Row(
        network,
        layout_of(programs[1].manifest).total_bytes,
        (code[0], code[1]),
        (ledgers[0].model_flash_bytes, ledgers[1].model_flash_bytes),
        (cycles(found[0]), cycles(found[1])),
        (found[0].instructions[0], found[1].instructions[0]),
        (found[0].stack_bytes or 0, found[1].stack_bytes or 0),
        cycles(again) - cycles(found[1]),
        again.instructions[0] - found[1].instructions[0],
    )


def table(rows: list[dict[str, object]]) -> str:
    """As docs/blobs.md has it."""
    lines = ["| Cortex-M4 | code | a run | `NAME_open` |", "|---|--:|--:|--:|"]
    for r in rows:
        (code, more), (one, other) = r["code_bytes"], r["run_cycles"]  # type: ignore[misc]
        opened = int(r["open_cycles"])  # type: ignore[call-overload]
        lines.append(
            f"| {r['network']} | {code:,} + {more - code:,} bytes | {one:,} cycles {(other - one) / one:+.2%} "
            f"| {opened:,} cycles, {opened / other:.2f} of a run |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = HERE.parents[1] / "shared" / "models"
    parser.add_argument("--models", type=Path, default=default, help="folder of ic_int8.tflite")
    parser.add_argument("--json", action="store_true", help=f"write {RESULTS.name}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = [asdict(row(name, model, Path(scratch))) for name, model in networks(arguments.models).items()]
    print(table(rows))
    if arguments.json:
        command = "python benchmarks/blob_costs.py --models DIR --json"
        RESULTS.write_text(json.dumps({"command": command, "board": BOARD, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
