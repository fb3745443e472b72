"""VGG-16 at ImageNet's shape through the compound recipe: what every layer takes after each step, and in the .ekc.

    python benchmarks/vgg16_storage.py            the table
    python benchmarks/vgg16_storage.py --json     and benchmarks/results/vgg16_storage.json

The steps of Hsiao et al. (2019), in their order: global average pooling in front of the first fully connected layer,
pruning of filters and rows, truncated SVD of the fully connected layers, k-means clustering with 16-bit centers. The
published figure is 60.9 times smaller "off line". A layer loses filters in proportion to its share of the
computation, the largest `PRUNED` of them, weakest L1 norm first; the fully connected layers, which compute little,
lose `ROWS` of their rows.

The weights are RANDOM (normal, He's variance): bytes follow from shapes, ranks and index bits alone, which is all that
this table is about. What the steps cost in accuracy is measured on a trained net by `vgg11_compound.py`.

All bytes are those of the packed file, which is packed, read back and checked: `packed` is what stands for a layer's
weights (indices and centers), `bias and steps` its 32-bit biases and requantisation constants.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edgekc import recipe as rc
from edgekc.compression.methods import gap, prune
from edgekc.compression.run import compress
from edgekc.compression.sizes import layer_sizes
from edgekc.format.pack import pack, read
from edgekc.graph.ir import AttrValue, Graph, Node, Role, Stage, Tensor, constant
from edgekc.pipeline import to_integer

RESULT = Path(__file__).resolve().parent / "results" / "vgg16_storage.json"
PUBLISHED = 60.9
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # configuration D
FULLY_CONNECTED = (4096, 4096, 1000)
PRUNED = 0.4  # of the filters of the layer with the most computation
ROWS = 0.1  # of fc6 and fc7
RANK = 256
CONV_BITS, FC_BITS = 5, 4
RECIPE = f"""
[[compress]]
method = "svd"
layers = ["fc*"]
rank = {RANK}

[[compress]]
method = "cluster"
layers = ["conv*"]
bits = {CONV_BITS}
row_scale = "rms"

[[compress]]
method = "cluster"
layers = ["*"]
bits = {FC_BITS}
row_scale = "rms"

[quantize]
samples = 2
method = "min-max"
input_range = [0.0, 255.0]
bias_correction = false
"""


def vgg16(seed: int) -> Graph:
    """The FLOAT graph with random weights, 138,357,544 parameters."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = {"input": Tensor("input", (1, 224, 224, 3), "float32")}
    nodes: list[Node] = []

    def add(op: str, name: str, inputs: tuple[str, ...], shape: tuple[int, ...], attrs: dict[str, AttrValue]) -> str:
        tensors[name] = Tensor(name, shape, "float32")
        nodes.append(Node(op, name, inputs, (name,), attrs))
        return name

    def layer(op: str, name: str, x: str, kernel: tuple[int, ...], out: tuple[int, ...], **attrs: AttrValue) -> str:
        weights = rng.standard_normal(kernel, np.float32) * np.float32(np.sqrt(2 / math.prod(kernel[1:])))
        tensors[f"{name}/weights"] = constant(f"{name}/weights", weights, Role.WEIGHTS)
        tensors[f"{name}/bias"] = constant(f"{name}/bias", np.zeros(kernel[0], np.float32), Role.BIAS)
        return add(op, name, (x, f"{name}/weights", f"{name}/bias"), out, attrs)

    window: dict[str, AttrValue] = {"pad_top": 1, "pad_left": 1, "pad_bottom": 1, "pad_right": 1}
    x, ic, size = "input", 3, 224
    for i, stage in enumerate(STAGES, 1):
        for j, oc in enumerate(stage, 1):
            strides: dict[str, AttrValue] = {"stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
            attrs = window | strides | {"activation": "relu"}
            x = layer("conv2d", f"conv{i}_{j}", x, (oc, 3, 3, ic), (1, size, size, oc), **attrs)
            ic = oc
        size //= 2
        halved: dict[str, AttrValue] = {"filter_h": 2, "filter_w": 2, "stride_h": 2, "stride_w": 2}
        unpadded: dict[str, AttrValue] = dict.fromkeys(window, 0) | {"dilation_h": 1, "dilation_w": 1}
        x = add("max_pool", f"pool{i}", (x,), (1, size, size, ic), unpadded | halved | {"activation": "none"})
    x = add("reshape", "flatten", (x,), (1, size * size * ic), {})
    for i, (inputs, oc) in enumerate(pairwise((size * size * ic, *FULLY_CONNECTED)), 6):
        activation = "none" if oc == FULLY_CONNECTED[-1] else "relu"
        x = layer("fully_connected", f"fc{i}", x, (oc, inputs), (1, oc), activation=activation)
    return Graph("vgg16", Stage.FLOAT, tensors, tuple(nodes), ("input",), (x,), {})


def pruned(graph: Graph) -> Graph:
    """Without the weakest filters, in proportion to each layer's computation, and the weakest rows."""
    counts = prune.layer_macs(graph)
    outputs = {node.name for node in graph.nodes if node.outputs[0] in graph.outputs}
    for name, count in counts.items():
        if name in outputs:
            continue
        share = ROWS if name.startswith("fc") else PRUNED * count / max(counts.values())
        strength = prune.l1(graph)[name]
        graph = prune.remove_filters(graph, name, np.argsort(strength, kind="stable")[: round(share * len(strength))])
    return graph


def counts(graph: Graph) -> dict[str, int]:
    """Layer to its number of weights; the factors of an SVD count with the layer that they stand for."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        weights = [t for t in graph.of(node.inputs) if t.role is Role.WEIGHTS]
        if weights:
            found[layer_of(node.name)] = found.get(layer_of(node.name), 0) + math.prod(weights[0].shape)
    return found


def layer_of(name: str) -> str:
    """fc6_0 and fc6 are factors of fc6."""
    return name.split("_")[0] if name.startswith("fc") else name


def measure() -> dict[str, Any]:
    console = Console()
    source = vgg16(0)
    parameters = sum(t.data.size for t in source.tensors.values() if t.data is not None)
    before = counts(source)
    pooled, notes = gap.run(source)
    del source
    console.print(*notes)
    after_gap = counts(pooled)
    thin = pruned(pooled)
    after_pruning = counts(thin)
    start = time.monotonic()
    result = compress(thin, rc.parse(RECIPE), None, lambda text: console.print(text, highlight=False))
    seconds = time.monotonic() - start
    ekc = pack(to_integer(result.graph, {"weights": "random"}))
    sizes = layer_sizes(read(ekc, "vgg16"))
    layers = []
    for name in before:
        parts = [size for size in sizes if layer_of(size.name) == name]
        layers.append(
            {
                "layer": name,
                "float32_bytes": 4 * before[name],
                "weights": before[name],
                "weights_after_gap": after_gap[name],
                "weights_after_pruning": after_pruning[name],
                "weights_after_svd": sum(size.weights for size in parts),
                "index_bits": CONV_BITS if name.startswith("conv") else FC_BITS,
                "indices_bytes": sum(size.parts["indices"] for size in parts),
                "centers_bytes": sum(size.parts["centers"] for size in parts),
                "packed_bytes": sum(size.packed for size in parts),
                "bias_and_steps_bytes": sum(size.parts["bias"] + size.parts["requant"] for size in parts),
            }
        )
    packed = sum(size.packed for size in sizes)
    return {
        "command": "python benchmarks/vgg16_storage.py --json",
        "weights": "random normal, He variance: storage only",
        "recipe": {"pruned": PRUNED, "rows": ROWS, "rank": RANK, "conv_bits": CONV_BITS, "fc_bits": FC_BITS},
        "parameters": parameters,
        "parameters_float32_bytes": 4 * parameters,
        "macs_before": sum(prune.layer_macs(pooled).values()) - after_gap["fc6"] + before["fc6"],
        "macs_after": sum(size.macs for size in sizes),
        "weights_packed_bytes": packed,
        "ekc_bytes": len(ekc),
        "times_smaller_weights": round(4 * sum(before.values()) / packed, 2),
        "times_smaller_file": round(4 * parameters / len(ekc), 2),  # everything against everything
        "published": PUBLISHED,
        "compress_seconds": round(seconds, 1),
        "layers": layers,
    }


def show(found: dict[str, Any]) -> None:
    table = Table(title="VGG-16, random weights: weights by step, bytes as packed", box=SIMPLE_HEAD, pad_edge=False)
    titles = ("layer", "float32 bytes", "after GAP", "pruned", "SVD", "bits", "packed bytes", "bias and steps", "times")
    for title in titles:
        table.add_column(title, justify="left" if title == "layer" else "right")
    keys = ("float32_bytes", "weights_after_gap", "weights_after_pruning", "weights_after_svd")
    ends = ("packed_bytes", "bias_and_steps_bytes")
    for row in found["layers"]:
        cells = [f"{row[k]:,}" for k in keys] + [str(row["index_bits"])] + [f"{row[k]:,}" for k in ends]
        table.add_row(row["layer"], *cells, f"{row['float32_bytes'] / row['packed_bytes']:.1f}")
    total = {key: sum(row[key] for row in found["layers"]) for key in (*keys, *ends)}
    table.add_section()
    cells = [f"{total[k]:,}" for k in keys] + [""] + [f"{total[k]:,}" for k in ends]
    table.add_row("all", *cells, f"{found['times_smaller_weights']:.1f}")
    Console(width=120).print(table)
    print(f"parameters as float32: {found['parameters_float32_bytes']:,} bytes; the .ekc: {found['ekc_bytes']:,}")
    print(f"{found['times_smaller_file']:.1f} times smaller as a file, published {PUBLISHED}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    found = measure()
    show(found)
    if arguments.json:
        RESULT.write_text(json.dumps(found, indent=1) + "\n")
    return int(found["times_smaller_file"] < PUBLISHED)


if __name__ == "__main__":
    sys.exit(main())
