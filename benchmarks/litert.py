"""Wall time of one inference on this machine, as a ratio to LiteRT with XNNPACK on one thread.

    python benchmarks/litert.py [--models DIR] [--json]

Both run in this process, in many short turns, one after the other. Other work on the machine only ever adds to a
turn, so the time of an inference is that of the fastest turn of each. Where the wall time of either is still a tenth
above its processor time, it never ran alone: the row is disturbed, and measured again, three times in all. If that
does not help it is not written, whatever else is, and the command exits with 1. Ours is the generated C with the
vector kernels, compiled for this machine (`edgekc.emulate.host`) and called through ctypes; theirs is
Interpreter.invoke(). Inputs are in place before. Asked: at most 0.5 on the four int8 models of MLPerf Tiny, and 0.75 on
a model of MobileNetV2's size. The packed models of compressed_models.py meet LiteRT on the dense ones; so does ResNet-8
with weights of two bits in equal steps, untrained.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compressed_models import packed_models, steps_model
from mobilenets import mobilenet_v2

from edgekc.emulate import host
from edgekc.files.output import write_folder
from edgekc.pipeline import Target, compile_model

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULT = Path(__file__).resolve().parent / "results" / "litert.json"
PAUSE_S = 0.004
NAMES = ("ic", "kws", "vww", "ad", "mobilenet_v2", "packed")
ASKED = {"ic": 0.5, "kws": 0.5, "vww": 0.5, "ad": 0.5, "mobilenet_v2": 0.75}  # of packed models nothing is asked
TRIES = 3
TURN_S, TURNS, SECONDS = 0.002, 1500, 12.0  # at least so long a turn, at most so many turns or seconds


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds of one inference, and the ratios of edgekc to LiteRT."""

    model: str
    macs: int
    edgekc_us: float  # wall
    litert_us: float
    ratio: float
    edgekc_cpu_us: float
    litert_cpu_us: float
    cpu_ratio: float
    disturbed: bool


def features() -> frozenset[str]:
    """Of this machine, as boards have them (edgekc/boards/cores.py)."""
    info = Path("/proc/cpuinfo")
    dot = info.is_file() and {"avx512_vnni", "asimddp"} & set(info.read_text().split())
    return frozenset({"vector", "dotprod"}) if dot else frozenset({"vector"})


def ours(model: Path, name: str, folder: Path) -> tuple[Callable[[], object], int]:
    """A call of the network, and its MACs."""
    compiled = compile_model(model, name, Target("this machine", features(), None, None))
    write_folder(compiled.files, folder / name)
    program = host.build(folder / name)
    sizes = (
        int(program.manifest["arena_bytes"]),
        host.input_bytes(program.manifest),
        host.output_bytes(program.manifest),
    )
    buffers = [np.zeros(size + 128, np.uint8) for size in sizes]
    buffers[1][:] = np.random.default_rng(0).integers(0, 256, buffers[1].size)
    arguments = [ctypes.c_void_p(b.ctypes.data + -b.ctypes.data % 64) for b in buffers]
    function = getattr(program.library, f"{name}_run")
    function.argtypes = [ctypes.c_void_p] * 3

    def call(kept: object = (buffers, program)) -> object:
        return function(*arguments)

    assert call() == 0
    return call, int(program.manifest["macs"])


def theirs(model: Path) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        info = np.iinfo(detail["dtype"])
        values = rng.integers(info.min, info.max + 1, detail["shape"]).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], values)
    call: Callable[[], object] = interpreter.invoke
    return call


def turn(call: Callable[[], object], count: int) -> tuple[float, float]:
    """Seconds of one call, over `count` of them: wall time, and processor time of the process.

    The pause lets the scheduler of a busy machine run a turn to its end; the uncounted call fills the caches again,
    except where a call alone is longer than a turn.
    """
    time.sleep(PAUSE_S)
    if count > 1:
        call()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return wall / count, cpu / count


def compare(model: Path, dense: Path, name: str, folder: Path) -> Timing:
    mine, macs = ours(model, f"net_{len(list(folder.iterdir()))}", folder)
    calls = mine, theirs(dense)
    counts = [max(1, round(TURN_S / min(turn(call, 1)[0] for _ in range(50)))) for call in calls]
    turns: list[list[tuple[float, float]]] = [[], []]
    end = time.perf_counter() + SECONDS
    while len(turns[0]) < TURNS and (time.perf_counter() < end or len(turns[0]) < 20):
        for call, count, done in zip(calls, counts, turns, strict=True):
            done.append(turn(call, count))
    wall, cpu = ([min(t[k] for t in each) * 1e6 for each in turns] for k in (0, 1))
    columns = [(round(a, 2), round(b, 2), round(a / b, 3)) for a, b in (wall, cpu)]
    disturbed = any(a > 1.1 * b for a, b in zip(wall, cpu, strict=True))
    return Timing(name, macs, *columns[0], *columns[1], disturbed)


def models(folder: Path, scratch: Path, only: str | None) -> Iterator[tuple[str, Path, Path]]:
    """Name, our model, and LiteRT's."""
    for name in NAMES if only is None else (only,):
        if name == "packed":
            for k, (model, variant, ekc) in enumerate((*packed_models(folder), steps_model(folder))):
                path = scratch / f"{k}.ekc"
                path.write_bytes(ekc)
                yield f"{model} {variant}", path, folder / f"{model}_int8.tflite"
            continue
        path = folder / f"{name}_int8.tflite"
        if name == "mobilenet_v2":
            path = scratch / f"{name}.tflite"
            path.write_bytes(mobilenet_v2(seed=0))
        yield name, path, path


def processor() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def undisturbed(measure: Callable[[], Timing]) -> Timing:
    """The first timing that nothing disturbed, or the last of TRIES."""
    for _ in range(TRIES):
        timing = measure()
        if not timing.disturbed:
            break
    return timing


def recorded(before: Sequence[Mapping[str, Any]], found: Sequence[Timing]) -> list[dict[str, Any]]:
    """The rows to write: those of before, under what was found; none that was disturbed, old or new."""
    rows = {row["model"]: dict(row) for row in before} | {t.model: asdict(t) for t in found if not t.disturbed}
    kept = [row for row in rows.values() if not row["disturbed"]]
    return sorted(kept, key=lambda row: NAMES.index(row["model"]) if row["model"] in NAMES else len(NAMES))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="folder with the int8 models")
    parser.add_argument(
        "--only",
        choices=NAMES,
        help="one model, or the packed ones; --json then keeps what the file says of the others",
    )
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, path, dense in models(arguments.models, Path(temporary), arguments.only):
            timing = undisturbed(partial(compare, path, dense, name, Path(temporary)))
            found.append(timing)
            asked = ASKED.get(timing.model)
            met = "" if asked is None else f", asked {asked}: {'met' if timing.ratio <= asked else 'missed'}"
            print(
                f"{name:26} {timing.edgekc_us:>9.2f} us, LiteRT {timing.litert_us:>9.2f} us: ratio {timing.ratio:.3f} "
                f"(processor time {timing.cpu_ratio:.3f}){': DISTURBED' if timing.disturbed else met}",
                flush=True,
            )
    if arguments.json:
        import ai_edge_litert

        keep = arguments.only is not None and RESULT.is_file()
        rows = recorded(json.loads(RESULT.read_text())["models"] if keep else [], found)
        record = {
            "command": "python benchmarks/litert.py --json",
            "processor": processor(),
            "litert": ai_edge_litert.__version__,
            "asked": ASKED,
            "models": rows,
        }
        RESULT.write_text(json.dumps(record, indent=1) + "\n")
    disturbed = [timing.model for timing in found if timing.disturbed]
    if disturbed:
        print(
            f"DISTURBED, and in no file: {', '.join(disturbed)}. Other work ran on this machine all the time; "
            "measure them again on an idle one, with --only",
            file=sys.stderr,
        )
    return 1 if disturbed else 0


if __name__ == "__main__":
    sys.exit(main())
