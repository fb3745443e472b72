"""Kernels for a core's extensions on an emulated core: every case with dense weights, as layers of one network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekc.board import list_boards, load_board
from edgekc.emulate.compare import compare
from edgekc.errors import ToolError
from edgekc.generate import generate
from edgekc.ir import Array, Graph, Node, Quant, Stage, Tensor, constant
from edgekc.op import OPERAND_ROLES, Op, View
from edgekc.ops import OPS
from edgekc.output import read_manifest, write_folder
from edgekc.pack import pack, read
from edgekc.plan import choose_kernel, plan

DSP, MVE = frozenset({"dsp"}), frozenset({"dsp", "mve"})
SYMBOLS = {  # that the networks must hold
    DSP: {"ek_conv2d_s8_dsp", "ek_conv1x1_s8_dsp", "ek_depthwise3x3_s8_dsp", "ek_fully_connected_s8_dsp"},
    MVE: {"ek_conv2d_s8_mve", "ek_conv1x1_s8_mve", "ek_depthwise_s8_mve", "ek_fully_connected_s8_mve"},
}
ACTIVATION = Quant((0.5,), (0,))


def network(features: frozenset[str]) -> tuple[Graph, bytes, set[str]]:
    """A layer for each case that a kernel for the extension accepts, each with an input and an output of its own.

    Also the bytes of the cases' inputs, and the symbols of the kernels that the layers should get.
    """
    tensors: dict[str, Tensor] = {}
    nodes: list[Node] = []
    values: list[Array] = []
    symbols = set()
    for op in (op for op in OPS.values() if "weights" in op.operands):
        for case in op.cases(np.random.default_rng(2)):
            if case.inputs[0].shape[0] != 1:  # one sample
                continue
            name = f"{op.name}_{case.name}".replace("-", "_")
            inputs = [Tensor(f"{name}_in", case.inputs[0].shape, "int8", ACTIVATION)]
            inputs += [_constant(op, name, i, case.inputs[i]) for i in range(1, len(case.inputs))]
            result = op.reference(case.attrs, list(case.inputs))[0]
            out = Tensor(name, result.shape, "int8", ACTIVATION)
            node = Node(op.name, name, tuple(t.name for t in inputs), (name,), case.attrs)
            kernel = choose_kernel(View(node, tuple(inputs), (out,)), features)
            if kernel.needs:
                tensors.update({t.name: t for t in (*inputs, out)})
                nodes.append(node)
                values.append(case.inputs[0])
                symbols.add(kernel.symbol)
    names = tuple(f"{n.name}_in" for n in nodes), tuple(n.name for n in nodes)
    graph = Graph("net", Stage.INTEGER, tensors, tuple(nodes), *names, {"tool": "test"})
    return graph, b"".join(v.tobytes() for v in values), symbols


def _constant(op: Op, name: str, position: int, value: Array) -> Tensor:
    operand = op.operands[position]
    return constant(f"{name}_{operand}", value, OPERAND_ROLES[operand])


BOARDS = [
    pytest.param(features, name, id=f"{name}-{'-'.join(sorted(features))}")
    for features in SYMBOLS
    for name in list_boards()
    if load_board(name).features >= features
]


@pytest.fixture(scope="module")
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    features = request.param
    graph, inputs, symbols = network(features)
    assert symbols >= SYMBOLS[features]
    data = pack(graph)
    packed = read(data, "net.ekc")
    folder = tmp_path_factory.mktemp("extensions") / "out"
    write_folder(generate(plan(packed.graph, features), packed, data, "net", "test"), folder)
    assert {layer["kernel"] for layer in read_manifest(folder)["layers"]} == symbols
    return folder, inputs


@pytest.mark.parametrize(("compiled", "board"), BOARDS, indirect=["compiled"])
def test_every_case_on_the_core(compiled: tuple[Path, bytes], board: str) -> None:
    """Reference, host and device agree, layer by layer."""
    folder, inputs = compiled
    try:
        assert compare(folder, load_board(board), inputs).samples == 1
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(f"{board}: {error}")
        raise
