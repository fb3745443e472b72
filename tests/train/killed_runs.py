"""A process that forks runs of one recipe with checkpoints, kills each at a random moment, and lets the next go on.

    python killed_runs.py FOLDER KILLS

It prints a line of JSON: how often a run was killed, in front of which steps, and the SHA-256 of each packed model that
was finished, the first two by runs that nothing disturbed. PyTorch is imported once, before any fork, so a kill costs
milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression import walk
from edgekc.files.output import write_file
from edgekc.progress import unsaid
from edgekc.quantize.to_int8 import prepare
from edgekc.train.pytorch import trainer

RECIPE = """
[quantize]
samples = 64

[[compress]]
method = "prune"
keep = 0.8
learning_rate = 2e-3
samples = 32

[[compress]]
method = "svd"
rank = 2
of = "outputs"
layers = ["fully_connected_*"]

[[compress]]
method = "cluster"
bits = 3
centers = "steps"
assignment = "second-order"
layers = ["conv2d_1"]

[[compress]]
method = "retrain"
epochs = 3
batch = 32
distill = 0.5
gradient_scaling = 0.01
flip = true

[[compress]]
method = "codebook"
templates = 3
layers = ["conv2d_0"]

[[compress]]
method = "retrain"
epochs = 3
batch = 32
learning_rate = 2e-3
transfer = "hints"
transfer_epochs = 1
reassign = 2

[[compress]]
method = "retrain"
epochs = 2
batch = 32
learning_rate = 1e-3
arithmetic = "device"
"""


STEPS = RECIPE.count("[[compress]]")


def network() -> tuple[object, tuple[np.ndarray, np.ndarray]]:
    """A classifier of 6 x 6 images with random weights, and samples: a pattern for each of four classes, and noise."""
    made = FloatNet(np.random.default_rng(2), (1, 6, 6, 1), "relu")
    x = made.conv(made.conv("input", 8), 8, stride=2)
    flat = made.node("reshape", (x,), (1, int(np.prod(made.shape_of(x)[1:]))), {})
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, 160)
    x = rng.normal(0, 1, (4, 6, 6, 1))[y] + rng.normal(0, 0.8, (160, 6, 6, 1))
    return prepare(made.graph(made.fully_connected(flat, 4))), (x.astype(np.float32), y)


def compress(graph: object, data: object, folder: Path) -> None:
    """What `edgekc compress -o FOLDER/out.ekc --checkpoints FOLDER/kept` does."""
    ekc, _ = walk.run(
        graph, "net", rc.parse(RECIPE), [data], None, unsaid, int8=False, trainer=trainer, checkpoints=folder / "kept"
    )  # type: ignore[arg-type]
    write_file(folder / "out.ekc", ekc)


def states(folder: Path) -> int:
    """How many steps are done."""
    return len(list((folder / "kept").glob("*.state")))


def forked(graph: object, data: object, folder: Path, steps: int = 0, seconds: float | None = None) -> bool:
    """Whether a run in a process of its own came to its end before it was killed.

    Args:
        steps, seconds: it is killed so many seconds after so many steps are done; None: it is not killed.
    """
    child = os.fork()
    if child == 0:
        try:
            compress(graph, data, folder)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    ends: float | None = None
    while True:
        if seconds is not None and ends is None and states(folder) >= steps:
            ends = time.monotonic() + seconds
        done, status = os.waitpid(child, 0 if seconds is None else os.WNOHANG)
        if done:
            if os.WIFSIGNALED(status):
                return False
            if status:
                raise SystemExit("a run failed")
            return True
        if ends is not None and time.monotonic() >= ends:
            os.kill(child, signal.SIGKILL)
            seconds = None
            continue
        time.sleep(0.001)


def main(folder: Path, kills: int) -> None:
    torch.set_num_threads(1)
    graph, data = network()
    moments, out = random.Random(0), folder / "out.ekc"
    digests: list[str] = []
    stood: list[int] = []

    def finished() -> None:
        digests.append(hashlib.sha256(out.read_bytes()).hexdigest())
        out.unlink()
        shutil.rmtree(folder / "kept")

    compress(graph, data, folder)  # in this process, so that those behind it find every module imported
    finished()
    start = time.monotonic()
    forked(graph, data, folder)
    whole = time.monotonic() - start
    finished()
    while len(stood) < kills:
        now = states(folder)
        if forked(graph, data, folder, moments.randint(now, min(now + 3, STEPS)), moments.uniform(0, 0.1 * whole)):
            finished()
            continue
        if out.exists():  # killed behind its last act
            finished()
        stood.append(states(folder))
    forked(graph, data, folder)
    finished()
    print(json.dumps({"kills": len(stood), "steps_done": stood, "seconds": whole, "digests": digests}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
