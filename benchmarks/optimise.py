"""What -Os costs and saves beside -O2: instructions of one inference, and flash of the model, on an emulated core.

python benchmarks/optimise.py                      the models that come with the project
python benchmarks/optimise.py --models DIR --json  and the four MLPerf Tiny models, dense and packed; and the file
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from compressed_models import BOARD, command_line, packed_models, ramp

from edgekc import __version__
from edgekc.boards.board import Board, load_board
from edgekc.files.output import write_folder
from edgekc.firmware.build import Optimise
from edgekc.firmware.toolchain import arm_compiler
from edgekc.measure.emulated import Measurement, measure
from edgekc.pipeline import compile_model, target_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "optimise.json"
DIGITS = HERE.parent / "edgekc" / "demo" / "data" / "digits_int8.tflite"


@dataclass(frozen=True, slots=True)
class Row:
    model: str
    instructions: int  # with -O2, as all without a suffix
    instructions_size: int  # with -Os
    flash_bytes: int  # code, tables and weights of the model
    flash_bytes_size: int
    stack_bytes: int
    stack_bytes_size: int

    def __str__(self) -> str:
        slower = self.instructions_size / self.instructions - 1
        saved = self.flash_bytes_size - self.flash_bytes
        return (
            f"| {self.model} | {self.instructions:,} | {self.instructions_size:,} | {slower:+.1%} "
            f"| {self.flash_bytes:,} | {self.flash_bytes_size:,} | {saved:+,} |"
        )


def models(folder: Path | None) -> Iterator[tuple[str, str, bytes]]:
    """Name, ending of the file, bytes."""
    yield "digits", ".tflite", DIGITS.read_bytes()
    for name in ("ic", "kws", "vww", "ad") if folder is not None else ():
        yield name.upper(), ".tflite", (folder / f"{name}_int8.tflite").read_bytes()
    for name, variant, data in packed_models(folder):
        yield f"{name.upper()} packed ({variant})", ".ekc", data


def row(board: Board, name: str, ending: str, data: bytes) -> Row:
    with tempfile.TemporaryDirectory() as temporary:
        path, folder = Path(temporary) / f"model{ending}", Path(temporary) / "out"
        path.write_bytes(data)
        compiled = compile_model(path, "model", target_of(board))
        write_folder(compiled.files, folder)
        inputs = ramp(compiled.plan.input_bytes)

        def measured(optimise: Optimise) -> Measurement:
            return measure(folder, board, samples=1, timeout_s=600, inputs=inputs, optimise=optimise)

        fast, small = measured("speed"), measured("size")
    flash = fast.ledger.model_flash_bytes, small.ledger.model_flash_bytes
    stack = fast.painted_stack_bytes or 0, small.painted_stack_bytes or 0
    return Row(name, fast.instructions[0], small.instructions[0], *flash, *stack)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder of the four *_int8.tflite of MLPerf Tiny")
    parser.add_argument("--board", default=BOARD, help=f"where it runs; {BOARD} by default")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, help="write the figures to a file")
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    print(
        "| model | instructions, -O2 | -Os | | flash of the model, bytes, -O2 | -Os | |\n|---|---|---|---|---|---|---|"
    )
    rows = []
    for name, ending, data in models(arguments.models):
        rows.append(row(board, name, ending, data))
        print(rows[-1], flush=True)
    if arguments.json is not None:
        head = {"command": command_line(), "edgekc": __version__, "board": board.name}
        data = {**head, "compiler": arm_compiler(board).description, "rows": [asdict(r) for r in rows]}
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
