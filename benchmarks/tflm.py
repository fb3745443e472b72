"""The MLPerf Tiny models through edgekc, beside TensorFlow Lite Micro with CMSIS-NN on the same work.

    python benchmarks/tflm.py --models DIR            the table
    python benchmarks/tflm.py --models DIR --json     and benchmarks/results/tflm_m4.json
    python benchmarks/tflm.py --models DIR --boards mps3-an547 --json benchmarks/results/tflm_m55.json

DIR holds ic_int8.tflite, kws_int8.tflite, vww_int8.tflite and ad_int8.tflite. The peer's figures are kept in
benchmarks/peers.json with how they were measured. Exits with 1 if a figure misses what is asked of it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edgekc import __version__
from edgekc.boards.board import load_board
from edgekc.errors import CapacityError
from edgekc.measure.emulated import UNIT, measure
from edgekc.measure.ledger import HELPERS, KERNELS, NETWORK, TABLES

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "tflm_m4.json"
MODELS = ("ic", "kws", "vww", "ad")
MAIN_BOARD = "mps2-an386"  # Cortex-M4F: what is asked below is asked of this board

# An absolute bound, or a ratio to the peer.
CODE_BYTES_MAX = 12 * 1024
ARENA_RATIO_MAX = {"ic": 0.95, "kws": 0.75, "vww": 0.75, "ad": 0.75}
INSTRUCTIONS_RATIO_MAX = {"ic": 0.55, "kws": 0.60, "vww": 0.30, "ad": 0.75}
CYCLES_RATIO_MAX = {"ic": 0.37, "kws": 0.475, "vww": 0.26, "ad": 0.60}  # of the peer's estimated cycles
HELIUM_BOARD = "mps3-an547"  # Cortex-M55: of it only instructions and cycles are asked, of every model alike
HELIUM_RATIO_MAX = 0.80
HELIUM_CYCLES_MAX = 0.50
COMPILE_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one model on one board."""

    model: str
    figure: str
    ours: float
    peer: float | None
    asked: str  # empty: nothing is asked
    ok: bool

    @property
    def ratio(self) -> float | None:
        return None if self.peer is None else self.ours / self.peer


def ramp(size_bytes: int) -> bytes:
    """The input with which the peer was measured."""
    return bytes((np.arange(size_bytes) * 37 + 11).astype(np.uint8))


def compile_seconds(model: Path, name: str, board: str, folder: Path) -> float:
    """Runs the command as a user does, Python's start included."""
    program = "from edgekc.cli.main import run; run()"
    command = [sys.executable, "-c", program, "compile", str(model), "-o", str(folder), "--name", name]
    start = time.monotonic()
    done = subprocess.run([*command, "--board", board], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr.strip() or done.stdout)
    return time.monotonic() - start


def figures(models: Path, model: str, board_name: str, peer: dict[str, Any]) -> tuple[list[Row], str]:
    """All rows of one model on one board, and the tools that measured them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "out"
        seconds = compile_seconds(models / f"{model}_int8.tflite", model, board_name, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        edges = sum(part["bytes"] for part in (*manifest["inputs"], *manifest["outputs"]))
        inputs = ramp(sum(part["bytes"] for part in manifest["inputs"]))
        m = measure(folder, load_board(board_name), samples=1, timeout_s=600, inputs=inputs)
    kinds: Counter[str] = Counter()
    for entry in m.ledger.flash:
        if entry.of_model:
            kinds[entry.kind] += entry.size_bytes
    code = kinds[NETWORK] + kinds[KERNELS] + kinds[HELPERS]
    rows = [_bounded(model, "code, bytes", code, None, CODE_BYTES_MAX)]
    rows.append(_plain(model, "code and tables, bytes", code + kinds[TABLES], peer.get("runtime_flash_bytes")))
    rows.append(_plain(model, "flash with weights, bytes", m.ledger.model_flash_bytes, peer.get("flash_bytes")))
    rows.append(_within(model, "arena, bytes", m.arena_bytes, peer.get("arena_bytes"), ARENA_RATIO_MAX[model]))
    rows.append(_plain(model, "arena, input and output, bytes", m.arena_bytes + edges, peer.get("arena_bytes")))
    stack = m.stack_bytes if m.stack_bytes is not None else m.painted_stack_bytes
    if stack is not None:
        rows.append(_plain(model, "peak stack, bytes", stack, peer.get("stack_bytes")))
    if m.instructions:
        counted = m.instructions[0]
        helium = board_name == HELIUM_BOARD
        most = HELIUM_RATIO_MAX if helium else INSTRUCTIONS_RATIO_MAX[model]
        rows.append(_within(model, "instructions", counted, peer.get("instructions"), most))
        if m.speed is not None:
            cycles, peers_cycles = round(m.speed.cycles.likely), peer.get("estimated_cycles")
            most = HELIUM_CYCLES_MAX if helium else CYCLES_RATIO_MAX[model]
            rows.append(_within(model, "estimated cycles", cycles, peers_cycles, most))
        per_mac = round(counted / manifest["macs"], 2)
        rows.append(Row(model, "instructions per executed MAC", per_mac, peer.get("instructions_per_mac"), "", True))
    rows.append(_bounded(model, "compile, seconds", round(seconds, 2), None, COMPILE_SECONDS_MAX))
    if board_name != MAIN_BOARD:
        kept = {"instructions", "estimated cycles"} if board_name == HELIUM_BOARD else set()
        rows = [r if r.figure in kept else Row(r.model, r.figure, r.ours, r.peer, "", True) for r in rows]
    return rows, f"{m.compiler}, {m.emulator}"


def _plain(model: str, figure: str, ours: float, peer: float | None) -> Row:
    return Row(model, figure, ours, peer, "", True)


def _bounded(model: str, figure: str, ours: float, peer: float | None, most: float) -> Row:
    return Row(model, figure, ours, peer, f"<= {most:,g}", ours <= most)


def _within(model: str, figure: str, ours: float, peer: float | None, ratio: float) -> Row:
    if peer is None:
        return _plain(model, figure, ours, peer)
    return Row(model, figure, ours, peer, f"<= {ratio:g} x", ours <= ratio * peer)


def table(title: str, rows: list[Row], peer_name: str) -> Table:
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    out.add_column("model")
    out.add_column("figure")
    for name in ("edgekc", peer_name, "ratio", "asked", "ok"):
        out.add_column(name, justify="right")
    last = ""
    for row in rows:
        if last and row.model != last:
            out.add_section()
        ok = ("[green]yes[/green]" if row.ok else "[bold red]NO[/bold red]") if row.asked else ""
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        peer = "" if row.peer is None else number(row.peer)
        out.add_row(row.model if row.model != last else "", row.figure, number(row.ours), peer, ratio, row.asked, ok)
        last = row.model
    return out


def number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = HERE.parents[1] / "shared" / "models"
    parser.add_argument("--models", type=Path, default=default, help="folder of the .tflite files")
    parser.add_argument("--boards", nargs="+", default=[MAIN_BOARD], help="see `edgekc boards`")
    parser.add_argument(
        "--json", type=Path, nargs="?", const=RESULTS, metavar="FILE", help=f"also write FILE ({RESULTS.name})"
    )
    arguments = parser.parse_args()
    missing = [m for m in MODELS if not (arguments.models / f"{m}_int8.tflite").is_file()]
    if missing:
        parser.error(f"{arguments.models} has no {', no '.join(f'{m}_int8.tflite' for m in missing)}; see --models")
    peers = json.loads((HERE / "peers.json").read_text())
    console = Console(width=max(Console().width, 110))
    boards: dict[str, Any] = {}
    ok = True
    for board in arguments.boards:
        rows: list[Row] = []
        tools = ""
        for model in MODELS:
            try:
                found, tools = figures(arguments.models, model, board, peers["boards"].get(board, {}).get(model, {}))
            except CapacityError as error:
                console.print(f"{model}: {error}")
                continue
            rows += found
        ok = ok and all(row.ok for row in rows)
        title = f"{board} ({load_board(board).core.name}), {tools}; {UNIT}"
        console.print(table(title, rows, peers["name"]))
        boards[board] = {"tools": tools, "rows": [{**asdict(row), "ratio": row.ratio} for row in rows]}
    console.print(f"Peer: {peers['source']}.", highlight=False)
    for key in ("estimated_cycles", "estimated_cycles_m55_m7"):
        console.print(f"Estimated cycles of the peer: {peers['notes'][key]}.", highlight=False)
    console.print("Its arena includes input and output tensors; edgekc's caller owns those two.", highlight=False)
    if arguments.json is not None:
        file = [] if arguments.json == RESULTS else [f"benchmarks/results/{arguments.json.name}"]
        command = shlex.join(["python", "benchmarks/tflm.py", "--json", *file, "--boards", *arguments.boards])
        data = {"command": command, "edgekc": __version__, "unit": UNIT, "peer": peers["source"], "boards": boards}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
        console.print(f"wrote {arguments.json}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
