"""What a model of 17 MB takes, in CPU seconds and memory, by `edgekc compile`, and by gcc for the file with its data.

The model is made here: seven 3x3 convolutions of 512 channels.

python benchmarks/large_model.py            prints them
python benchmarks/large_model.py --json     and writes benchmarks/results/large_model.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

import oracle  # noqa: E402

from edgekc.graph.ir import Node, Quant, Role, Tensor, constant  # noqa: E402
from edgekc.graph.op import View  # noqa: E402

RESULTS = HERE / "results" / "large_model.json"
CHANNELS, LAYERS, BOARD = 512, 7, "linux-aarch64"


def model() -> bytes:
    """A .tflite file with a scale for each of its filters."""
    rng = np.random.default_rng(0)
    window = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    window |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 1)
    tensors = [Tensor(f"x{i}", (1, 7, 7, CHANNELS), "int8", Quant((0.05,), (3,))) for i in range(LAYERS + 1)]
    views = []
    for i, (x, y) in enumerate(pairwise(tensors)):
        scales = rng.uniform(1e-4, 1e-3, CHANNELS).astype(np.float32)
        values = rng.integers(-127, 128, (CHANNELS, 3, 3, CHANNELS)).astype(np.int8)
        w = constant(f"w{i}", values, Role.WEIGHTS, Quant(tuple(scales.tolist()), (0,) * CHANNELS))
        quant = Quant(tuple((scales * np.float32(0.05)).tolist()), (0,) * CHANNELS)
        b = constant(f"b{i}", rng.integers(-1000, 1000, CHANNELS).astype(np.int32), Role.BIAS, quant)
        node = Node("conv2d", y.name, (x.name, w.name, b.name), (y.name,), {**window, "activation": "relu"})
        views.append(View(node, (x, w, b), (y,)))
    return oracle.network(views, [tensors[0].name], [tensors[-1].name])


def _cost(command: list[str], prefix: str) -> dict[str, float]:
    """CPU seconds of a command and all that it starts, and the most memory that one process of them has."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return {
        f"{prefix}cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        f"{prefix}peak_megabytes": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "large.tflite"
        file.write_bytes(model())
        out = Path(name) / "out"
        edgekc = [sys.executable, "-c", "from edgekc.cli.main import run; run()"]
        edgekc += ["compile", str(file), "-o", str(out), "--name", "large", "--board", BOARD]
        gcc = ["gcc", "-std=c99", "-O2", f"-I{out / 'include'}", "-c", str(out / "src" / "large_data.c")]
        row = {"file_bytes": file.stat().st_size, "board": BOARD}
        row |= _cost(edgekc, "")
        row |= _cost([*gcc, "-o", str(Path(name) / "data.o")], "gcc_")
    print(json.dumps(row, indent=1))
    if arguments.json:
        RESULTS.write_text(json.dumps({"command": "python benchmarks/large_model.py --json", **row}, indent=1) + "\n")


if __name__ == "__main__":
    main()
