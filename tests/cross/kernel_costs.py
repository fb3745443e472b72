"""Packed convolutions on emulated cores, every kernel that accepts them, and what the compiler estimates for each.

python tests/cross/kernel_costs.py [BOARD ...]        prints the table; without a board, of all with formulas
python tests/cross/kernel_costs.py --fit [BOARD ...]  fits the formulas to the estimated cycles, and writes them
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from kernel_guesses import GUESSES

from edgekc.boards.board import Board, load_board
from edgekc.errors import ToolError
from edgekc.files.output import write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.choice import choose_kernel, on_core
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Array, Graph, Node, Quant, Stage, Tensor, constant
from edgekc.graph.op import Kernel, View
from edgekc.measure.emulated import measure
from edgekc.ops import OPS
from edgekc.ops.kernels import cycles
from edgekc.ops.kernels.cost import Cost

# Where the formulas of each family are fitted: Cortex-M4, Cortex-M7, Cortex-M3, Cortex-M55 and Cortex-A53.
BOARDS = {
    "dsp": "mps2-an386",
    "dual": "mps2-an500",
    "mul2": "mps2-an385",
    "mve": "mps3-an547",
    "vec": "linux-aarch64",
}
FOR_ROOM = {"ek_conv2d_direct_s8_dsp"}  # kernels that are there for networks with little RAM, and win nowhere else
_TABLE = Path(cycles.__file__)
_PULL = 0.03  # of a guess; a layer's own error has 1
_LEAST = 0.01  # of a guess
_NETWORK_BYTES = 256 * 1024  # of constants: a network of more layers would not fit the flash of every board


@dataclass(frozen=True, slots=True)
class Shape:
    """A layer with SAME padding; `bits` of an index, and of an index of a pair: 0 where each kernel has its own."""

    op: str
    x: tuple[int, int, int]
    out_c: int
    k: int
    stride: int
    bits: tuple[int, int]
    largest: int = 3640  # of centers


@dataclass(frozen=True, slots=True)
class Row:
    shape: Shape
    kernel: str
    chosen: bool
    estimate: float  # cycles, by the kernel's formula
    cycles: float  # estimated from the blocks of code that ran
    instructions: int
    work: tuple[float, ...]  # what the formula multiplies with cycles; empty: the kernel has another formula


def template_shapes() -> list[Shape]:
    sizes = [
        ((8, 8, 64), 64, 1),
        ((16, 16, 32), 32, 1),
        ((24, 24, 16), 16, 1),
        ((11, 10, 24), 40, 1),
        ((4, 5, 8), 16, 1),
        ((14, 7, 16), 48, 1),
        ((9, 10, 20), 8, 1),
    ]
    sizes += [((2, 2, 16), 32, 1), ((16, 16, 16), 32, 2), ((9, 9, 32), 24, 2)]
    codes = [("template_pairs_conv2d", (t, p)) for t, p in ((2, 4), (3, 5), (5, 7))] + [("template_conv2d", (3, 0))]
    return [Shape(op, x, oc, 3, stride, bits) for x, oc, stride in sizes for op, bits in codes]


def clustered_shapes() -> list[Shape]:
    sizes = [((8, 8, 64), 64, 3, 1), ((16, 16, 32), 32, 3, 1), ((24, 24, 16), 16, 3, 1), ((5, 4, 8), 16, 3, 1)]
    sizes += [((2, 2, 16), 32, 3, 1), ((16, 16, 16), 32, 3, 2), ((12, 12, 3), 16, 3, 1)]
    sizes += [((25, 5, 64), 64, 1, 1), ((16, 16, 8), 16, 1, 1), ((3, 3, 128), 128, 1, 1), ((10, 10, 16), 32, 1, 2)]
    wide = [Shape("clustered_conv2d", x, oc, k, s, (bits, 0)) for x, oc, k, s in sizes for bits in (2, 3, 4, 6)]
    return wide + [replace(shape, largest=127) for shape in wide if shape.bits[0] in (2, 6)]


def dense_shapes() -> list[Shape]:
    sizes = [((8, 8, 64), 64, 3, 1), ((16, 16, 32), 32, 3, 1), ((24, 24, 16), 16, 3, 1), ((5, 4, 8), 16, 3, 1)]
    sizes += [((2, 2, 16), 32, 3, 1), ((11, 10, 24), 40, 3, 1), ((16, 16, 8), 4, 3, 1), ((4, 4, 4), 64, 3, 1)]
    sizes += [((16, 16, 16), 32, 3, 2), ((12, 12, 3), 16, 3, 1), ((9, 7, 12), 6, 5, 1), ((10, 10, 16), 32, 1, 2)]
    return [Shape("conv2d", x, oc, k, s, (8, 0)) for x, oc, k, s in sizes]


def _indices(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    out = rng.integers(0, 2**bits, shape).astype(np.uint8)
    out.flat[0] = 2**bits - 1
    return out


def layer(shape: Shape, name: str) -> tuple[Node, list[Tensor]]:
    """The node and its tensors, output last; weights as large as is still accepted by every kernel."""
    rng = np.random.default_rng(0)
    op, oc, k, ic, (bits, pair_bits) = OPS[shape.op], shape.out_c, shape.k, shape.x[2], shape.bits
    values: dict[str, Array] = {
        "weights": np.random.default_rng(1).integers(-127, 128, (oc, k, k, ic)).astype(np.int8),
        "bias": rng.integers(-9999, 9999, oc).astype(np.int32),
        "multiplier": rng.integers(2**30, 2**31, oc).astype(np.int32),
        "shift": np.full(oc, -15, np.int8),
        "centers": rng.integers(-shape.largest, shape.largest + 1, (1, 2**bits)).astype(np.int16),
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


def fitted() -> list[Shape]:
    """Shapes that formulas are fitted to."""
    return [*template_shapes(), *clustered_shapes(), *dense_shapes()]


def held_out() -> list[Shape]:
    """Shapes that no formula was fitted to."""
    sizes = [((10, 10, 32), 48, 3, 1), ((7, 9, 20), 12, 3, 1), ((20, 6, 16), 64, 3, 1)]
    clustered = [Shape("clustered_conv2d", x, oc, k, s, (4, 0)) for x, oc, k, s in [*sizes, ((12, 6, 48), 32, 1, 1)]]
    clustered += [replace(shape, largest=127) for shape in clustered]
    clustered += [Shape("conv2d", x, oc, k, s, (8, 0)) for x, oc, k, s in sizes]
    return clustered + [Shape("template_pairs_conv2d", x, oc, k, s, (3, 4)) for x, oc, k, s in sizes]


def rows(shapes: Sequence[Shape], board_name: str) -> list[Row]:
    """Networks of all layers, each once for each kernel of the board's family that accepts it, run once on the core."""
    board = load_board(board_name)
    found: list[Row] = []
    kernels: dict[str, tuple[Shape, Kernel, View, bool]] = {}
    size = 0
    for i, shape in enumerate(shapes):
        for j, kernel in enumerate(on_core(k, board.features) for k in OPS[shape.op].kernels):
            node, parts = layer(shape, f"l{i}_{j}")
            view = View(node, tuple(parts[:-1]), (parts[-1],))
            chosen = choose_kernel(view, board.features)
            alike = kernel.needs == chosen.needs and kernel.symbol not in FOR_ROOM and kernel.accepts(view)
            if kernel.counted_cost is None or chosen.counted_cost is None or not alike:
                continue
            kernels[node.name] = (shape, kernel, view, chosen is kernel)
            size += sum(t.nbytes for t in parts if t.data is not None)
            if size > _NETWORK_BYTES:
                found += _run(kernels, board)
                kernels, size = {}, 0
    return found + (_run(kernels, board) if kernels else [])


def _run(kernels: dict[str, tuple[Shape, Kernel, View, bool]], board: Board) -> list[Row]:
    nodes = tuple(view.node for _, _, view, _ in kernels.values())
    tensors = {t.name: t for _, _, view, _ in kernels.values() for t in (*view.inputs, *view.outputs)}
    names = tuple(f"{n.name}_x" for n in nodes), tuple(f"{n.name}_y" for n in nodes)
    graph = Graph("costs", Stage.INTEGER, tensors, nodes, *names, {})
    data = pack(graph)
    packed = read(data, "costs.ekc")
    made = plan(packed.graph, board.features, lambda view, features: kernels[view.node.name][1])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "costs"
        write_folder(generate(made, packed, data, "costs", board.name), folder)
        measured = measure(folder, board, samples=1, timeout_s=600)
    out = []
    for cost in measured.layers:
        shape, kernel, view, chosen = kernels[cost.name]
        assert kernel.counted_cost is not None
        if cost.estimated_cycles is None:
            raise ToolError("the disassembler capstone is not installed", fix="pip install capstone")
        work = kernel.counted_cost.work(view) if isinstance(kernel.counted_cost, Cost) else ()
        estimate, took = kernel.counted_cost(view), cost.estimated_cycles.likely
        out.append(Row(shape, kernel.symbol, chosen, estimate, took, cost.instructions[0], work))
    return out


def fit(work: Array, took: Array, guess: Array) -> Array:
    """Cycles of each thing, none below 0, so that relative errors are least: float (things,).

    Args:
        work: how often each layer does each thing, (layers, things).
        took: cycles of each layer.
        guess: what the things may take; a weak pull towards it, up to one factor, decides what the layers do not.
    """
    relative = work * guess / took[:, None]
    start = 1 / np.median(relative.sum(1))
    a = np.vstack([relative, _PULL * np.eye(len(guess))])
    b = np.concatenate([np.ones(len(took)), np.full(len(guess), _PULL * start)])
    factors = np.full(len(guess), start)
    for _ in range(20_000):  # one after the other, the others as they are: there is one minimum
        before = factors.copy()
        for j in range(len(factors)):
            rest = b - a @ factors + a[:, j] * factors[j]
            factors[j] = max(a[:, j] @ rest / (a[:, j] @ a[:, j]), _LEAST)
        if np.allclose(factors, before, rtol=1e-7, atol=0):
            break
    return np.asarray(factors * guess)


def write_fits(found: Mapping[str, Sequence[Row]]) -> None:
    """The tables of `edgekc/ops/kernels/cycles.py` anew, where there are rows of a board; the rest as it was."""
    text = _TABLE.read_text(encoding="utf-8").partition("CYCLES:")[0]
    two_issue = found.get(BOARDS["dual"], [])
    others = [row for board, rows in found.items() if board != BOARDS["dual"] for row in rows]
    tables = {"CYCLES": (cycles.CYCLES, others), "TWO_ISSUE": (cycles.TWO_ISSUE, two_issue)}
    for name, (before, rows) in tables.items():
        text += f"{name}: dict[str, tuple[float, ...]] = {{\n"
        for symbol, after in sorted(before.items()):
            own = [row for row in rows if row.kernel == symbol and row.work]
            if own:
                took = np.array([r.cycles for r in own])
                after = tuple(fit(np.array([r.work for r in own]), took, np.array(GUESSES[symbol])))
            text += f'    "{symbol}": ({", ".join(f"{c:.3g}" for c in after)}),\n'
        text += "}\n\n" if name != "TWO_ISSUE" else "}\n"
    _TABLE.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    if "--fit" in arguments:
        table = cycles.CYCLES  # a kernel that is new, or does another number of things, is not in it
        table.update({symbol: guess for symbol, guess in GUESSES.items() if len(table.get(symbol, ())) != len(guess)})
        boards = [name for name in arguments if name != "--fit"] or list(BOARDS.values())
        if BOARDS["dual"] in boards:  # else its table stays as it is
            cycles.TWO_ISSUE.update({symbol: table[symbol] for symbol in GUESSES if symbol.endswith("_dsp")})
        write_fits({name: rows(fitted(), name) for name in boards})
        return
    for name in arguments or BOARDS.values():
        for r in rows([*fitted(), *held_out()], name):
            s = r.shape
            print(
                f"{'*' if r.chosen else ' '} {s.op} {s.x}->{s.out_c} {s.k}x{s.k}/{s.stride} {s.bits} {r.kernel} "
                f"{r.instructions} instructions, {r.cycles:.0f} cycles, by the formula {r.estimate:.0f} "
                f"({100 * (r.estimate / r.cycles - 1):+.1f} %)"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
