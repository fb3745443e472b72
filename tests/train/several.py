"""What each of several processes runs, started by torchrun: trainings that share batches, beside the same alone.

`several.py FOLDER train` writes FOLDER/RANK.npz: for each case the loss and the weights of both trainings.
`several.py FOLDER fail` ends process 1 in the midst of a training, and says how process 0 took it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

sys.path += [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from float_nets import FloatNet
from test_sequences import STEPS, recurrent, remembered

from edgekc import recipe as rc
from edgekc.compression.run import compress
from edgekc.data import Dataset, take
from edgekc.errors import ToolError
from edgekc.graph.ir import Graph
from edgekc.quantize.to_int8 import prepare
from edgekc.train.place import ALONE, Place, placed
from edgekc.train.processes import rank
from edgekc.train.pytorch import trainer

STEP = '[[compress]]\nmethod = "retrain"\nepochs = 1\nbatch = 33\nlearning_rate = 3e-3\n'
CLUSTER = '[[compress]]\nmethod = "cluster"\nbits = 3\nrow_scale = "rms"\n'
HINTS = 'transfer = "hints"\ndistill = 0.5\n'
FOUND = STEP.replace("learning_rate = 3e-3\n", "").replace("epochs = 1", "epochs = 6")
PRUNE = '[[compress]]\nmethod = "prune"\nkeep = 0.8\nbatch = 33\nlearning_rate = 3e-3\nsamples = 64\n'
CASES = {  # recipes of classifiers; three processes cannot share 33 samples evenly, nor can two
    "labels and scores": CLUSTER + STEP + "distill = 0.5\nshift = 1\n",
    "blends": CLUSTER + STEP + "distill = 1.0\nmix = true\n",
    "hints": STEP + HINTS,
    "kp": STEP + HINTS.replace("hints", "kp"),
    "device": CLUSTER + STEP + 'arithmetic = "device"\n',
    "indices": CLUSTER + STEP + "reassign = 3\n",
    "rate": FOUND,
    "prune": PRUNE,
    "bfloat16": STEP + 'precision = "bfloat16"\n',
}

JUDGED = ("rate", "labels and scores")


def digits(count: int = 140) -> Dataset:
    """Noisy bars of ten kinds, 8 x 8."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, count)
    bars = rng.normal(size=(10, 8, 8, 1))
    return Dataset((bars[y] + 0.5 * rng.normal(size=(count, 8, 8, 1))).astype(np.float32), y, (), "bars")


def net() -> Graph:
    made = FloatNet(np.random.default_rng(2), (1, 8, 8, 1), "relu")
    x = made.conv(made.conv("input", 8), 12, stride=2)
    x = made.fully_connected(made.mean(made.conv(x, 12)), 10)
    return prepare(made.graph(made.unary("softmax", x, beta=1.0)))


def run(place: Place, graph: Graph, recipe: str, data: Dataset, validation: Dataset | None) -> list[np.ndarray]:
    """The losses, and what training changed of the weights."""
    losses = []
    result = compress(
        graph, rc.parse(recipe), data, validation=validation, trainer=partial(trainer, place),
        on_progress=lambda title, now: losses.append(now.loss),
    )  # fmt: skip
    untrained = "".join(f"[[compress]]{part}" for part in recipe.split("[[compress]]") if "cluster" in part)
    before, after = compress(graph, rc.parse(untrained), data).model.graph, result.model.graph
    constants = [name for name, t in after.tensors.items() if t.data is not None and "prune" not in recipe]
    changes = [after.tensors[name].value - before.tensors[name].value for name in constants]
    return [np.array(losses), *changes, *(t.value for t in after.tensors.values() if t.data is not None)]


def cases() -> dict[str, Callable[[Place], list[np.ndarray]]]:
    data = digits()
    train, held = take(data, np.arange(100)), take(data, np.arange(100, 140))
    found = {
        # Elsewhere nothing is rolled back: what was trained is compared.
        name: partial(run, graph=net(), recipe=text, data=train, validation=held if name in JUDGED else None)
        for name, text in CASES.items()
    }
    found["outputs"] = partial(
        run,
        graph=_without_classes(),
        recipe=CLUSTER + STEP + "distill = 1.0\n",
        data=replace(train, y=None),
        validation=None,
    )
    more = {"batch": 18, "window": STEPS // 2, "distill": 0.5, "learning_rate": 0.02, "epochs": 1}
    text = '[[compress]]\nmethod = "retrain"\n' + "".join(f"{key} = {value}\n" for key, value in more.items())
    found["sequences"] = partial(run, graph=recurrent(), recipe=text, data=remembered(13), validation=None)
    return found


def _without_classes() -> Graph:
    made = FloatNet(np.random.default_rng(3), (1, 8, 8, 1), "relu")
    return prepare(made.graph(made.fully_connected(made.mean(made.conv("input", 8)), 3)))


def train(place: Place, folder: Path) -> None:
    arrays = {}
    for name, case in cases().items():
        together = case(place)
        alone = case(ALONE) if place.first else []
        for kind, values in (("together", together), ("alone", alone)):
            arrays |= {f"{name}/{kind}/{i}": value for i, value in enumerate(values)}
    np.savez(folder / f"{place.rank}.npz", **arrays)


def fail(place: Place) -> None:
    def stop(title: str, now: object) -> None:
        if place.rank == 1 and getattr(now, "step", 0) == 1:
            sys.exit(7)

    try:
        compress(net(), rc.parse(STEP), digits(), trainer=partial(trainer, place), on_progress=stop)
    except ToolError as error:
        print(f"process {place.rank}: {error}", flush=True)
        sys.exit(2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with placed("cpu", 0, rank()) as here:
        if sys.argv[2] == "train":
            train(here, Path(sys.argv[1]))
        else:
            fail(here)
