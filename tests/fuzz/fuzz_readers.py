"""Every reader of a user's file, run on damaged files: it takes the file, or refuses it by an error for the user.

Anything else is a find: another exception, ten seconds, a GiB of memory, or the end of the process. A case is the
number of a reader and a number: the same everywhere, and again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import fuzz_mutations as mutations
import fuzz_own_files as own
import fuzz_seeds
import fuzz_torch
import numpy as np

from edgekc.errors import EdgekcError, UnsupportedError

SECONDS = 10.0
MEMORY_BYTES = 1 << 30
_COMPUTED = 1_000_000  # numbers of all tensors of a float network that is run once
# Ten seconds of computing; and a minute of anything, for what waits.
_TIMERS = ((signal.ITIMER_PROF, signal.SIGPROF, SECONDS), (signal.ITIMER_REAL, signal.SIGALRM, 6 * SECONDS))


@dataclass(frozen=True)
class Reader:
    suffix: str  # of the file that it is given, or its name; empty: it is given the bytes
    read: Callable[[Any], object]
    mutate: mutations.Mutate
    share: int  # of all cases
    needs: tuple[str, ...] = ()  # packages


class Hang(BaseException):
    """Raised by the timer; no reader can take it for damage."""


@dataclass
class Tally:
    """What became of the cases of one reader."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    foreign: dict[str, list[int]] = field(default_factory=dict)  # exception and place -> the first cases
    hangs: list[int] = field(default_factory=list)
    over_memory: list[int] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    worst_seconds: float = 0.0
    worst_mib: float = 0.0  # above what the process had before the first case

    def found(self) -> list[str]:
        """What should not have happened, a line each."""
        lines = [f"{what}: cases {cases}" for what, cases in self.foreign.items()]
        for name in ("hangs", "over_memory", "crashes"):
            cases = getattr(self, name)
            lines += [f"{name}: cases {cases}"] if cases else []
        return lines

    def add(self, other: Tally) -> None:
        for key in ("inputs", "accepted", "refused"):
            setattr(self, key, getattr(self, key) + getattr(other, key))
        for what, cases in other.foreign.items():
            self.foreign[what] = sorted({*self.foreign.get(what, []), *cases})[:5]
        for key in ("hangs", "over_memory", "crashes"):
            setattr(self, key, (getattr(self, key) + getattr(other, key))[:20])
        self.worst_seconds = max(self.worst_seconds, other.worst_seconds)
        self.worst_mib = max(self.worst_mib, other.worst_mib)


def _model(path: Path) -> None:
    """As far as `compile` or `compress` go before they write: import, checks, lowering, packing, plan."""
    from edgekc.format.pack import pack
    from edgekc.graph.ir import Stage
    from edgekc.importers import import_model
    from edgekc.ops import legal
    from edgekc.pipeline import to_integer
    from edgekc.quantize.float_reference import run
    from edgekc.quantize.to_int8 import prepare

    graph = import_model(path, "net")
    legal.check(graph)
    if graph.stage is Stage.QUANTIZED:
        _plan(pack(to_integer(graph, {"source": "net"}, allow_float=True)))
        return
    graph = prepare(graph)
    legal.check(graph)
    if sum(math.prod(t.shape) for t in graph.tensors.values()) < _COMPUTED:  # as `compress` calibrates
        with np.errstate(all="ignore"):
            run(graph, [np.zeros(graph.tensors[name].shape, np.float32) for name in graph.inputs])


def _plan(data: bytes) -> None:
    """From the packed model on; one in eight as far as the C sources."""
    from edgekc.format.pack import read
    from edgekc.generate.plan import plan_within
    from edgekc.generate.sources import generate

    packed = read(data, "net.ekc")
    found, _ = plan_within(packed.graph, frozenset(("dsp", "fpu", "thumb2")), 1 << 20)
    if zlib.crc32(data) % 8 == 0:
        generate(found, packed, data, "net", "none")


def _packed(path: Path) -> None:
    from edgekc.format.inspect import report

    data = path.read_bytes()
    report(data, str(path))
    _plan(data)


def _data(path: Path) -> None:
    from edgekc.data import load, real_batches
    from edgekc.parts import has_splits

    dataset = load(path, split="train" if has_splits(path) else "")
    if dataset.quant is not None or dataset.x.dtype.name != "int8":
        next(real_batches(dataset))


def _image(data: bytes) -> None:
    from edgekc.files.images import decode

    decode(data, "image")


def _recipe(path: Path) -> None:
    from edgekc import recipe

    recipe.parse(recipe.dump(recipe.load(path)))


def _board(path: Path) -> None:
    from edgekc.boards.board import load_board

    load_board(path)


def _console(data: bytes) -> None:
    """A conversation with a board that says these bytes, in pieces, whatever it is asked."""
    from edgekc.console.protocol import Console, Patience

    pieces = [piece for piece in re.split(rb"(?=\xec\x4b)", data) if piece]  # one for each request

    class Line:
        def send(self, data: bytes) -> None: ...

        def receive(self, timeout_s: float) -> bytes:
            if not pieces:
                raise EOFError
            return pieces.pop(0)

        def close(self) -> None: ...

    console = Console(Line(), Patience(1, 0.05, 0.05), "board")
    hello = console.hello()
    console.run(b"12345678")
    console.output(min(hello.output_bytes, 1 << 16))
    console.layers(min(hello.layers, 64))
    console.layer(0, 4)


def _inside(name: str) -> mutations.Mutate:
    """How a member of an archive is damaged."""
    if name.endswith("models/model.json"):
        return fuzz_torch.damaged
    if name.endswith(".json"):
        return mutations.js
    if name.endswith(".npy"):
        return mutations.npy
    return mutations.png if name.endswith(".png") else mutations.blind


def _tflite(rng: random.Random, data: bytes) -> bytes:
    return rng.choice((mutations.blind, mutations.numbers))(rng, data)


_archive = mutations.zipped(_inside)
READERS: dict[str, Reader] = {
    "tflite": Reader(".tflite", _model, _tflite, 90_000),
    "float .tflite": Reader(".tflite", _model, _tflite, 105_000),
    ".ekc": Reader(".ekc", _packed, mutations.ekc, 60_000),
    ".onnx": Reader(".onnx", _model, mutations.protobuf, 110_000, ("onnx",)),
    ".npz": Reader(".npz", _data, _archive, 140_000),
    "image": Reader("", _image, mutations.png, 80_000, ("PIL",)),
    "zip of images": Reader(".zip", _data, _archive, 70_000, ("PIL",)),
    "recipe": Reader(".toml", _recipe, mutations.toml, 75_000),
    "board": Reader(".toml", _board, mutations.toml, 65_000),
    "manifest.json": Reader("manifest.json", own.manifest, mutations.js, 35_000),
    "measurement": Reader(".json", own.measurement, mutations.js, 20_000),
    "checkpoint": Reader(".state", own.checkpoint, mutations.zipped(own.checkpoint_member(_inside)), 40_000),
    "console": Reader("", _console, mutations.frames, 35_000),
    ".pt2": Reader(".pt2", _model, _archive, 1_500, ("torch",)),
    ".keras": Reader(".keras", _model, _archive, 500, ("tensorflow",)),
    ".h5": Reader(".h5", _model, mutations.blind, 500, ("tensorflow",)),
    "tflite operators": Reader(".tflite", _model, _tflite, 25_000, ("flatbuffers", "tflite")),
    "float operators": Reader(".tflite", _model, _tflite, 25_000, ("flatbuffers", "tflite")),
    ".onnx operators": Reader(".onnx", _model, mutations.protobuf, 25_000, ("onnx",)),
    "update": Reader(".eku", own.update, mutations.numbers, 20_000, ("cryptography",)),
    "key": Reader(".pem", own.key, mutations.blind, 10_000, ("cryptography",)),
    "blob": Reader("", own.blob, own.damaged_blob, 20_000),
    "blob manifest": Reader("manifest.json", own.blob_manifest, mutations.js, 10_000),
    "firmware.json": Reader("firmware.json", own.updatable, mutations.js, 5_000),
    "search result": Reader("pareto.json", own.search, mutations.js, 10_000),
    "sensitivities": Reader("sensitivity.json", own.sensitivity, mutations.js, 5_000),
    "search journal": Reader("study.journal", own.journal_of_a_search, own.json_lines, 3_000, ("optuna",)),
    "uses of data": Reader("edgekc-data.json", own.use, mutations.js, 5_000),
    "labels of samples": Reader("y_labels.csv", own.label_table, mutations.blind, 5_000),
    "settings of apps": Reader("net.json", own.app_settings, mutations.js, 10_000),
    "table of models": Reader("bench.json", own.table, mutations.js, 5_000),
    "frames": Reader("", own.frames_of_images, own.netpbm_text, 10_000),
}


def missing(reader: Reader) -> str:
    """The package that a reader lacks here; empty where there is none."""
    import importlib.util

    return next((name for name in reader.needs if importlib.util.find_spec(name) is None), "")


def name_of(reader: Reader) -> str:
    """Of the file that a reader is given."""
    return f"net{reader.suffix}" if reader.suffix[:1] in ("", ".") else reader.suffix


def case(name: str, seeds: fuzz_seeds.Seeds, number: int) -> bytes:
    """The damaged file of one case."""
    rng = random.Random(f"{name} {number}")
    data = READERS[name].mutate(rng, rng.choice(seeds))
    while rng.random() < 0.15:
        data = READERS[name].mutate(rng, data)
    return data


def run_cases(name: str, first: int, count: int, folder: Path, progress: Path | None = None) -> Tally:
    """Run cases in this process.

    Args:
        folder: where each file is written before it is read.
        progress: a file that always has the number of the case that is running, for whoever finds the process dead.
    """
    reader, tally = READERS[name], Tally()
    seeds = fuzz_seeds.SEEDS[name]()
    path = folder / "files" / name_of(reader)
    path.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:  # the first one of a kind imports packages, which takes its time
            _one(reader, seed, path, Tally(), 0)
        gc.collect()
        before = _peak_kib()
        _reset_peak()
        for number in range(first, first + count):
            data = case(name, seeds, number)
            if progress is not None:
                progress.write_text(str(number))
            _one(reader, data, path, tally, number)
            if number % 64 == 0:
                gc.collect()
        tally.worst_mib = round(max(_peak_kib() - before, 0) / 1024, 1)
    return tally


def _one(reader: Reader, data: bytes, path: Path, tally: Tally, number: int) -> None:
    if reader.suffix:
        path.write_bytes(data)
    tally.inputs += 1
    started = time.process_time()  # of this process: other work on the machine does not count
    _limit_memory()
    for timer, number_, seconds in _TIMERS:
        signal.signal(number_, _ring)
        signal.setitimer(timer, seconds)
    try:
        _read(reader, path if reader.suffix else data)
        tally.accepted += 1
    except EdgekcError as error:
        tally.refused += 1
        if _has_memory_error(error):
            tally.over_memory.append(number)
        obstacles = error.obstacles if isinstance(error, UnsupportedError) else (error,)
        if any("\n" in str(each) or len(str(each)) > 4000 for each in obstacles):  # a line each
            _note(tally, "an error of several lines, or of thousands of characters", number)
    except Hang:
        tally.hangs.append(number)
    except MemoryError:
        tally.over_memory.append(number)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)
        ours = next((frame for frame in reversed(last) if "edgekc" in frame.filename), last[-1])
        _note(tally, f"{type(error).__name__} at {Path(ours.filename).name}:{ours.name}: {str(error)[:80]}", number)
    finally:
        for timer, _, _ in _TIMERS:
            signal.setitimer(timer, 0)
        _lift_memory()
    tally.worst_seconds = round(max(tally.worst_seconds, time.process_time() - started), 3)


_reading = False  # a timer that rings behind the reader, or as the second one, says nothing


def _read(reader: Reader, given: Any) -> None:
    global _reading
    _reading = True
    try:
        reader.read(given)
    finally:
        _reading = False


def _note(tally: Tally, what: str, number: int) -> None:
    cases = tally.foreign.setdefault(what, [])
    if len(cases) < 5:
        cases.append(number)


def _has_memory_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "cannot allocate" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _ring(number: int, frame: FrameType | None) -> None:
    global _reading
    if _reading:
        _reading = False
        raise Hang


def _limit_memory() -> None:
    """No allocation may take this process a GiB above what it has: the attempt is seen, not only the success."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _lift_memory() -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _peak_kib() -> int:
    """The most memory that this process had in RAM, since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _reset_peak() -> None:
    with contextlib.suppress(OSError):  # not everywhere allowed: then the figure is too high
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":  # a worker of benchmarks/fuzz_readers.py: names, first, count, folder; a line for each name
    for each in sys.argv[1].split(","):
        place = Path(sys.argv[4]) / each.strip(".")
        place.mkdir()
        made = run_cases(each, int(sys.argv[2]), int(sys.argv[3]), place, Path(sys.argv[4]) / "case")
        print(json.dumps(dataclasses.asdict(made)))
