"""Weights expanded to 16 bits: what is accepted, at its bound, and the exactness of the transform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import host_kernels as host
import numpy as np
import pytest

from edgekc.compression.substitute import excess
from edgekc.format.pack import read
from edgekc.graph.ir import Array
from edgekc.graph.op import Case, View
from edgekc.ops import OPS
from edgekc.ops.kernels import winograd as wg
from edgekc.ops.packed import clustered as cl
from edgekc.ops.packed import template as tp

OP = OPS["clustered_conv2d"]
EXPANDED, WINOGRAD = "ek_clustered_conv2d_s8_dsp", "ek_clustered_winograd_s8_dsp"
MODEL = Path(__file__).resolve().parents[2] / "examples" / "models" / "resnet8_cifar10.ekc"


def case(centers: Array, indices: Array, x_fill: int = 127, shift: int = -12, bias: int = 0) -> Case:
    """A 3x3 layer on 6x6 pixels of the given indices (oc, 3, 3, ic)."""
    oc, ic = indices.shape[0], indices.shape[3]
    attrs = dict.fromkeys(OP.attrs, 1)
    attrs.update(pad_value=x_fill, out_zero=0, act_min=-128, act_max=127, rounding=1)
    x = np.full((1, 6, 6, ic), x_fill, np.int8)
    requant = np.full(oc, bias, np.int32), np.full(oc, 2**30 + 1, np.int32), np.full(oc, shift, np.int8)
    return Case("bound", attrs, (x, indices, centers.astype(np.int16)[None], *requant))


def accepted(c: Case) -> set[str]:
    view = host.view_of(OP, c, 1)
    return {k.symbol for k in OP.kernels if k.needs == {"dsp"} and k.accepts(view)}


@pytest.mark.parametrize("sign", [1, -1])
def test_nine_weights_of_one_sign_at_the_bound(sign: int) -> None:
    """The middle of the transform sums all nine; one more than fits leaves the layer to the other kernel."""
    indices = np.zeros((2, 3, 3, 4), np.uint8)
    indices[1] = 1
    fits = case(np.array([sign * wg.LARGEST, 5]), indices, shift=-20)
    assert accepted(fits) == {EXPANDED, WINOGRAD}
    assert WINOGRAD in host.check(OP, fits)
    over = case(np.array([sign * (wg.LARGEST + 1), 5]), indices, shift=-20)
    assert accepted(over) == {EXPANDED}
    assert WINOGRAD not in host.check(OP, over)


def test_a_corner_at_the_bound() -> None:
    """A corner alone is multiplied by four: 8191 fits, 8192 does not."""
    indices = np.zeros((1, 3, 3, 4), np.uint8)
    indices[0, 0, 0, 0] = 1
    for corner, fits in ((8191, True), (8192, False), (-8192, True), (-8193, False)):
        c = case(np.array([0, corner]), indices)
        assert (WINOGRAD in accepted(c)) is fits
        assert (WINOGRAD in host.check(OP, c)) is fits


def test_an_accumulator_at_the_bound() -> None:
    """Four times the accumulator must fit 32 bits: the bias brings the proved bound to 2^29 - 1, and then to 2^29."""
    indices = np.zeros((1, 3, 3, 4), np.uint8)
    indices[0, 0, 0, 0] = 1
    used = 128 * wg.LARGEST * 36
    for bound, fits in ((2**29 - 1, True), (2**29, False)):
        for sign in (1, -1):
            centers = np.array([sign * wg.LARGEST, sign * wg.LARGEST])
            c = case(centers, indices, -128 if sign < 0 else 127, shift=-20, bias=bound - used)
            assert (WINOGRAD in accepted(c)) is fits
            assert (WINOGRAD in host.check(OP, c)) is fits


def test_the_transform_is_four_times_the_accumulator() -> None:
    """Against the plain sum, in numpy, for random weights and the largest inputs."""
    rng = np.random.default_rng(0)
    w, d = rng.integers(-3640, 3641, (1, 3, 3, 5)), rng.choice([-128, 127], (4, 4, 5)).astype(np.int64)
    b = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    a = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
    m = (wg.transform(w)[0] * np.einsum("ia,jb,abc->ijc", b, b, d)).sum(-1)
    plain = [[(w[0] * d[y : y + 3, x : x + 3]).sum() for x in (0, 1)] for y in (0, 1)]
    assert (a @ m @ a.T == 4 * np.array(plain)).all()


def test_the_packed_image_model_can_be_expanded() -> None:
    packed = read(MODEL.read_bytes(), MODEL.name).graph
    for node in packed.nodes:
        if node.op.startswith(("template", "clustered_conv")):
            view = View(node, tuple(packed.of(node.inputs)), tuple(packed.of(node.outputs)))
            w = (tp if node.op.startswith("template") else cl).dense(view).inputs[1].value
            assert excess(replace(node, op="conv2d"), w).max() <= 1, node.name
