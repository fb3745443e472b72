"""What the methods cost each layer of a trained net before any retraining: errors of the weights, no data.

    python benchmarks/offline_errors.py --model resnet8_cifar10jpeg.pt            the tables
    python benchmarks/offline_errors.py --model resnet8_cifar10jpeg.pt --json     and results/offline_errors.json

The model is a PyTorch state dict of the MLPerf Tiny ResNet-8: convolutions c.0 to c.8 (1x1 shortcuts are c.5 and
c.8), batch norms bn.0 to bn.6, `fc`. Norms are folded into the convolutions first, as the importers do. Errors
are squared: over the energy of the centred kernels for templates, over that of the weights for the rest.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edgekc import __version__
from edgekc.compress.methods import cluster, codebook, dominant

RESULT = Path(__file__).resolve().parent / "results" / "offline_errors.json"
NORM_OF = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 6: 5, 7: 6}  # convolution -> batch norm; shortcuts have none
NORM_EPSILON = 1e-3  # as in the MLPerf Tiny net
TEMPLATES = (4, 8, 16, 32)
BITS = range(2, 9)
KERNELS = (1, 2, 3)


def load(path: Path) -> dict[str, Any]:
    """Layer name to float32 weights (oc, kh, kw, ic), or (oc, ic)."""
    import torch

    state = {name: t.numpy() for name, t in torch.load(path, weights_only=True).items()}
    layers = {}
    for i in range(9):
        w = state[f"c.{i}.weight"]
        if i in NORM_OF:
            n = f"bn.{NORM_OF[i]}"
            gain = state[f"{n}.weight"] / np.sqrt(state[f"{n}.running_var"] + NORM_EPSILON)
            w = w * gain[:, None, None, None]
        layers[f"c_{i}"] = np.ascontiguousarray(w.transpose(0, 2, 3, 1), np.float32)
    layers["fc"] = state["fc.weight"].astype(np.float32)
    return layers


def measure(layers: dict[str, Any]) -> dict[str, Any]:
    """{method: {layer: {setting: error}}}."""
    out: dict[str, Any] = {"templates": {}, "dominant": {}, "cluster": {}, "cluster_row_scales": {}}
    for name, w in layers.items():
        if w.ndim == 4 and w.shape[1] > 1:
            books = {t: codebook.find([w], t, codebook.Options(restarts=8)) for t in TEMPLATES}
            out["templates"][name] = {t: book.residual for t, book in books.items()}
            out["dominant"][name] = {r: dominant.decompose(w, r).relative_error for r in KERNELS}
        scaled = cluster.Options(row_scale="rms", scale_rounds=4)
        out["cluster"][name] = {b: cluster.cluster(w, 2**b, cluster.Options()).relative_error for b in BITS}
        out["cluster_row_scales"][name] = {b: cluster.cluster(w, 2**b, scaled).relative_error for b in BITS}
    spatial = [w for w in layers.values() if w.ndim == 4 and w.shape[1] > 1][1:]  # the first layer stays dense
    out["templates_shared"] = {
        "c_1 .. c_7": {t: codebook.find(spatial, t, codebook.Options()).residual for t in (*TEMPLATES, 64, 128)}
    }
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(load(args.model))
    console = Console()
    for method, rows in figures.items():
        table = Table(title=method, box=SIMPLE_HEAD)
        table.add_column("layer")
        settings = list(next(iter(rows.values())))
        for setting in settings:
            table.add_column(str(setting), justify="right")
        for name, errors in rows.items():
            table.add_row(name, *(f"{errors[s]:.5f}" for s in settings))
        console.print(table)
    if args.json:
        rounded = {
            method: {name: {str(s): float(f"{e:.6g}") for s, e in errors.items()} for name, errors in rows.items()}
            for method, rows in figures.items()
        }
        command = f"python benchmarks/offline_errors.py --model {args.model.name} --json"
        record = {"command": command, "edgekc": __version__, "model": args.model.name, "errors": rounded}
        RESULT.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
