"""Kernels for a core's extensions on an emulated core: every case, as layers of one network."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import compiler_matrix as matrix
import numpy as np
import pytest
from kernel_networks import ACTIVATION, constant_of, networks, written

from edgekc.boards.board import list_boards, load_board
from edgekc.emulate.compare import compare
from edgekc.emulate.device import run_image
from edgekc.errors import ToolError
from edgekc.files.output import write_folder
from edgekc.firmware.build import build_image
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Array, Graph, Node, Stage, Tensor
from edgekc.ops import OPS

DENSE = {"ek_conv2d_s8", "ek_conv1x1_s8"}
PACKED = {f"ek_{code}_conv2d_s8" for code in ("clustered", "template")}
WINOGRAD = {f"ek_{code}_winograd_s8" for code in ("clustered", "template")}
CLUSTERED = "ek_clustered_fully_connected_s8"
CONNECTED = {"ek_fully_connected_s8", CLUSTERED}
DEPTHWISE = {"ek_depthwise_s8", "ek_depthwise3x3_s8"}
EXPECTED = {  # kernels that must be among those tried, by what a core has
    frozenset({"mve"}): {
        f"{s}_mve"
        for s in (
            *DENSE,
            *PACKED,
            *WINOGRAD,
            *DEPTHWISE,
            *CONNECTED,
            "ek_mean_s8",
            "ek_average_pool_s8",
            "ek_transpose_conv_s8",
            "ek_batch_matmul_s8",
            "ek_conv2d_s16",
            "ek_depthwise_s16",
            "ek_add_s16",
            "ek_pool_s16",
            "ek_fully_connected_s16",
        )
    },
    frozenset({"dsp"}): {f"{s}_dsp" for s in (*DENSE, "ek_fully_connected_s8", "ek_add_s8", "ek_average_pool_s8")}
    | {"ek_transpose_conv_s8_dsp", "ek_batch_matmul_s8_dsp", "ek_conv2d_s16_dsp"}
    | {"ek_fully_connected_s16_dsp", "ek_depthwise_s16_dsp", "ek_add_s16_dsp", "ek_pool_s16_dsp"}
    | {f"ek_{kind}depthwise3x3_s8_dsp" for kind in ("", "clustered_", "template_")}
    | {"ek_depthwise3x3_stride2_s8_dsp"},
    frozenset({"thumb1"}): {f"{s}_mul2" for s in (*DENSE, *PACKED, *WINOGRAD, CLUSTERED)},
    frozenset({"thumb2"}): {f"{s}_mul2" for s in (*DENSE, *PACKED, *WINOGRAD, CLUSTERED)},
    frozenset({"riscv"}): {"ek_depthwise3x3_s8", *(f"{s}_mul2" for s in DENSE)},
    frozenset({"vector"}): {f"{s}_vec" for s in (*DENSE, "ek_depthwise_s8", "ek_fully_connected_s8", "ek_add_s8")}
    | {f"{s}_vec" for s in (*PACKED, *WINOGRAD, "ek_clustered_fully_connected_s8", "ek_template_pixels_s8")}
    | {f"ek_clustered_{kind}_bytes_s8_vec" for kind in ("conv2d", "depthwise", "fully_connected")},
}
# Cores whose kernels and instructions are another's: Cortex-A53, M4, and M3, which has all that the kernels use of it.
ALIKE = {"cortex-a72", "cortex-m7", "cortex-m33-nodsp"}


def _boards() -> dict[str, frozenset[str]]:
    """A board for each core that EXPECTED has kernels for, one that qemu has if any, and what its kernels need."""
    found: dict[str, tuple[bool, str, frozenset[str]]] = {}
    for board in map(load_board, list_boards()):
        # Helium comes before the DSP and the Thumb-2 that such a core has too: its flash has no room for all three.
        has = [words for words in EXPECTED if words <= board.features]
        # The microbit, the only Cortex-M0, is too small; the M0+ has the same instructions. All inputs are there.
        roomy = board.ram_bytes is None or board.ram_bytes >= 128 * 1024
        if has and board.core.name not in ALIKE and board.emulators and roomy:
            found[board.core.name] = min(
                found.get(board.core.name, (True, "~", has[0])), (board.machine is None, board.name, has[0])
            )
    return {name: words for _, name, words in found.values()}


BOARDS = _boards()


Compiled = Callable[[frozenset[str]], list[matrix.Case]]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    @functools.cache
    def make(features: frozenset[str]) -> list[matrix.Case]:
        made = networks(features)
        assert {kernel.symbol for net in made for kernel in net.kernels.values()} >= EXPECTED[features]
        cases = []
        for net in made:
            folder, inputs = written(net, features, tmp_path_factory.mktemp("extensions") / "out"), net.samples()
            cases.append(matrix.Case(folder, inputs, matrix.expected_of(folder, inputs), ""))
        return cases

    return make


@pytest.mark.parametrize("board", BOARDS)
def test_every_case_on_the_core(compiled: Compiled, tmp_path: Path, board: str) -> None:
    """Each layer is an output, so that one run without a trace says of every layer what the reference says."""
    for i, case in enumerate(compiled(BOARDS[board])):
        try:
            image = build_image(case.folder, load_board(board), tmp_path / str(i))
            found = run_image(image, case.inputs, timeout_s=600.0, count=False).outputs
        except ToolError as error:
            if "install" in str(error):
                pytest.skip(f"{board}: {error}")
            raise
        assert matrix.wrong_kernels(case, found) == ""


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
    inputs += [constant_of(OPS["conv2d"], "requant", i, value) for i, value in enumerate(values, 1)]
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
