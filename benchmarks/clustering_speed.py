"""Clusters all 3x3 kernels of VGG-16 into 256 templates: seconds, peak memory and weighted residual.

    python benchmarks/clustering_speed.py            the figures
    python benchmarks/clustering_speed.py --json     and benchmarks/results/clustering_speed.json

The weights are random (normal, He's variance): the time does not depend on training, the residual does. Normal
kernels have no structure to find, so trained ones leave less. Exits with 1 past 180 seconds or 4 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from edgekc import __version__
from edgekc.compress.methods import codebook

RESULT = Path(__file__).resolve().parent / "results" / "clustering_speed.json"
CHANNELS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)  # VGG-16, configuration D
TEMPLATES = 256
SECONDS_MAX = 180.0
MEMORY_MAX_BYTES = 4 * 1000**3


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--restarts", type=int, default=1)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    layers = [
        (rng.standard_normal((oc, 3, 3, ic)) * np.sqrt(2 / (9 * ic))).astype(np.float32)
        for ic, oc in pairwise(CHANNELS)
    ]
    start, start_cpu = time.monotonic(), time.process_time()
    book = codebook.find(layers, TEMPLATES, codebook.Options(restarts=args.restarts, equal_layers=True))
    seconds = time.monotonic() - start
    cpu_seconds = time.process_time() - start_cpu
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {
        "edgekc": __version__,
        "numpy": np.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "weights": "random normal, He variance",
        "kernels": sum(w.shape[0] * w.shape[3] for w in layers),
        "templates": len(book.templates),
        "restarts": args.restarts,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),  # of all threads
        "peak_memory_bytes": peak_bytes,
        "weighted_residual": round(float(np.mean([f.residual for f in book.layers])), 5),
    }
    for key, value in figures.items():
        print(f"{key:18} {value}")
    if args.json:
        record = {"command": "python benchmarks/clustering_speed.py --json", **figures}
        RESULT.write_text(json.dumps(record, indent=2) + "\n")
    return int(seconds > SECONDS_MAX or peak_bytes > MEMORY_MAX_BYTES)


if __name__ == "__main__":
    sys.exit(main())
