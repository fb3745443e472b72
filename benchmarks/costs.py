"""What models cost on emulated cores, asked beside got: cycles, RAM and flash. One command for all of it.

    python benchmarks/costs.py --models DIR                       prints the tables, in about two minutes of one core
    python benchmarks/costs.py --models DIR --json                and writes benchmarks/results/costs.json
    python benchmarks/costs.py --models DIR --only cycles --boards mps3-an547

DIR holds ic_int8.tflite, kws_int8.tflite, vww_int8.tflite and ad_int8.tflite. Packed models are those of
examples/models/, and VWW with 4-bit clusters, for its cycles alone. The MobileNets of the table of RAM are written by
benchmarks/mobilenets.py. The peer's figures are in benchmarks/peers.json. `python tests/unit/test_tables.py` puts the
tables into docs/. Exits with 1 if a figure misses what is asked of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compressed_models import CYCLES_ASKED as PACKED_CYCLES
from compressed_models import packed_models, ramp
from cost_tables import CORES, SECTIONS, cells, tables
from mobilenets import FD_MOBILENET, MOBILENET_V1, mobilenet_v2, separable
from tflm import CYCLES_RATIO_MAX, HELIUM_CYCLES_MAX, MODELS

import edgekc
from edgekc import __version__
from edgekc.api.program import Program
from edgekc.boards.board import load_board
from edgekc.errors import CapacityError
from edgekc.firmware.build import Optimise
from edgekc.measure.emulated import Measurement, measure
from edgekc.measure.ledger import KERNELS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "costs.json"
M4, M55, M7, M3, M0PLUS = CORES
# Of the peer's estimated cycles on the same core: dense models, and packed ones beside the peer on the dense model.
DENSE = {M4: CYCLES_RATIO_MAX, M55: dict.fromkeys(MODELS, HELIUM_CYCLES_MAX), M7: {"ic": 0.50, "kws": 0.55}}
PACKED = {M4: PACKED_CYCLES}
# Cycles that dense models took when it was asked that they take no more, and instructions on the Cortex-M55.
CYCLES_BEFORE = {
    M0PLUS: {"ic": 52_639_463, "kws": 20_831_358, "vww": 39_446_315, "ad": 2_553_510},
    M3: {"ic": 41_619_359, "kws": 14_184_288, "vww": 24_545_161, "ad": 1_537_799},
}
INSTRUCTIONS_BEFORE = {M55: {"ic": 2_800_335, "kws": 889_822, "vww": 2_333_141, "ad": 53_047}}
PACKED_TO_DENSE = {M0PLUS: 1.2, M3: 1.2}  # cycles
STACK = 1024  # that `compile --ram` counts
KERNELS_MOST = 7 * 1024
PACKED_FLASH = {"ic": 36 * 1024, "kws": 24 * 1024}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is of, got, what it is compared with, and what is asked."""

    section: str
    board: str
    network: str
    figure: str
    got: float
    against: float | None  # what a bound that is a ratio is of
    most: float | None  # None: nothing is asked
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.against is None else self.got / self.against

    @property
    def ok(self) -> bool:
        return self.most is None or (self.got if self.ratio is None else self.ratio) <= self.most


def measured(program: Program, board: str, optimise: Optimise = "speed") -> Measurement:
    """One inference on the board's emulator, of the input with which the peer was measured."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "out"
        program.save(folder)
        inputs = ramp(sum(part["bytes"] for part in program.manifest["inputs"]))
        return measure(folder, load_board(board), samples=1, timeout_s=600, inputs=inputs, optimise=optimise)


def estimated(found: Measurement) -> int:
    """Cycles without wait states."""
    if found.speed is None:
        raise SystemExit("nothing estimates cycles here: pip install 'edgekc[arm]', and qemu or unicorn")
    return round(found.speed.cycles.likely)


def cycles(folder: Path, scratch: Path, boards: list[str], peers: dict[str, Any]) -> Iterator[Row]:
    packed = {}
    for model, variant, data in packed_models(folder):
        packed[model] = scratch / f"{model}.ekc", variant
        packed[model][0].write_bytes(data)
    for board in boards:
        for model in MODELS:
            peer = peers["boards"].get(board, {}).get(model, {}).get("estimated_cycles")
            try:
                found = measured(edgekc.compile(folder / f"{model}_int8.tflite", board=board, name=model), board)
            except CapacityError:
                continue
            dense, name = estimated(found), model.upper()
            before = CYCLES_BEFORE.get(board, {}).get(model)
            if before is None:
                yield Row("cycles", board, name, "cycles", dense, peer, DENSE.get(board, {}).get(model), "the peer")
            else:
                yield Row("cycles", board, name, "cycles", dense, before, 1.0, "before")
            if model in INSTRUCTIONS_BEFORE.get(board, {}):
                instructions, then = found.instructions[0], INSTRUCTIONS_BEFORE[board][model]
                yield Row("cycles", board, name, "instructions", instructions, then, 1.0, "before")
            path, variant = packed[model]
            own = estimated(measured(edgekc.compile(path, board=board, name=model), board))
            name = f"{name}, packed ({variant})"
            if board in PACKED_TO_DENSE:
                yield Row("cycles", board, name, "cycles", own, dense, PACKED_TO_DENSE[board], "dense")
            else:
                yield Row("cycles", board, name, "cycles", own, peer, PACKED.get(board, {}).get(model), "the peer")


@dataclass(frozen=True, slots=True)
class Small:
    """A network that is to run in little RAM on a Cortex-M4: bytes of arena, or a share of the fastest plan's."""

    name: str
    make: Callable[[Path], Path | bytes]  # from the folder of the models
    arena_bytes: int | None
    share: float | None
    cycles: float  # of the fastest plan's


SMALL = (
    Small("ResNet-8", lambda models: models / "ic_int8.tflite", 18_000, None, 1.05),
    Small("MobileNetV1 0.25, 96x96", lambda models: models / "vww_int8.tflite", 20_000, None, 1.05),
    Small("MobileNetV2 0.35, 96x96", lambda models: mobilenet_v2(0, 96, 0.35, classes=2), 38_000, None, 1.08),
    Small("MobileNetV2 0.35, 128x128", lambda models: mobilenet_v2(0, 128, 0.35), None, 0.4, 1.10),
    Small("MobileNetV2 0.35, 224x224", lambda models: mobilenet_v2(0, 224, 0.35), None, 0.4, 1.10),
    Small("MobileNetV1 0.25, 224x224", lambda models: separable(0, 224, 0.25, MOBILENET_V1), None, 0.4, 1.10),
    Small("FD-MobileNet 0.25, 224x224", lambda models: separable(0, 224, 0.25, FD_MOBILENET), None, 0.4, 1.10),
    Small(
        "ResNet-8, packed",
        lambda models: HERE.parent / "examples" / "models" / "resnet8_cifar10.ekc",
        36 * 1024,
        None,
        1.10,
    ),
)


def ram(folder: Path, scratch: Path) -> Iterator[Row]:
    for small in SMALL:
        source = small.make(folder)
        if isinstance(source, bytes):
            path = scratch / "small.tflite"
            path.write_bytes(source)
        else:
            path = source
        fastest = edgekc.compile(path, board=M4, name="small")
        arena = fastest.manifest["arena_bytes"]
        most = small.arena_bytes if small.arena_bytes is not None else int(small.share * arena)
        try:
            program = edgekc.compile(path, board=M4, name="small", ram=most + STACK)
        except CapacityError:  # then the least that there is
            program = edgekc.compile(path, board=M4, name="small", optimise="ram")
        got = program.manifest["arena_bytes"]
        yield Row("ram", M4, small.name, "arena, bytes", got, None, most, f"{arena:,} for the fastest plan")
        both = [estimated(measured(p, M4)) for p in (program, fastest)]
        yield Row("ram", M4, small.name, "cycles", both[0], both[1], small.cycles, "the fastest plan")


def flash(folder: Path, scratch: Path) -> Iterator[Row]:
    for model, variant, data in packed_models(None):
        path = scratch / f"{model}.ekc"
        path.write_bytes(data)
        name = f"{model.upper()}, packed ({variant})"
        for strip in (False, True):
            program = edgekc.compile(path, board=M4, name=model, optimise="size", strip=strip)
            size = measured(program, M4, "size").ledger.model_flash_bytes
            asked = PACKED_FLASH.get(model) if strip else None
            yield Row("flash", M4, name, "linked, stripped, bytes" if strip else "linked, bytes", size, None, asked)
    for model in MODELS:
        program = edgekc.compile(folder / f"{model}_int8.tflite", board=M4, name=model, optimise="size")
        ledger = measured(program, M4, "size").ledger
        size = sum(entry.size_bytes for entry in ledger.flash if entry.of_model and entry.kind == KERNELS)
        yield Row("flash", M4, model.upper(), "kernels, bytes", size, None, KERNELS_MOST)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = HERE.parents[1] / "shared" / "models"
    parser.add_argument("--models", type=Path, default=default, help="folder of the .tflite files")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="these tables")
    parser.add_argument("--boards", nargs="+", choices=list(CORES), default=list(CORES), help="of the cycles")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, metavar="FILE", help="also write the figures")
    arguments = parser.parse_args()
    missing = [m for m in MODELS if not (arguments.models / f"{m}_int8.tflite").is_file()]
    if missing:
        parser.error(f"{arguments.models} has no {', no '.join(f'{m}_int8.tflite' for m in missing)}; see --models")
    peers = json.loads((HERE / "peers.json").read_text())
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        makers = {
            "cycles": lambda: cycles(arguments.models, scratch, arguments.boards, peers),
            "ram": lambda: ram(arguments.models, scratch),
            "flash": lambda: flash(arguments.models, scratch),
        }
        for section in arguments.only:
            for row in makers[section]():
                rows.append(row)
                got, beside, asked = cells(_as_file([row])[0])
                print(f"{section} {row.board}: {row.network}, {row.figure}: {got} {beside} {asked}", flush=True)
    command = "python benchmarks/costs.py --models DIR --json"
    result = {"command": command, "edgekc": __version__, "peer": peers["source"]}
    result = {**result, "rows": _as_file(rows)}
    found = tables(result)
    for section in arguments.only:
        print(f"\n{found[section]}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_with_others(result, arguments), indent=1) + "\n")
    return 0 if all(row.ok for row in rows) else 1


def _with_others(result: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """With what the file has of tables and boards that were left out."""
    file: Path = arguments.json
    before = json.loads(file.read_text())["rows"] if file.is_file() else []
    left_out = [
        r
        for r in before
        if r["section"] not in arguments.only or (r["section"] == "cycles" and r["board"] not in arguments.boards)
    ]
    order = list(CORES)
    return {**result, "rows": sorted(result["rows"] + left_out, key=lambda r: order.index(r["board"]))}


def _as_file(rows: list[Row]) -> list[dict[str, Any]]:
    return [{**asdict(r), "ratio": None if r.ratio is None else round(r.ratio, 4), "ok": r.ok} for r in rows]


if __name__ == "__main__":
    sys.exit(main())
