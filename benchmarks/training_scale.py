"""What an epoch over images takes of memory, held there or read from disk, and what bfloat16 saves of a training step.

    python benchmarks/training_scale.py memory --data IMAGES       # a folder or zip by class
    python benchmarks/training_scale.py precision --models DIR     # the float models of ../shared/models

Memory is the peak of the resident set of each process, in a process of its own for each line. The net is small, so that
what is seen is the samples. Pages that workers share with the process that trains are counted in each of them.

Times are of the processor, all threads together, so that other work on the machine disturbs them little; of a step they
are the least of several.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from edgekc.data import Dataset, load
from edgekc.files import limits
from edgekc.graph.ir import Graph
from edgekc.importers import import_model
from edgekc.quantize.to_int8 import prepare

BATCH = 128
STEPS = 8


def options(precision: str, workers: int):  # type: ignore[no-untyped-def]
    import torch

    from edgekc.train.batches import Augment
    from edgekc.train.loop import Options
    from edgekc.train.place import Place

    return Options(
        epochs=1, batch=BATCH, learning_rate=1e-3, latent_rate=1e-4, reassign=0, optimizer="adam", weight_decay=0.0,
        augment=Augment(True, 2), precision=precision, seed=0, place=Place(torch.device("cpu"), workers=workers),  # type: ignore[arg-type]
    )  # fmt: skip


def small_net(image: tuple[int, ...], classes: int) -> Graph:
    """One convolution of stride 4, and a fully connected layer."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    from float_nets import FloatNet

    made = FloatNet(np.random.default_rng(0), (1, *image), "relu")
    return prepare(made.graph(made.fully_connected(made.mean(made.conv("input", 16, 5, stride=4)), classes)))


def epoch(data: Path, workers: int) -> None:
    """One epoch, and a line of what it took."""
    from edgekc.train.loop import scores_loss, train
    from edgekc.train.net import Net

    samples = load(data, on_disk=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    net = Net(small_net(samples.x.shape[1:], len(samples.classes)))
    began = time.monotonic()
    train(net, samples, scores_loss(None, 0.0, 1.0), options("float32", workers))
    took = time.monotonic() - began
    own, other = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    where = "in memory" if isinstance(samples.x, np.ndarray) else f"on disk, {workers} workers"
    cpu = own.ru_utime + own.ru_stime + other.ru_utime + other.ru_stime
    print(
        f"{where}: {len(samples):,} images; peak {own.ru_maxrss / 1024:.0f} MiB ({before / 1024:.0f} when read), "
        f"largest worker {other.ru_maxrss / 1024:.0f} MiB; {took:.0f} s, {cpu:.0f} s of processor time in all",
        flush=True,
    )


def memory(data: Path) -> None:
    for mib, workers in (("100000", 0), ("1", 0), ("1", 1), ("1", 2)):
        words = [sys.executable, __file__, "epoch", "--data", str(data), "--workers", str(workers)]
        subprocess.run(words, env={**os.environ, limits.VARIABLE: mib}, check=True)


def precision(models: Path) -> None:
    """Of each model a step of training on made-up samples."""
    from edgekc.train.loop import frozen, scores_loss, train
    from edgekc.train.net import Net

    for name in ("resnet8_cifar10jpeg.onnx", "kws_float.tflite", "vww_float.tflite", "ad_float.tflite"):
        graph = prepare(import_model(models / name, "net"))
        shape = graph.tensors[graph.inputs[0]].shape[1:]
        x = np.random.default_rng(0).random((BATCH * STEPS, *shape), np.float32)
        least = {}
        for each in ("float32", "bfloat16"):
            marks = [time.process_time()]
            train(
                Net(graph), Dataset(x, None, (), "x"), scores_loss(frozen(Net(graph)), 1.0, 3.0), options(each, 0),
                on_progress=lambda now, marks=marks: marks.append(time.process_time()),
            )  # fmt: skip
            least[each] = float(np.diff(marks).min())
        ratio = least["float32"] / least["bfloat16"]
        print(f"{name}: " + ", ".join(f"{k} {1e3 * v:.0f} ms" for k, v in least.items()) + f" a step, {ratio:.2f} x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("memory", "precision", "epoch"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    if given.what == "precision":
        precision(given.models)
    elif given.what == "memory":
        memory(given.data)
    else:
        epoch(given.data, given.workers)
