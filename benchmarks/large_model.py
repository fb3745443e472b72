"""What large models take, in CPU seconds and memory of `edgekc compile`, of gcc, and of `edgekc compress`.

Compiled is a model of 17 MB that is made here: seven 3x3 convolutions of 512 channels. gcc compiles the file with its
data. Compressed, by `--recipe cluster4` without data, are networks of `large_nets.py` with random weights, which need
PyTorch.

python benchmarks/large_model.py            prints the first
python benchmarks/large_model.py --json     and writes benchmarks/results/large_model.json
With --compress NAME ... these networks too; rows of others stay.
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
EDGEKC = (sys.executable, "-c", "from edgekc.cli.main import run; run()")


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


def compress(name: str, folder: Path) -> dict[str, float | str]:
    """One network through the command line; compiled objects of earlier runs are kept as for a user."""
    model, out = folder / f"{name}.pt2", folder / f"{name}.ekc"
    subprocess.run([sys.executable, str(HERE / "large_nets.py"), name, str(model)], check=True)
    command = [*EDGEKC, "compress", str(model), "--recipe", "cluster4", "-o", str(out)]
    cost = _cost(command, "")
    return {"file_bytes": model.stat().st_size, "ekc_bytes": out.stat().st_size, **cost}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--compress", nargs="*", default=[], metavar="NAME", help="networks of large_nets.py")
    arguments = parser.parse_args()
    known = json.loads(RESULTS.read_text()).get("compress", {}) if RESULTS.is_file() else {}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "large.tflite"
        file.write_bytes(model())
        out = Path(name) / "out"
        edgekc = [*EDGEKC, "compile", str(file), "-o", str(out), "--name", "large", "--board", BOARD]
        gcc = ["gcc", "-std=c99", "-O2", f"-I{out / 'include'}", "-c", str(out / "src" / "large_data.c")]
        row = {"file_bytes": file.stat().st_size, "board": BOARD}
        row |= _cost(edgekc, "")
        row |= _cost([*gcc, "-o", str(Path(name) / "data.o")], "gcc_")
        row["compress"] = known | {network: compress(network, Path(name)) for network in arguments.compress}
    print(json.dumps(row, indent=1))
    if arguments.json:
        RESULTS.write_text(json.dumps({"command": "python benchmarks/large_model.py --json", **row}, indent=1) + "\n")


if __name__ == "__main__":
    main()
