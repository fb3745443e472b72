"""Packed convolutions on an emulated core, every kernel that accepts them, and what the compiler estimates for each.

Run as a program it prints the table: python tests/cross/kernel_costs.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgekc.boards.board import load_board
from edgekc.files.output import write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.choice import choose_kernel
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Array, Graph, Node, Quant, Stage, Tensor, constant
from edgekc.graph.op import Kernel, View
from edgekc.measure.emulated import measure
from edgekc.ops import OPS

BOARD = "mps2-an386"  # Cortex-M4


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer with SAME padding; `bits` of an index, and of an index of a pair: 0 where each kernel has its own."""

    op: str
    x: tuple[int, int, int]
    out_c: int
    k: int
    stride: int
    bits: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    shape: Shape
    kernel: str
    chosen: bool
    estimate: float
    count: int


def template_shapes() -> list[Shape]:
    sizes = [
        ((8, 8, 64), 64, 1),
        ((16, 16, 32), 32, 1),
        ((24, 24, 16), 16, 1),
        ((11, 10, 24), 40, 1),
        ((4, 5, 8), 16, 1),
    ]
    sizes += [((2, 2, 16), 32, 1), ((16, 16, 16), 32, 2), ((9, 9, 32), 24, 2)]
    codes = [("template_pairs_conv2d", (t, p)) for t, p in ((2, 4), (3, 5), (5, 7))] + [("template_conv2d", (3, 0))]
    return [Shape(op, x, oc, 3, stride, bits) for x, oc, stride in sizes for op, bits in codes]


def clustered_shapes() -> list[Shape]:
    sizes = [((8, 8, 64), 64, 3, 1), ((16, 16, 32), 32, 3, 1), ((24, 24, 16), 16, 3, 1), ((5, 4, 8), 16, 3, 1)]
    sizes += [((2, 2, 16), 32, 3, 1), ((16, 16, 16), 32, 3, 2), ((12, 12, 3), 16, 3, 1)]
    sizes += [((25, 5, 64), 64, 1, 1), ((16, 16, 8), 16, 1, 1), ((3, 3, 128), 128, 1, 1), ((10, 10, 16), 32, 1, 2)]
    return [Shape("clustered_conv2d", x, oc, k, s, (bits, 0)) for x, oc, k, s in sizes for bits in (2, 3, 4, 6)]


def _indices(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    out = rng.integers(0, 2**bits, shape).astype(np.uint8)
    out.flat[0] = 2**bits - 1
    return out


def layer(shape: Shape, name: str) -> tuple[Node, list[Tensor]]:
    """The node and its tensors, output last; weights as large as is still accepted by every kernel."""
    rng = np.random.default_rng(0)
    op, oc, k, ic, (bits, pair_bits) = OPS[shape.op], shape.out_c, shape.k, shape.x[2], shape.bits
    values: dict[str, Array] = {
        "bias": rng.integers(-9999, 9999, oc).astype(np.int32),
        "multiplier": rng.integers(2**30, 2**31, oc).astype(np.int32),
        "shift": np.full(oc, -15, np.int8),
        "centers": rng.integers(-3640, 3641, (1, 2**bits)).astype(np.int16),
        "templates": rng.integers(-28, 29, (2**bits, k, k)).astype(np.int8),
        "pairs": rng.integers(-65, 66, (2**pair_bits, 2) if pair_bits else (oc, ic, 2)).astype(np.float16),
        "pair_indices": _indices(rng, pair_bits, (oc, ic)),
        "indices": _indices(rng, bits, (oc, k, k, ic) if shape.op.startswith("clustered") else (oc, ic)),
    }
    pad = k // 2
    before = max(pad - (1 if shape.stride == 2 and shape.x[0] % 2 == 0 else 0), 0)
    attrs = dict(stride_h=shape.stride, stride_w=shape.stride, dilation_h=1, dilation_w=1, pad_value=-4)
    attrs.update(pad_top=before, pad_left=before, pad_bottom=pad, pad_right=pad)
    attrs.update(out_zero=3, act_min=-128, act_max=127, rounding=1)
    if shape.op.startswith("template"):
        attrs["ones"] = 28
    quant = {"centers": Quant((2.0**-12,), (0,))}
    tensors = [Tensor(f"{name}_x", (1, *shape.x), "int8", Quant((0.0625,), (-4,)))]
    for operand in op.operands[1:]:
        tensors.append(constant(f"{name}_{operand.name}", values[operand.name], operand.role, quant.get(operand.name)))
    out = op.infer(attrs, [t.shape for t in tensors])[0]
    node = Node(shape.op, name, tuple(t.name for t in tensors), (f"{name}_y",), attrs)
    return node, [*tensors, Tensor(f"{name}_y", out, "int8", Quant((0.125,), (3,)))]


def rows(shapes: Sequence[Shape]) -> list[Row]:
    """One network of all layers, once for each kernel of the extension that accepts it, run once on the core."""
    board = load_board(BOARD)
    kernels: dict[str, tuple[Shape, Kernel, View, bool]] = {}
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    for i, shape in enumerate(shapes):
        for j, kernel in enumerate(OPS[shape.op].kernels):
            name = f"l{i}_{j}"
            node, parts = layer(shape, name)
            view = View(node, tuple(parts[:-1]), (parts[-1],))
            if kernel.counted_cost is None or not kernel.needs <= board.features or not kernel.accepts(view):
                continue
            chosen = choose_kernel(view, board.features) is kernel
            kernels[name] = (shape, kernel, view, chosen)
            nodes.append(node)
            tensors.update({t.name: t for t in parts})
    names = tuple(f"{n.name}_x" for n in nodes), tuple(f"{n.name}_y" for n in nodes)
    graph = Graph("costs", Stage.INTEGER, tensors, tuple(nodes), *names, {})
    data = pack(graph)
    packed = read(data, "costs.ekc")
    made = plan(packed.graph, board.features, lambda view, features: kernels[view.node.name][1])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "costs"
        write_folder(generate(made, packed, data, "costs", board.name), folder)
        measured = measure(folder, replace(board), samples=1, timeout_s=600)
    out = []
    for cost in measured.layers:
        if cost.name in kernels:
            shape, kernel, view, chosen = kernels[cost.name]
            assert kernel.counted_cost is not None
            out.append(Row(shape, kernel.symbol, chosen, kernel.counted_cost(view), cost.instructions[0]))
    return out


def main() -> None:
    for r in rows([*template_shapes(), *clustered_shapes()]):
        s = r.shape
        print(
            f"{'*' if r.chosen else ' '} {s.op} {s.x}->{s.out_c} {s.k}x{s.k}/{s.stride} {s.bits} {r.kernel} "
            f"{r.count} estimated {r.estimate:.0f} ({100 * (r.estimate / r.count - 1):+.1f} %)"
        )


if __name__ == "__main__":
    main()
