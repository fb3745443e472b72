"""Kernels for a core's extensions on an emulated core: every case, as layers of one network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edgekc.board import list_boards, load_board
from edgekc.emulate.compare import compare
from edgekc.errors import ToolError
from edgekc.generate import generate
from edgekc.ir import Array, Graph, Node, Quant, Stage, Tensor, constant
from edgekc.op import OPERAND_ROLES, Case, Kernel, Op, View
from edgekc.ops import OPS
from edgekc.output import read_manifest, write_folder
from edgekc.pack import pack, read
from edgekc.plan import plan

DENSE = {"ek_conv2d_s8", "ek_conv1x1_s8"}
PACKED = {f"ek_{code}_conv2d_s8" for code in ("clustered", "template")}
WINOGRAD = {f"ek_{code}_winograd_s8" for code in ("clustered", "template")}
CONNECTED = {"ek_fully_connected_s8", "ek_clustered_fully_connected_s8"}
DEPTHWISE = {"ek_depthwise_s8", "ek_depthwise3x3_s8"}
EXPECTED = {  # kernels that must be among those tried, by what a core has
    frozenset({"mve"}): {
        f"{s}_mve" for s in (*DENSE, *PACKED, *WINOGRAD, *DEPTHWISE, *CONNECTED, "ek_mean_s8", "ek_average_pool_s8")
    },
    frozenset({"dsp"}): {f"{s}_dsp" for s in (*DENSE, "ek_fully_connected_s8", "ek_add_s8", "ek_average_pool_s8")}
    | {f"ek_{kind}depthwise3x3_s8_dsp" for kind in ("", "clustered_", "template_")},
    frozenset({"thumb1"}): {f"{s}_mul2" for s in DENSE},
    frozenset({"thumb2"}): {f"{s}_mul2" for s in DENSE},
    frozenset({"vector"}): {f"{s}_vec" for s in (*DENSE, "ek_depthwise_s8", "ek_fully_connected_s8", "ek_add_s8")}
    | {f"{s}_vec" for s in (*PACKED, "ek_clustered_fully_connected_s8", "ek_template_pixels_s8")},
}


def _boards() -> dict[str, frozenset[str]]:
    """A board for each core that EXPECTED has kernels for, one that qemu has if any, and what its kernels need."""
    found: dict[str, tuple[bool, str, frozenset[str]]] = {}
    for board in map(load_board, list_boards()):
        # Helium comes before the DSP and the Thumb-2 that such a core has too: its flash has no room for all three.
        has = [words for words in EXPECTED if words <= board.features]
        # The microbit, the only Cortex-M0, is too small; the M0+ has the same instructions.
        if has and board.emulators and (board.ram_bytes is None or board.ram_bytes >= 64 * 1024):
            found[board.core.name] = min(
                found.get(board.core.name, (True, "~", has[0])), (board.machine is None, board.name, has[0])
            )
    return {name: words for _, name, words in found.values()}


BOARDS = _boards()
ACTIVATION = Quant((0.5,), (0,))
MOST_BYTES = 220_000  # of constants in one network: with its code it fits 512 KB of flash


@dataclass(slots=True)
class Network:
    """Layers with inputs and outputs of their own, and what they compute on."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    inputs: list[Array] = field(default_factory=list)
    kernels: dict[str, Kernel] = field(default_factory=dict)  # what each layer is to get
    constant_bytes: int = 0

    def add(self, name: str, op: Op, case: Case, kernel: Kernel) -> None:
        """A layer that computes the case, unless the kernel does not take it."""
        count = sum(operand in ("x", "a", "b") for operand in op.operands)
        inputs = [Tensor(f"{name}_in{i}", x.shape, "int8", ACTIVATION) for i, x in enumerate(case.inputs[:count])]
        inputs += [_constant(op, name, i, case.inputs[i]) for i in range(count, len(case.inputs))]
        result = op.reference(case.attrs, list(case.inputs))[0]
        out = Tensor(name, result.shape, "int8", ACTIVATION)
        node = Node(op.name, name, tuple(t.name for t in inputs), (name,), case.attrs)
        if not kernel.accepts(View(node, tuple(inputs), (out,))):
            return
        self.tensors.update({t.name: t for t in (*inputs, out)})
        self.nodes.append(node)
        self.sources += [t.name for t in inputs[:count]]
        self.inputs += case.inputs[:count]
        self.kernels[name] = kernel
        self.constant_bytes += sum(t.value.nbytes for t in inputs[count:])

    def graph(self) -> Graph:
        names = tuple(self.sources), tuple(n.name for n in self.nodes)
        return Graph("net", Stage.INTEGER, self.tensors, tuple(self.nodes), *names, {"tool": "test"})

    def samples(self) -> bytes:
        """One sample of each input."""
        return b"".join(v.tobytes() for v in self.inputs)


def networks(features: frozenset[str]) -> list[Network]:
    """A layer for each case and each kernel for the extension that accepts it; networks that fit the boards."""
    found = [Network()]
    for op in (op for op in OPS.values() if any(k.needs for k in op.kernels)):
        own = [kernel for kernel in op.kernels if kernel.needs and kernel.needs <= features]
        for case in op.cases(np.random.default_rng(2)):
            if case.inputs[0].shape[0] != 1:  # one sample
                continue
            if found[-1].constant_bytes > MOST_BYTES:
                found.append(Network())
            for k, kernel in enumerate(own):
                found[-1].add(f"{op.name}_{case.name}_{k}".replace("-", "_"), op, case, kernel)
    return found


def _constant(op: Op, name: str, position: int, value: Array) -> Tensor:
    operand = op.operands[position]
    quant = Quant((2.0**-12,), (0,)) if operand == "centers" else None
    return constant(f"{name}_{operand}", value, OPERAND_ROLES[operand], quant)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[frozenset[str]], list[tuple[Path, bytes]]]:
    @functools.cache
    def make(features: frozenset[str]) -> list[tuple[Path, bytes]]:
        made = networks(features)
        assert {kernel.symbol for net in made for kernel in net.kernels.values()} >= EXPECTED[features]
        return [(written(net, features, tmp_path_factory.mktemp("extensions") / "out"), net.samples()) for net in made]

    return make


def written(net: Network, features: frozenset[str], folder: Path) -> Path:
    data = pack(net.graph())
    packed = read(data, "net.ekc")
    planned = plan(packed.graph, features, lambda view, _: net.kernels[view.node.name])
    write_folder(generate(planned, packed, data, "net", "test"), folder)
    symbols = {kernel.symbol for kernel in net.kernels.values()}
    assert {layer["kernel"] for layer in read_manifest(folder)["layers"]} == symbols
    return folder


@pytest.mark.parametrize("board", BOARDS)
def test_every_case_on_the_core(compiled: Callable[[frozenset[str]], list[tuple[Path, bytes]]], board: str) -> None:
    """Reference, host and device agree, layer by layer."""
    for folder, inputs in compiled(BOARDS[board]):
        try:
            assert compare(folder, load_board(board), inputs).samples == 1
        except ToolError as error:
            if "install" in str(error):
                pytest.skip(f"{board}: {error}")
            raise


# ---- requantisation in assembly ----


def accumulators(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Accumulators with a multiplier and a right shift each: of all sizes, around ties, and at the proof's bound."""
    count = 4000
    right = rng.integers(1, 21, count)
    acc = (rng.uniform(-300, 300, count) * 2.0**right).astype(np.int64)
    multiplier = rng.integers(2**30, 2**31, count)
    ties = (2 * rng.integers(-140, 140, count) + 1) * 2**right + rng.integers(-2, 3, count)
    bound = np.array([2**30 - 1, 1 - 2**30, 2**30 - 2**15, 2**15 - 2**30, 0, -1, 1, 32768, -32768, 65535])
    acc = np.concatenate([acc, ties, bound, bound])
    multiplier = np.concatenate([multiplier, np.full(count, 2**30), np.full(bound.size, 2**31 - 1), bound * 0 + 2**30])
    return np.clip(acc, 1 - 2**30, 2**30 - 1), multiplier, np.concatenate([right, right, bound * 0 + 20, bound * 0 + 1])


@pytest.mark.parametrize("board", ["m0plus-an385", "mps2-an385", "mps2-an386"])
def test_requantisation_on_the_core(tmp_path: Path, board: str) -> None:
    """A 1x1 convolution with weights of 0 gives its biases as accumulators."""
    acc, multiplier, right = accumulators(np.random.default_rng(5))
    attrs = dict.fromkeys(OPS["conv2d"].attrs, 0)
    attrs.update(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, out_zero=-5, rounding=1, act_min=-128, act_max=127)
    values = (np.zeros((acc.size, 1, 1, 4), np.int8), acc.astype(np.int32), multiplier.astype(np.int32))
    values = (*values, (-right).astype(np.int8))
    inputs = [Tensor("in", (1, 1, 3, 4), "int8", ACTIVATION)]
    inputs += [_constant(OPS["conv2d"], "requant", i, value) for i, value in enumerate(values, 1)]
    node = Node("conv2d", "requant", tuple(t.name for t in inputs), ("out",), attrs)
    tensors = {t.name: t for t in (*inputs, Tensor("out", (1, 1, 3, acc.size), "int8", ACTIVATION))}
    data = pack(Graph("net", Stage.INTEGER, tensors, (node,), ("in",), ("out",), {"tool": "test"}))
    packed, target = read(data, "net.ekc"), load_board(board)
    made = plan(packed.graph, target.features)
    assert made.steps[0].kernel.symbol == ("ek_conv1x1_s8_dsp" if "dsp" in target.features else "ek_conv1x1_s8_mul2")
    write_folder(generate(made, packed, data, "net", board), tmp_path / "out")
    try:
        assert compare(tmp_path / "out", target, bytes(range(12))).samples == 1
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(f"{board}: {error}")
        raise
