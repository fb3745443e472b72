"""Estimated cycles beside those of rp2040js, a simulator of the RP2040 (Cortex-M0+) that others wrote.

    npm install rp2040js@1.4.1
    python benchmarks/rp2040.py --models DIR          from the folder that holds node_modules
    python benchmarks/rp2040.py --models DIR --json   and benchmarks/results/rp2040.json

DIR holds ic_int8.tflite, kws_int8.tflite and ad_int8.tflite. Both run the program for `rpi-pico` on the same input; the
output bytes must be the same too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

import edgekc
from edgekc import __version__
from edgekc.boards.board import load_board
from edgekc.emulate import host
from edgekc.measure.emulated import measure

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "rp2040.json"
EXAMPLES = HERE.parent / "examples" / "models"
BOARD = "rpi-pico"
_RAM, _STACK, _RETURN = 0x20000000, 0x20040000, 0x20041000  # the stack grows down from the end of the first 256 KiB


def row(name: str, path: Path, work: Path) -> dict[str, Any]:
    """One inference of a model by both."""
    edgekc.compile(path, board=BOARD, name="net").save(work / "out")
    manifest = json.loads((work / "out" / "manifest.json").read_text())
    sizes = {side: sum(part["bytes"] for part in manifest[side]) for side in ("inputs", "outputs")}
    inputs = host.samples(manifest, 1)
    ours = measure(work / "out", load_board(BOARD), samples=1, timeout_s=600, inputs=inputs, out_dir=work / "image")
    segments, entry = _program(next((work / "image").glob("*.elf")), work)
    (work / "input").write_bytes(inputs)
    input_at = _RAM + (manifest["arena_bytes"] + 31) // 16 * 16
    output_at = input_at + (sizes["inputs"] + 31) // 16 * 16
    job = dict(
        segments=segments, entry=entry, input=str(work / "input"), output=str(work / "output"), arena_at=_RAM,
        input_at=input_at, output_at=output_at, output_bytes=sizes["outputs"], stack_at=_STACK, return_at=_RETURN,
    )  # fmt: skip
    (work / "job.json").write_text(json.dumps(job))
    command = ["node", str(HERE / "rp2040.mjs"), str(work / "job.json")]
    theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    expected = host.run(host.build(work / "out"), inputs)
    if theirs["status"] != 0 or (work / "output").read_bytes() != expected:
        raise SystemExit(f"{name}: rp2040js gives other bytes")
    assert ours.speed is not None
    return dict(
        model=name, instructions=ours.instructions[0], rp2040js_instructions=theirs["instructions"],
        estimated_cycles=round(ours.speed.cycles.likely), rp2040js_cycles=theirs["cycles"],
    )  # fmt: skip


def _program(elf: Path, work: Path) -> tuple[list[dict[str, Any]], int]:
    """What the ELF loads, as files, and where the network function is."""
    segments = []
    with elf.open("rb") as file:
        found = ELFFile(file)
        for i, segment in enumerate(s for s in found.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]):
            part = work / f"segment{i}"
            part.write_bytes(segment.data())
            segments.append({"file": str(part), "address": segment["p_paddr"]})
        (symbol,) = found.get_section_by_name(".symtab").get_symbol_by_name("net_run")
        return segments, int(symbol["st_value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the .tflite files")
    parser.add_argument("--json", action="store_true", help=f"also write {RESULTS.name}")
    arguments = parser.parse_args()
    models = {f"{name} int8": arguments.models / f"{name}_int8.tflite" for name in ("ic", "kws", "ad")}
    models |= {"ic packed": EXAMPLES / "resnet8_cifar10.ekc", "kws packed": EXAMPLES / "kws_dscnn.ekc"}
    rows = []
    for name, path in models.items():
        with tempfile.TemporaryDirectory() as work:
            rows.append(row(name, path, Path(work)))
        last = rows[-1]
        print(
            f"{name}: {last['instructions']:,} instructions, rp2040js {last['rp2040js_instructions']:,}; estimated "
            f"{last['estimated_cycles']:,} cycles, rp2040js {last['rp2040js_cycles']:,} "
            f"({100 * (last['estimated_cycles'] / last['rp2040js_cycles'] - 1):+.1f} %)"
        )
    if arguments.json:
        command = "python benchmarks/rp2040.py --models ../shared/models --json"
        data = {"command": command, "edgekc": __version__, "peer": "rp2040js 1.4.1 (npm)", "rows": rows}
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
