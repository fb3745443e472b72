"""Instructions per MAC of single layers on emulated cores, dense and compressed, beside CMSIS-NN on the same work.

    python benchmarks/layers.py                                the table, for M4
    python benchmarks/layers.py --boards mps2-an386,m0plus-an385,mps2-an521 --json

Each layer is a network of its own with random weights; a compressed layer's MACs are those of the dense layer that it
stands for. The peer's figures are from benchmarks/peers.json.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from edgekc import __version__
from edgekc.boards.board import load_board
from edgekc.files.output import write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Array, Graph, Node, Quant, Stage, Tensor, constant
from edgekc.measure.emulated import UNIT, measure
from edgekc.ops import OPS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "layers.json"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer to count; `code` says how its weights are stored."""

    shape: str  # as the peer's table names it
    op: str
    x: tuple[int, int, int]
    out_c: int
    k: int
    stride: int = 1
    code: str = "dense"
    bits: tuple[int, int] = (0, 0)  # of an index, and of an index of a pair (0: a pair for each kernel)
    asked: float | None = None  # instructions per MAC on M4

    @property
    def name(self) -> str:
        return f"{self.shape} {self.code}"


DENSE3 = ((8, 64), (16, 32), (32, 16))
SHAPE = {size: f"conv 3x3 {size}x{size}x{c}->{c}" for size, c in DENSE3}
LAYERS = (
    Layer("conv 3x3 32x32x3->16", "conv2d", (32, 32, 3), 16, 3, asked=2.0),
    *(Layer(SHAPE[s], "conv2d", (s, s, c), c, 3, asked=1.1 if s == 8 else None) for s, c in DENSE3),
    *(
        Layer(SHAPE[s], "template_pairs_conv2d", (s, s, c), c, 3, 1, f"T={2**t}, coded pairs", (t, 5), asked)
        for t, row in ((2, (None, None, None)), (3, (0.45, 0.65, 1.0)), (4, (None, None, None)))
        for (s, c), asked in zip(DENSE3, row, strict=True)
    ),
    *(Layer(SHAPE[s], "template_conv2d", (s, s, c), c, 3, 1, "T=8, own pairs", (3, 0)) for s, c in DENSE3),
    Layer(SHAPE[8], "clustered_conv2d", (8, 8, 64), 64, 3, 1, "4-bit clustered", (4, 0)),
    Layer(SHAPE[32], "clustered_conv2d", (32, 32, 16), 16, 3, 1, "4-bit clustered", (4, 0)),
    Layer("conv 1x1 16x16x32->64", "conv2d", (16, 16, 32), 64, 1, asked=1.1),
    Layer("conv 1x1 25x5x64->64", "conv2d", (25, 5, 64), 64, 1, asked=1.1),
    *(
        Layer("conv 1x1 25x5x64->64", "clustered_conv2d", (25, 5, 64), 64, 1, 1, f"{b}-bit clustered", (b, 0))
        for b in (2, 3, 4, 5, 8)
    ),
    Layer("depthwise 3x3 25x5x64", "depthwise", (25, 5, 64), 64, 3, asked=3.0),
    Layer("depthwise 3x3 24x24x16", "depthwise", (24, 24, 16), 16, 3, asked=3.0),
    Layer("depthwise 3x3 25x5x64", "clustered_depthwise", (25, 5, 64), 64, 3, 1, "4-bit clustered", (4, 0)),
    Layer("FC 640->128", "fully_connected", (1, 1, 640), 128, 0, asked=1.5),
    Layer("FC 128->128", "fully_connected", (1, 1, 128), 128, 0, asked=1.5),
    *(
        Layer("FC 640->128", "clustered_fully_connected", (1, 1, 640), 128, 0, 1, f"{b}-bit clustered", (b, 0))
        for b in (1, 2, 3, 4, 5, 8)
    ),
)


def _indices(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    out = rng.integers(0, 2**bits, shape).astype(np.uint8)
    out.flat[0] = 2**bits - 1
    return out


def _codes(layer: Layer, rng: np.random.Generator) -> list[tuple[str, Array]]:
    """The operands that stand for the weights."""
    _, _, ic = layer.x
    oc, k, (bits, pair_bits) = layer.out_c, layer.k, layer.bits
    if layer.op.startswith("template"):
        pair_shape = (2**pair_bits, 2) if pair_bits else (oc, ic, 2)
        codes = [
            ("templates", rng.integers(-28, 29, (2**bits, k, k)).astype(np.int8)),
            ("indices", _indices(rng, bits, (oc, ic))),
            ("pairs", rng.integers(-65, 66, pair_shape).astype(np.float16)),
        ]
        return codes + ([("pair_indices", _indices(rng, pair_bits, (oc, ic)))] if pair_bits else [])
    shapes = {"depthwise": (k, k, oc), "clustered_depthwise": (oc, k, k)}
    shape = shapes.get(layer.op, (oc, k, k, ic) if k else (oc, ic))
    if layer.op.startswith("clustered"):
        centers = rng.integers(-3640, 3640, (1, 2**bits)).astype(np.int16)
        return [("indices", _indices(rng, bits, shape)), ("centers", centers)]
    return [("weights", rng.integers(-127, 128, shape).astype(np.int8))]


def network(layer: Layer) -> Graph:
    """The layer as an INTEGER network, requantised as LiteRT rounds its kind."""
    rng = np.random.default_rng(0)
    op, oc = OPS[layer.op], layer.out_c
    codes = dict(_codes(layer, rng))
    wide = layer.op.startswith(("template", "clustered"))
    values = {
        **codes,
        "bias": rng.integers(-9999, 9999, oc).astype(np.int32),
        "multiplier": rng.integers(2**30, 2**31, oc).astype(np.int32),
        "shift": np.full(oc, -15 if wide else -11, np.int8),
    }
    attrs = dict(out_zero=3, act_min=-128, act_max=127, rounding=1 if layer.k else 0)
    x_shape: tuple[int, ...] = (1, *layer.x) if layer.k else (1, layer.x[2])
    if layer.k:
        size, pad = layer.x[0], layer.k // 2
        attrs.update(stride_h=layer.stride, stride_w=layer.stride, dilation_h=1, dilation_w=1, pad_value=-4)
        before = max(pad - (1 if layer.stride == 2 and size % 2 == 0 else 0), 0)
        attrs.update(pad_top=before, pad_left=before, pad_bottom=pad, pad_right=pad)
    if layer.op.startswith("template"):
        attrs["ones"] = 28
    quant = {"centers": Quant((2.0**-12,), (0,))}
    tensors = {"x": Tensor("x", x_shape, "int8", Quant((0.0625,), (-4,)))}
    for operand in op.operands[1:]:
        assert operand.role is not None
        name = f"layer/{operand.name}"
        tensors[name] = constant(name, values[operand.name], operand.role, quant.get(operand.name))
    out = op.infer(attrs, [t.shape for t in tensors.values()])[0]
    node = Node(layer.op, "layer", tuple(tensors), ("y",), attrs)
    tensors["y"] = Tensor("y", out, "int8", Quant((0.125,), (3,)))
    return Graph("layer", Stage.INTEGER, tensors, (node,), ("x",), ("y",), {})


@dataclass(frozen=True, slots=True)
class Count:
    """What one layer takes on one board."""

    layer: str
    kernel: str
    macs: int
    instructions: int
    per_mac: float
    peer: float | None
    asked: float | None
    constant_bytes: int
    arena_bytes: int
    code_bytes: int  # of the kernels and what they call


def asked_of(layer: Layer, board_name: str) -> float | None:
    """Instructions per MAC that are asked of a layer on a board."""
    if board_name == "m0plus-an385":
        return 4.5 if layer.op == "conv2d" else None
    return layer.asked if board_name == "mps2-an386" else None


def count(layer: Layer, board_name: str, peer: float | None) -> Count:
    """Builds the layer for a board and runs it once there."""
    board = load_board(board_name)
    data = pack(network(layer))
    packed = read(data, "layer.ekc")
    made = plan(packed.graph, board.features)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "layer"
        write_folder(generate(made, packed, data, "layer", board.name), folder)
        m = measure(folder, board, samples=1, timeout_s=300)
    (cost,) = m.layers
    code = sum(e.size_bytes for e in m.ledger.flash if e.of_model and e.kind in ("kernels", "helpers"))
    constants = sum(size for _, size in packed.offsets.values())
    return Count(
        layer.name, cost.kernel, cost.macs, cost.instructions[0], round(cost.instructions[0] / cost.macs, 3),
        peer, asked_of(layer, board_name), constants, m.arena_bytes, code,
    )  # fmt: skip


def table(title: str, rows: Sequence[Count]) -> Table:
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    out.add_column("layer")
    for name in ("per MAC", "CMSIS-NN", "asked", "constants", "arena", "code"):
        out.add_column(name, justify="right")
    for row in rows:
        missed = row.asked is not None and row.per_mac > row.asked
        shown = f"[red]{row.per_mac:.2f}[/red]" if missed else f"{row.per_mac:.2f}"
        peer, asked = ("" if v is None else f"{v:g}" for v in (row.peer, row.asked))
        sizes = (f"{v:,}" for v in (row.constant_bytes, row.arena_bytes, row.code_bytes))
        out.add_row(row.layer, shown, peer, asked, *sizes)
    return out


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", default="mps2-an386", type=lambda text: text.split(","))
    parser.add_argument("--only", default="", help="count only layers whose name holds this text")
    parser.add_argument("--json", type=Path, nargs="?", const=RESULTS, help="write the counts to a file")
    return parser.parse_args()


def main() -> int:
    arguments = parsed()
    peers = json.loads((HERE / "peers.json").read_text())
    console = Console()
    boards, ok = {}, True
    for board in arguments.boards:
        of_peer = peers["layers"].get(board, {})
        rows = [count(layer, board, of_peer.get(layer.shape)) for layer in LAYERS if arguments.only in layer.name]
        console.print(table(f"{board}: {UNIT}", rows))
        ok = ok and all(r.asked is None or r.per_mac <= r.asked for r in rows)
        boards[board] = [asdict(row) for row in rows]
    if arguments.json is not None:
        command = shlex.join(["python", "benchmarks/layers.py", "--boards", ",".join(arguments.boards), "--json"])
        data = {"command": command, "edgekc": __version__, "unit": UNIT, "peer": peers["source"], "boards": boards}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
        console.print(f"wrote {arguments.json}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
