"""The compound recipe on a trained VGG-11 of half width, JPEG CIFAR-10, all 5,000 test images.

    python benchmarks/vgg11_compound.py --work FOLDER            trains, compresses, prints
    python benchmarks/vgg11_compound.py --work FOLDER --json     and benchmarks/results/vgg11_compound.json

The net: 3x3 convolutions of 32, 64, 128, 128, 256, 256, 256, 256 channels, four 2x2 max pools (the fifth is left out,
so that a 2x2 map is there to be pooled), fully connected layers of 4096, 4096 and 10. As in VGG-16, nine tenths of the
weights are in the fully connected layers. It is trained here with batch norms, which are folded when it is imported.
Then `examples/recipes/vgg11_compound.toml`: global average pooling, pruning, truncated SVD, clustering, with retraining
in between. Pixels are taken as (p - 128) / 64.

FOLDER keeps the decoded images and a checkpoint of each epoch and step: a killed run goes on from there. Threads: one,
unless OMP_NUM_THREADS says otherwise. Accuracy is that of the packed model on the bit-exact host emulator.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import nn

from edgekc import recipe as rc
from edgekc.compress.methods import prune
from edgekc.compress.run import compress
from edgekc.compress.sizes import dense_weights, layer_sizes
from edgekc.data import Dataset, load
from edgekc.evaluate import float_accuracy, host_accuracy
from edgekc.format.pack import pack, read
from edgekc.graph.ir import Quant
from edgekc.importers.torch.importer import import_torch
from edgekc.pipeline import to_integer
from edgekc.train.batches import Augment, batches
from edgekc.train.loop import Progress
from edgekc.train.pytorch import trainer

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
RESULT = ROOT / "benchmarks" / "results" / "vgg11_compound.json"
RECIPE = ROOT / "examples" / "recipes" / "vgg11_compound.toml"
CHANNELS = (3, 32, 64, 128, 128, 256, 256, 256, 256)
POOLED = (0, 1, 3, 5)  # convolutions with a pool behind them
WIDTH = 4096
PIXELS = Quant((1 / 64,), (128,))
EPOCHS, BATCH, RATE = 11, 256, 0.05
ASKED_TIMES, ASKED_POINTS = 40.0, 0.85


def vgg11() -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (ic, oc) in enumerate(pairwise(CHANNELS)):
        conv = nn.Conv2d(ic, oc, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight, mode="fan_out")
        layers += [conv, nn.BatchNorm2d(oc), nn.ReLU()]
        if i in POOLED:
            layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * CHANNELS[-1], WIDTH), nn.ReLU()]
    layers += [nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def images(shared: Path, work: Path) -> dict[str, Dataset]:
    """The training and the test images, decoded once."""
    found = {}
    for split in ("train", "test"):
        cache = work / f"{split}.npz"
        if not cache.exists():
            data = load(shared / "data" / "cifar10-jpeg.zip", split=split)
            part = work / f"{split}.part.npz"
            np.savez(part, x=data.x, y=data.labels)
            part.replace(cache)
        found[split] = replace(load(cache), quant=PIXELS)
    return found


def train(data: Dataset, work: Path) -> nn.Sequential:
    """SGD with one cycle of the learning rate (Smith 2018), flips and shifts of 4 pixels."""
    torch.manual_seed(0)
    net, path = vgg11(), work / "base.pt"
    decayed = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=True, fused=True)
    steps = len(data) // BATCH
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=RATE, total_steps=steps * EPOCHS, pct_start=0.2, cycle_momentum=False
    )
    first = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        cycle.load_state_dict(state["cycle"])
        first = state["epochs"]
    labels = torch.from_numpy(data.labels)
    for epoch in range(first, EPOCHS):
        torch.manual_seed(epoch)
        start, total, right = time.monotonic(), 0.0, 0
        net.train()
        for x, chosen in batches(data, BATCH, Augment(True, 4), np.random.default_rng((0, epoch))):
            y = labels[torch.from_numpy(chosen)]
            with torch.autocast("cpu", torch.bfloat16):
                scores = net(torch.from_numpy(x).permute(0, 3, 1, 2))
            loss = F.cross_entropy(scores.float(), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item()
            right += int((scores.argmax(1) == y).sum())
        done = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "cycle": cycle.state_dict()}
        part = path.with_suffix(".part")
        torch.save({**done, "epochs": epoch + 1}, part)
        part.replace(path)
        seconds = round(time.monotonic() - start)
        print(
            f"base {epoch + 1}/{EPOCHS}: loss {total / steps:.4f}, {right / steps / BATCH:.2%}, {seconds} s", flush=True
        )
    return net.eval()


def measure(shared: Path, work: Path) -> dict[str, Any]:
    work.mkdir(parents=True, exist_ok=True)
    data = images(shared, work)
    graph = import_torch(train(data["train"], work), "vgg11", torch.zeros(1, 3, 32, 32))
    exact = float_accuracy(graph, data["test"])
    print(f"float: {exact}", flush=True)
    recipe, lines = rc.load(RECIPE), []

    def log(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    def on_progress(title: str, progress: object) -> None:
        assert isinstance(progress, Progress)
        if progress.step + 1 == progress.steps:
            print(f"{title}: epoch {progress.epoch + 1}: loss {progress.loss:.4f}, {progress.accuracy:.2%}", flush=True)

    start = time.process_time()
    result = compress(
        graph, recipe, data["train"], log, on_progress=on_progress, checkpoints=work / "compound", trainer=trainer
    )
    seconds = time.process_time() - start
    ekc = pack(to_integer(result.graph, {"recipe": RECIPE.name}))
    (work / "vgg11_compound.ekc").write_bytes(ekc)
    sizes = layer_sizes(read(ekc, "vgg11"))
    found = host_accuracy(ekc, data["test"])
    weights, packed = dense_weights(graph), sum(size.packed for size in sizes)
    return {
        "command": "python benchmarks/vgg11_compound.py --work FOLDER --json",
        "asked": {"times": ASKED_TIMES, "points_lost": ASKED_POINTS},
        "base_epochs": EPOCHS,
        "recipe": RECIPE.name,
        "compress_cpu_seconds": round(seconds),  # of this run: less where it went on from a checkpoint
        "macs_before": sum(prune.layer_macs(graph).values()),
        "macs_after": sum(size.macs for size in sizes),
        "weights_float32_bytes": 4 * weights,
        "weights_packed_bytes": packed,
        "ekc_bytes": len(ekc),
        "times_smaller": round(4 * weights / packed, 2),
        "times_smaller_file": round(4 * weights / len(ekc), 2),
        "float": asdict(exact),
        "packed": asdict(found),
        "points_lost": round(exact.percent - found.percent, 2),
        "layers": [{**asdict(size), "packed": size.packed} for size in sizes],
        "log": lines,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for images and checkpoints")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    found = measure(arguments.shared, arguments.work)
    print(
        f"{found['weights_float32_bytes']:,} bytes as float32, {found['weights_packed_bytes']:,} packed: "
        f"{found['times_smaller']} times smaller; .ekc {found['ekc_bytes']:,} bytes"
    )
    print(f"float {found['float']}, packed {found['packed']}: {found['points_lost']} points lost")
    if arguments.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    return int(found["times_smaller"] < ASKED_TIMES or found["points_lost"] > ASKED_POINTS)


if __name__ == "__main__":
    sys.exit(main())
