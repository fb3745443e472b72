"""Every kernel for packed convolutions on an emulated Cortex-M4 against the numpy definition."""

from __future__ import annotations

from pathlib import Path

import kernel_costs as costs
import numpy as np
import pytest

from edgekc.boards.board import load_board
from edgekc.emulate.device import run_image
from edgekc.errors import ToolError
from edgekc.files.output import write_folder
from edgekc.firmware.build import build_image
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Graph, Node, Stage, Tensor
from edgekc.graph.op import Kernel, View, int_attrs
from edgekc.ops import OPS

SHAPES = (
    costs.Shape("template_pairs_conv2d", (7, 9, 12), 5, 3, 1, (3, 5)),
    costs.Shape("template_conv2d", (6, 6, 8), 4, 3, 1, (3, 0)),
    costs.Shape("clustered_conv2d", (19, 17, 8), 7, 3, 1, (3, 0)),
    costs.Shape("clustered_conv2d", (9, 9, 20), 6, 3, 1, (6, 0)),
)


def test_every_kernel_gives_the_definition_s_bytes(tmp_path: Path) -> None:
    board, rng = load_board(costs.BOARDS["dsp"]), np.random.default_rng(4)
    nodes: list[Node] = []
    tensors: dict[str, Tensor] = {}
    kernels: dict[str, Kernel] = {}
    inputs, expected = [], {}
    for i, shape in enumerate(SHAPES):
        for j, kernel in enumerate(OPS[shape.op].kernels):
            node, parts = costs.layer(shape, f"l{i}_{j}")
            if not kernel.needs <= board.features or not kernel.accepts(View(node, tuple(parts[:-1]), (parts[-1],))):
                continue
            x = rng.integers(-128, 128, parts[0].shape).astype(np.int8)
            constants = [t.value for t in parts[1:-1]]
            nodes.append(node)
            tensors.update({t.name: t for t in parts})
            kernels[node.name] = kernel
            inputs.append(x.tobytes())
            expected[node.name] = OPS[shape.op].reference(int_attrs(node), [x, *constants])[0].tobytes()
    names = tuple(f"{n.name}_x" for n in nodes), tuple(f"{n.name}_y" for n in nodes)
    data = pack(Graph("net", Stage.INTEGER, tensors, tuple(nodes), *names, {}))
    packed = read(data, "net.ekc")
    made = plan(packed.graph, board.features, lambda view, _: kernels[view.node.name])
    write_folder(generate(made, packed, data, "net", board.name), tmp_path / "out")
    try:
        image = build_image(tmp_path / "out", board, tmp_path / "image")
        outputs = run_image(image, b"".join(inputs), timeout_s=600, count=False).outputs
    except ToolError as error:
        if "install" in str(error):
            pytest.skip(str(error))
        raise
    wrong, offset = [], 0
    for name, want in expected.items():
        if outputs[offset : offset + len(want)] != want:
            wrong.append(f"{name} {kernels[name].symbol}")
        offset += len(want)
    assert not wrong
