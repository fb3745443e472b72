"""Performance mode and accuracy mode of MLPerf Tiny's runner, over a device that is connected."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..boards.board import Board
from ..console.session import unit_of
from ..errors import ToolError
from ..progress import Progress, silent
from .benchmarks import Benchmark
from .client import Device, Identity
from .samples import Labelled, roc_auc

RUNS = 5  # the runner takes the median of so many
LEAST_SECONDS = 10.0  # that each must take, on hardware
_MOST_ITERATIONS = 10**8


@dataclass(frozen=True, slots=True)
class Performance:
    """The runs of performance mode.

    Attributes:
        iterations: inferences of each run.
        elapsed: of each run, in `unit`.
        unit: microseconds on hardware. On an emulated core instructions, which are not time.
        resolution: each of `elapsed` is right to within so many.
    """

    iterations: int
    elapsed: tuple[int, ...]
    unit: str
    resolution: int
    emulated: bool

    @property
    def median(self) -> float:
        """Of an inference, in `unit`: the median over the runs."""
        return statistics.median(self.elapsed) / self.iterations

    @property
    def throughput(self) -> float | None:
        """Inferences in a second, where time was measured."""
        return None if self.emulated else 1e6 / self.median


@dataclass(frozen=True, slots=True)
class Quality:
    """The result of accuracy mode.

    Attributes:
        value: top-1 in percent, or the area under the ROC curve.
        files: how many were judged.
        right: of top-1; None for AUC.
    """

    value: float
    files: int
    right: int | None

    def text(self, benchmark: Benchmark) -> str:
        """With its unit and the number of files."""
        if self.right is None:
            return f"AUC {self.value:.3f} over {self.files} files"
        return f"top-1 {self.value:.2f} %, {self.right} of {self.files}"


def performance(
    device: Device, identity: Identity, benchmark: Benchmark, board: Board, sample: bytes, iterations: int, *,
    progress: Progress = silent,
) -> Performance:  # fmt: skip
    """Five runs of at least `iterations` inferences of one sample; on hardware each of at least ten seconds.

    Raises:
        ToolError: the device fails, or nothing counts on it.
    """
    device.load(sample)
    if identity.counter == "none":
        raise ToolError("nothing counts time on it", where=f"board {board.name}")
    # What timestamps are made of: of qemu's boards the file says it; of others the program found it out itself.
    to_unit, _, resolution, emulated = unit_of(board, identity.counter or "SysTick", identity.simulated)
    clock_hz = board.console.clock_hz if board.console is not None else 0
    once = device.infer(1, 1, benchmark.results)
    if not emulated:
        per_run = LEAST_SECONDS * 1e6 * 1.02
        iterations = min(max(iterations, int(per_run / max(once.elapsed_us, 1)) + 1), _MOST_ITERATIONS)
    elapsed = []
    for k in range(RUNS):
        progress(f"{benchmark.name}: performance, {iterations} inferences", k, RUNS)
        us = device.infer(iterations, 1 if k == 0 else 0, benchmark.results).elapsed_us
        elapsed.append(to_unit(round(us * clock_hz / 1e6)) if emulated else us)
    # A timestamp is a whole number of microseconds, cut off.
    if emulated:
        resolution += to_unit(-(-clock_hz // 10**6))
    unit = "instructions, not time" if emulated else "us"
    return Performance(iterations, tuple(elapsed), unit, resolution if emulated else 1, emulated)


def accuracy(
    device: Device, benchmark: Benchmark, samples: Sequence[Labelled], *, progress: Progress = silent
) -> Quality:
    """Every sample once: top-1, or the AUC of each file's mean score.

    Raises:
        ToolError: the device fails.
    """
    scores, right = [], 0
    for k, file in enumerate(samples):
        progress(f"{benchmark.name}: accuracy", k, len(samples))
        found = []
        for window in file.windows:
            device.load(window)
            found.append(device.infer(1, 0, benchmark.results).results)
        if benchmark.quality == "AUC":
            scores.append(statistics.fmean(results[0] for results in found))
        else:
            # The first of equal results, as the runner takes it.
            right += max(range(benchmark.results), key=lambda i: found[0][i]) == file.label
    if benchmark.quality == "AUC":
        return Quality(roc_auc(scores, [file.label for file in samples]), len(samples), None)
    return Quality(100.0 * right / len(samples), len(samples), right)
