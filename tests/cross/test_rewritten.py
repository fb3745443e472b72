"""Constants as their kernels read them: in the model's place, or beside it where two layers want two forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekc.emulate import host, reference
from edgekc.files.output import write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.rewritten import copies, rewritten
from edgekc.generate.sources import generate
from edgekc.graph.fixedpoint import DOUBLE
from edgekc.graph.ir import Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.ops.kernels import columns

OC, TAPS = 5, 6
DSP = frozenset({"dsp"})


def two_layers(*clamps: int) -> Graph:
    """1x1 convolutions of one input with the same weights; with a clamp below 127 the kernel for DSP turns one down."""
    rng = np.random.default_rng(5)
    shared = (
        constant("w", rng.integers(-128, 128, (OC, 1, 1, TAPS)).astype(np.int8), Role.WEIGHTS),
        constant("bias", rng.integers(-999, 999, OC).astype(np.int32), Role.BIAS),
        constant("multiplier", np.full(OC, 2**30, np.int32), Role.REQUANT),
        constant("shift", np.full(OC, -8, np.int8), Role.REQUANT),
    )
    attrs = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right", "pad_value", "out_zero"), 0)
    x = Tensor("x", (1, 3, 3, TAPS), "int8", Quant((1.0,), (0,)))
    names = [f"y{i}" for i in range(len(clamps))]
    outs = [Tensor(name, (1, 3, 3, OC), "int8", Quant((1.0,), (0,))) for name in names]
    nodes = tuple(
        Node("conv2d", f"l{i}", ("x", *(t.name for t in shared)), (out.name,), attrs | limits)
        for i, (out, limits) in enumerate(
            (out, {"act_min": -128, "act_max": clamp, "rounding": DOUBLE})
            for out, clamp in zip(outs, clamps, strict=True)
        )
    )
    tensors = {t.name: t for t in (x, *shared, *outs)}
    return Graph("two", Stage.INTEGER, tensors, nodes, ("x",), tuple(names), {})


@pytest.mark.parametrize(("clamps", "beside"), [((127, 127), 0), ((127, 100), 1), ((100, 100), 0)])
def test_layers_that_share_weights(clamps: tuple[int, ...], beside: int, tmp_path: Path) -> None:
    data = pack(two_layers(*clamps))
    packed = read(data, "two.ekc")
    made = plan(packed.graph, DSP)
    assert sum(map(len, copies(made.steps))) == beside
    (offset, size), padded = packed.offsets["w"], data + bytes(-len(data) % 4)
    words, moved = rewritten(made.steps, packed, padded)
    assert moved == (clamps == (127, 127)) == (words != padded)
    assert words[:offset] + words[offset + size :] == padded[:offset] + padded[offset + size :]
    files = generate(made, packed, data, "two", "mps2-an386")
    assert files["two.ekc"] == data
    assert (b"two_laid_out[" in files["src/two_data.c"]) == bool(beside)
    write_folder(files, tmp_path / "two")
    program = host.build(tmp_path / "two")
    x = host.samples(program.manifest, 3)
    values = np.frombuffer(x, np.int8).reshape(3, 3, 3, TAPS)
    expected = reference.run(packed.graph, [values])
    outputs = np.frombuffer(host.run(program, x), np.int8).reshape(3, len(clamps), -1)
    for i, name in enumerate(packed.graph.outputs):
        np.testing.assert_array_equal(outputs[:, i], expected[name].reshape(3, -1))


@pytest.mark.parametrize("taps", range(4, 13))
def test_every_tap_has_one_place(taps: int) -> None:
    assert all(sorted(columns.order(n * taps, taps)) == list(range(n * taps)) for n in (1, 3))


def test_bytes_of_another_number_are_our_own_fault() -> None:
    packed = read(pack(two_layers(127, 127)), "two.ekc")
    step = plan(packed.graph, DSP).steps[0]
    short = replace(step.kernel, rewrites=lambda view: {"w": view.weights.value[:1]})
    with pytest.raises(AssertionError, match="6 bytes in the kernel's form, 30 in the format's"):
        rewritten([replace(step, kernel=short)], packed, b"")
