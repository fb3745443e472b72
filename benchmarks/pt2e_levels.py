"""Trained networks that pt2e quantised: how many levels the compiled network is from what PyTorch computes of the file.

    pip install --no-deps torchao
    python benchmarks/pt2e_levels.py --work FOLDER                 trains, quantises, compares, prints
    python benchmarks/pt2e_levels.py --work FOLDER --json          and benchmarks/results/pt2e_levels.json

Each network is trained for some minutes on training images of the JPEG CIFAR-10, 64 of which are kept aside. torchao's
XNNPACKQuantizer and X86InductorQuantizer make int8 programs of it, by 128 other training images. The `.pt2` file is
imported and compiled for the host. The 64 images go through both. A level is that of the output where it is int8. Where
the program leaves it in float it is the range of PyTorch's outputs in 255 parts. Beside it stands how far PyTorch is
from itself: the same program in double precision. FOLDER keeps the trained networks and the rows of each, so that a
killed run goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F  # noqa: N812 - the name that PyTorch's users know
from torch import nn

from edgekc.data import Dataset, load, subset, take
from edgekc.errors import UnsupportedError
from edgekc.evaluate import host_outputs
from edgekc.format.pack import pack
from edgekc.graph.ir import Array, Quant
from edgekc.importers.torch.importer import import_torch
from edgekc.pipeline import to_integer
from edgekc.train.batches import Augment, batches

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
RESULT = ROOT / "benchmarks" / "results" / "pt2e_levels.json"
PIXELS = Quant((1 / 64,), (128,))
IMAGES, EPOCHS, BATCH, RATE = 5_000, 5, 64, 0.05
JUDGED, CALIBRATED = 64, 128
PROGRAM = {"xnnpack": "XNNPACKQuantizer", "x86": "X86InductorQuantizer"}


@dataclass(frozen=True, slots=True)
class Row:
    """One network from one quantiser.

    Attributes:
        accuracy: percent of the judged images that the quantised program has right in PyTorch.
        values: outputs that were compared.
        worst: levels between both, at most.
        equal: percent of values on the same level.
        same_class: images of which both have the same class.
        torch_worst, torch_equal: the same of PyTorch in single precision and in double precision.
        refused: what the importer says; all else is 0 then.
    """

    network: str
    quantizer: str
    output: str = ""
    accuracy: float = 0
    values: int = 0
    worst: float = 0
    equal: float = 0
    same_class: int = 0
    torch_worst: float = 0
    torch_equal: float = 0
    refused: str = ""


class Double(torch.fx.Interpreter):
    """A program that pt2e quantised, with the arithmetic between its levels in double precision."""

    def run_node(self, n: torch.fx.Node) -> Any:
        found = super().run_node(n)
        return found.double() if isinstance(found, torch.Tensor) and found.dtype == torch.float32 else found

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        name = str(target)
        if name.startswith("quantized_decomposed.quantize_per_tensor"):
            x, scale, zero, low, high, dtype = args
            return torch.clamp(torch.round(x * (1 / scale)) + zero, low, high).to(dtype)
        if name.startswith("quantized_decomposed.dequantize_per_tensor"):
            return (args[0].double() - args[2]) * args[1]
        if name.startswith("quantized_decomposed.dequantize_per_channel"):
            x, scales, zeros, axis = args[:4]
            shape = [-1 if i == axis else 1 for i in range(x.ndim)]
            return (x.double() - zeros.double().reshape(shape)) * scales.double().reshape(shape)
        return super().call_function(target, args, kwargs)


def norm(i: int, o: int, k: int = 3, s: int = 1, groups: int = 1, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())


def head(c: int) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


class Residual(nn.Module):
    """Two convolutions and what goes past them (He et al. 2015, arXiv 1512.03385)."""

    def __init__(self, i: int, o: int, s: int) -> None:
        super().__init__()
        self.body = nn.Sequential(norm(i, o, 3, s), norm(o, o, act=nn.Identity))
        self.past = nn.Identity() if (i, s) == (o, 1) else norm(i, o, 1, s, act=nn.Identity)

    def forward(self, x: Any) -> Any:
        return F.relu(self.body(x) + self.past(x))


class Inverted(nn.Module):
    """A wide depthwise layer between two narrow ones (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, i: int, o: int, s: int, times: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            norm(i, times * i, 1, act=nn.ReLU6), norm(times * i, times * i, 3, s, times * i, nn.ReLU6),
            norm(times * i, o, 1, act=nn.Identity),
        )  # fmt: skip
        self.past = (i, s) == (o, 1)

    def forward(self, x: Any) -> Any:
        return x + self.body(x) if self.past else self.body(x)


class Squeezed(nn.Module):
    """An inverted residual whose channels are weighed by their means (Hu et al. 2018; Tan and Le 2019)."""

    def __init__(self, i: int, o: int, s: int, act: Callable[[], nn.Module], gate: Callable[[Any], Any]) -> None:
        super().__init__()
        wide = 4 * i
        self.wide = nn.Sequential(norm(i, wide, 1, act=act), norm(wide, wide, 3, s, wide, act))
        self.less, self.more = nn.Conv2d(wide, wide // 4, 1), nn.Conv2d(wide // 4, wide, 1)
        self.narrow, self.gate, self.past = norm(wide, o, 1, act=nn.Identity), gate, (i, s) == (o, 1)

    def forward(self, x: Any) -> Any:
        y = self.wide(x)
        y = y * self.gate(self.more(F.relu(self.less(F.adaptive_avg_pool2d(y, 1)))))
        return x + self.narrow(y) if self.past else self.narrow(y)


class Dense(nn.Module):
    """Each layer reads all that were before it (Huang et al. 2017, arXiv 1608.06993)."""

    def __init__(self, i: int, growth: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(c), nn.ReLU(), norm(c, 2 * growth, 1), nn.Conv2d(2 * growth, growth, 3, padding=1)
            )
            for c in range(i, i + growth * count, growth)
        )

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def resnet() -> nn.Module:
    return nn.Sequential(norm(3, 16), Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2), head(64))


def mobilenet_v2() -> nn.Module:
    blocks = [(16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1)]
    return nn.Sequential(
        norm(3, 16, act=nn.ReLU6), *(Inverted(*b) for b in blocks), norm(40, 96, 1, act=nn.ReLU6), head(96)
    )


def _squeezed(act: Callable[[], nn.Module], gate: Callable[[Any], Any]) -> nn.Module:
    blocks = [(16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1)]
    return nn.Sequential(
        norm(3, 16, act=act), *(Squeezed(*b, act, gate) for b in blocks), norm(40, 96, 1, act=act), head(96)
    )


def mobilenet_v3() -> nn.Module:
    return _squeezed(nn.Hardswish, F.hardsigmoid)


def efficientnet() -> nn.Module:
    return _squeezed(nn.SiLU, torch.sigmoid)


def densenet() -> nn.Module:
    between = nn.Sequential(nn.BatchNorm2d(48), nn.ReLU(), nn.Conv2d(48, 24, 1, bias=False), nn.AvgPool2d(2))
    first = nn.Sequential(norm(3, 16), nn.MaxPool2d(2), Dense(16, 8, 4), between)
    return nn.Sequential(*first, Dense(24, 8, 4), nn.BatchNorm2d(56), nn.ReLU(), head(56))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    made.__name__: made for made in (resnet, mobilenet_v2, mobilenet_v3, efficientnet, densenet)
}


def train(name: str, data: Dataset, work: Path) -> nn.Module:
    """SGD with one cycle of the learning rate (Smith 2018), flips and shifts of 2 pixels; kept in `work`."""
    torch.manual_seed(0)
    net, path = NETWORKS[name](), work / f"{name}.pt"
    if path.exists():
        net.load_state_dict(torch.load(path, weights_only=True))
        return net.eval()
    net = net.to(memory_format=torch.channels_last)
    start, steps = time.monotonic(), len(data) // BATCH
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * RATE, steps * EPOCHS, pct_start=0.3)
    labels = torch.from_numpy(data.labels)
    for epoch in range(EPOCHS):
        total = 0.0
        for x, chosen in batches(data, BATCH, Augment(True, 2), np.random.default_rng((0, epoch))):
            loss = F.cross_entropy(net(_nchw(x)), labels[torch.from_numpy(chosen)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            cycle.step()
            total += loss.item()
        print(f"{name} {epoch + 1}/{EPOCHS}: loss {total / steps:.3f}, {time.monotonic() - start:.0f} s", flush=True)
    part = path.with_suffix(".part")
    torch.save(net.state_dict(), part)
    part.replace(path)
    return net.to(memory_format=torch.contiguous_format).eval()


def _nchw(x: Array) -> Any:
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def quantised(net: nn.Module, kind: str, images: Any) -> Any:
    """The program that pt2e makes of a network, as a module; `images` (n, c, h, w) calibrate it."""
    from torchao.quantization.pt2e import move_exported_model_to_eval
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    from torchao.testing.pt2e import _xnnpack_quantizer as xnnpack

    if kind == "x86":
        quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    else:
        config = xnnpack.get_symmetric_quantization_config(is_per_channel=True)
        quantizer = xnnpack.XNNPACKQuantizer().set_global(config)
    prepared = prepare_pt2e(torch.export.export(net, (images[:1],)).module(), quantizer)
    move_exported_model_to_eval(prepared)
    for image in images:
        prepared(image[None])
    return convert_pt2e(prepared)


def compared(name: str, kind: str, program: Any, judged: Dataset, path: Path) -> Row:
    """The program of a file and what is compiled of it, image by image."""
    images = _nchw(real_images(judged))
    torch.export.save(torch.export.export(program, (images[:1],)), path)
    with torch.no_grad():
        want = np.concatenate([program(image[None]).numpy() for image in images])
        double = Double(program)
        exact = np.concatenate([double.run(image[None]).numpy() for image in images])
    try:
        graph = import_torch(path, name)
    except UnsupportedError as error:
        return Row(name, PROGRAM[kind], refused=error.what)
    (source, target) = (graph.tensors[n].q for n in (graph.inputs[0], graph.outputs[0]))
    wide = graph.tensors[graph.outputs[0]].dtype == "int16"
    scale = np.float32(source.scale)
    levels = np.clip(np.rint(real_images(judged) * (np.float32(1) / scale)) + source.zero_point, -128, 127)
    (got,) = host_outputs(pack(to_integer(graph, {"source": path.name})), levels.astype(np.int8))
    ours = (got.astype(np.float64) - target.zero_point) * target.scale
    level = float(np.ptp(want)) / 255 if wide else target.scale
    off, own = (np.abs(found - want) / level for found in (ours, exact))
    if not wide:
        off, own = np.rint(off), np.rint(own)
    return Row(
        name, PROGRAM[kind], "float" if wide else "int8",
        round(100 * float(np.mean(want.argmax(1) == judged.labels)), 1), off.size, round(float(off.max()), 2),
        round(100 * float(np.mean(off < 0.5)), 2), int(np.sum(want.argmax(1) == ours.argmax(1))),
        round(float(own.max()), 2), round(100 * float(np.mean(own < 0.5)), 2),
    )  # fmt: skip


def real_images(data: Dataset) -> Array:
    return ((data.x.astype(np.float32) - PIXELS.zero_point) * np.float32(PIXELS.scale)).astype(np.float32)


def table(found: dict[str, Any]) -> str:
    """Of docs/operators.md."""
    lines = [
        "| network | quantiser | output | most levels | on the same level | same class | PyTorch against itself |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in found["rows"]:
        start = f"| {r['network']} | {r['quantizer']} |"
        if r["refused"]:
            lines.append(f"{start} refused | | | | |")
            continue
        lines.append(
            f"{start} {r['output']} | {r['worst']:g} | {r['equal']:.1f} % | {r['same_class']} of {found['images']} | "
            f"{r['torch_worst']:g}, {r['torch_equal']:.1f} % |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the trained networks")
    parser.add_argument("--only", choices=NETWORKS, action="append", help="these networks")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/cifar10-jpeg.zip")
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    args.work.mkdir(parents=True, exist_ok=True)
    everything = load(args.shared / "data" / "cifar10-jpeg.zip", split="train", count=IMAGES, seed=0, quant=PIXELS)
    order = np.random.default_rng(1).permutation(len(everything))
    judged, training = take(everything, order[:JUDGED]), take(everything, order[JUDGED:])
    calibration = _nchw(real_images(subset(training, CALIBRATED, 2)))
    rows: list[Row] = []
    for name in args.only or NETWORKS:
        kept = args.work / f"{name}.json"
        if kept.exists():
            rows += [Row(**row) for row in json.loads(kept.read_text())]
            continue
        net, found = train(name, training, args.work), []
        for kind in PROGRAM:
            with tempfile.TemporaryDirectory() as folder:
                program = quantised(net, kind, calibration)
                found.append(compared(name, kind, program, judged, Path(folder) / f"{name}.pt2"))
            print(found[-1], flush=True)
        kept.write_text(json.dumps([asdict(row) for row in found]))
        rows += found
    result = {
        "command": "python benchmarks/pt2e_levels.py --work FOLDER --json",
        "torch": torch.__version__,
        "training_images": len(training),
        "epochs": EPOCHS,
        "images": JUDGED,
        "rows": [asdict(row) for row in rows],
    }
    print(table(result))
    if args.json:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
