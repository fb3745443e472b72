"""16x8 files: int16 activations, int8 weights, int64 biases; whole networks against LiteRT, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest

import edgekc
from edgekc.errors import EdgekcError, UnsupportedError
from edgekc.fuzzing import wide
from edgekc.fuzzing.values import Rng, f32
from edgekc.graph.ir import AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def _wide(name: str, shape: tuple[int, ...], scale: float, zero: int = 0) -> Tensor:
    return Tensor(name, shape, "int16", Quant((f32(scale),), (zero,)))


def _layer(rng: Rng, x: Tensor, units: int, activation: str, bias: str = "int64") -> View:
    name, ic = f"{x.name}y", x.shape[-1]
    w = rng.integers(-127, 128, (units, ic)).astype(np.int8)
    scales = tuple(f32(s) for s in rng.uniform(0.5, 1.5, units) / (100 * np.sqrt(ic)))
    values = rng.integers(-(2**20), 2**20, units).astype(bias)
    q = Quant(tuple(f32(x.q.scale * s) for s in scales), (0,) * units)
    inputs = (
        x,
        constant(f"{name}/w", w, Role.WEIGHTS, Quant(scales, (0,) * units)),
        constant(f"{name}/b", values, Role.BIAS, q),
    )
    out = _wide(name, (1, units), x.q.scale * rng.uniform(0.3, 1.5))
    node = Node("fully_connected", name, tuple(t.name for t in inputs), (name,), {"activation": activation})
    return View(node, inputs, (out,))


SEEDS = [*range(3), 25, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(40, 80))]


@pytest.mark.parametrize("seed", SEEDS)
def test_networks_equal_litert(seed: int, tmp_path: Path) -> None:
    """The compiled C on the host gives LiteRT's bytes; buffers count two bytes a value."""
    net = wide.wide_net(seed)
    (tmp_path / "net.tflite").write_bytes(net.model())
    program = edgekc.compile(tmp_path / "net.tflite")
    x = wide.samples(net.inputs[0].shape, seed)
    expected = [oracle.interpret(net.model(), [sample[None]]) for sample in x]
    got = program.run(x)
    for i, y in enumerate(got if isinstance(got, tuple | list) else [got]):
        assert y.dtype == np.int16
        np.testing.assert_array_equal(y.ravel(), np.concatenate([row[i].ravel() for row in expected]))
    (edge,) = program.manifest["inputs"]
    assert (edge["dtype"], edge["bytes"]) == ("int16", 2 * np.prod(net.inputs[0].shape))


@pytest.mark.parametrize("seed", [166, pytest.param(103, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("board", "family"), [("mps2-an386", "dsp"), ("mps3-an547", "mve")])
def test_kernels_of_boards_equal_litert(board: str, family: str, seed: int, tmp_path: Path) -> None:
    """Those for the DSP extension and for Helium, emulated on the host."""
    net = wide.wide_net(seed)
    (tmp_path / "net.tflite").write_bytes(net.model())
    x = wide.samples(net.inputs[0].shape, seed)
    expected = [oracle.interpret(net.model(), [sample[None]])[0].ravel() for sample in x]
    program = edgekc.compile(tmp_path / "net.tflite", board=board)
    kernels = {layer["kernel"] for layer in program.manifest["layers"]}
    reached = ("conv2d", "depthwise", "pool", "add" if seed == 166 else "fully_connected")
    assert kernels >= {f"ek_{what}_s16_{family}" for what in reached}
    got = program.run(x)
    first = got[0] if isinstance(got, tuple | list) else got
    np.testing.assert_array_equal(first.ravel(), np.concatenate(expected))


@pytest.mark.parametrize(
    ("bias", "zero", "said"),
    [("int32", 0, "has type int32; supported: int64"), ("int64", 3, "int16 with a zero point")],
)
def test_what_is_refused(bias: str, zero: int, said: str, tmp_path: Path) -> None:
    layer = _layer(np.random.default_rng(0), _wide("x", (1, 4), 0.01, zero), 3, "none", bias)
    (tmp_path / "net.tflite").write_bytes(oracle.network([layer], ["x"], [layer.out.name]))
    with pytest.raises(EdgekcError, match=said):
        edgekc.compile(tmp_path / "net.tflite")


def test_what_is_compressed_becomes_int8(tmp_path: Path) -> None:
    layer = _layer(np.random.default_rng(0), _wide("x", (1, 4), 0.01), 3, "none")
    (tmp_path / "net.tflite").write_bytes(oracle.network([layer], ["x"], [layer.out.name]))
    with pytest.raises(EdgekcError, match=r"already, to int16; .* takes it as it is; .* which becomes one of int8"):
        edgekc.compress(tmp_path / "net.tflite")


def _deep(kind: str, seed: int, most: int) -> View:
    """A layer with biases around what 32 bits hold and up to 2**most, most of which leave the output in its range."""
    rng = np.random.default_rng(seed)
    x = _wide("x", (1, 9) if kind == "fully_connected" else (1, 4, 5, 3), 0.01)
    units, ic = (3 if kind == "depthwise" else 11), x.shape[-1]
    shape = {"fully_connected": (units, ic), "depthwise": (1, 3, 3, units)}.get(kind, (units, 3, 2, ic))
    near = rng.choice([-1, 1], units) * 2**31 + rng.integers(-3, 4, units)
    far = rng.choice([-1, 1], units) * np.exp2(rng.uniform(31, most, units)).astype(np.int64)
    bias = np.where(rng.random(units) < 0.4, near, far)
    bias[:2] = rng.integers(-9999, 9999), 2**31
    levels = rng.uniform(0.1, 1.2, units) * 2**15  # of the output that a bias alone gives: beyond 1, the ends
    levels[1] = 2**14
    image = (8, 10) if kind == "transpose_conv" else (4, 5)
    y = _wide("y", (1, units) if kind == "fully_connected" else (1, *image, units), 0.02)
    scales = tuple(map(f32, levels * y.q.scale / (x.q.scale * np.maximum(np.abs(bias), 2**28))))
    axis = 3 if kind == "depthwise" else 0
    w = constant("w", rng.integers(-127, 128, shape).astype(np.int8), Role.WEIGHTS, Quant(scales, (0,) * units, axis))
    b = constant("b", bias, Role.BIAS, Quant(tuple(f32(x.q.scale * s) for s in scales), (0,) * units))
    attrs: dict[str, AttrValue] = {"activation": ("none", "relu")[seed % 2]}
    if kind == "transpose_conv":
        attrs |= dict(stride_h=2, stride_w=2, pad_top=0, pad_left=0)
    elif kind != "fully_connected":
        attrs |= dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
        attrs |= dict(pad_top=1, pad_bottom=1, pad_left=int(kind == "depthwise"), pad_right=1)
    return View(Node(kind, "y", ("x", "w", "b"), ("y",), attrs), (x, w, b), (y,))


DEEP = [("conv2d", 46.9), ("depthwise", 46.9), ("transpose_conv", 46.9), ("fully_connected", 39.9)]


@pytest.mark.parametrize(("kind", "most"), DEEP)
def test_biases_beyond_32_bits_equal_litert(kind: str, most: float) -> None:
    for seed in range(8):
        layer = _deep(kind, seed, most)
        lowered = LOWER[kind](layer)
        words = [t.value.ndim for t in lowered.constants if t.role is Role.BIAS]
        (x,) = wide.samples(layer.x.shape, seed)[:1]
        expected = oracle.run(layer, [x[None]])[0]
        got = OPS[lowered.op].reference(lowered.attrs, [x[None], *(t.value for t in lowered.constants)])[0]
        np.testing.assert_array_equal(got, expected)
        assert words == [2] and len(np.unique(expected)) > 2


@pytest.mark.parametrize(
    ("kind", "most"), [*(pytest.param(*each, marks=pytest.mark.slow) for each in DEEP[:3]), DEEP[3]]
)
def test_kernels_of_biases_beyond_32_bits(kind: str, most: float, tmp_path: Path) -> None:
    layer = _deep(kind, 2, most)
    data = oracle.network([layer], ["x"], ["y"])
    (tmp_path / "net.tflite").write_bytes(data)
    samples = wide.samples(layer.x.shape, 2)
    expected = np.concatenate([oracle.interpret(data, [sample[None]])[0] for sample in samples])
    program = edgekc.compile(tmp_path / "net.tflite", board="mps3-an547")
    symbol = f"ek_{'conv2d' if kind == 'depthwise' else kind}_s16_deep"
    assert [layer["kernel"] for layer in program.manifest["layers"]] == [symbol]
    np.testing.assert_array_equal(program.run(samples), expected)


@pytest.mark.parametrize(("kind", "bits"), [("fully_connected", 41), ("conv2d", 48), ("transpose_conv", 48)])
def test_biases_for_which_kernels_have_no_room(kind: str, bits: int) -> None:
    """Where the sum of products moves the output by a level, which is half way without it."""
    layer = _deep(kind, 0, 32)
    x, w, b = layer.inputs
    values, scales = np.zeros(11, np.int64), list(w.q.scales)
    values[4], scales[4] = 2 ** (bits - 1), f32(1000.5 * 2.0 ** (1 - bits) * layer.out.q.scale / x.q.scale)
    w, b = replace(w, quant=Quant(tuple(scales), (0,) * 11)), replace(b, data=values)
    layer = replace(layer, inputs=(x, w, b))
    with pytest.raises(UnsupportedError, match=f"bias of channel 4 is {2 ** (bits - 1)}, which leaves {bits} bits"):
        LOWER[kind](layer)


def test_channels_of_one_level_may_have_any_bias(tmp_path: Path) -> None:
    """Filters of zeros, which have the smallest scales, and one that never leaves the activation's bound."""
    x, name = _wide("x", (1, 3, 4, 2), 0.01), "y"
    w = np.array([[3, -5], [0, 0], [0, 0], [100, 7]], np.int8).reshape(4, 1, 1, 2)
    scales = tuple(map(f32, (1e-5, 3e-9, 7e-9, 0.02)))
    bias = np.array([77, 3 * 2**35 + 1, -(2**37) - 5, -(2**36)])
    inputs = (
        x,
        constant("w", w, Role.WEIGHTS, Quant(scales, (0,) * 4)),
        constant("b", bias, Role.BIAS, Quant(tuple(f32(0.01 * s) for s in scales), (0,) * 4)),
    )
    window = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1)
    attrs = {**window, **dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0), "activation": "relu"}
    view = View(Node("conv2d", name, ("x", "w", "b"), (name,), attrs), inputs, (_wide(name, (1, 3, 4, 4), 0.02),))
    data = oracle.network([view], ["x"], [name])
    (tmp_path / "net.tflite").write_bytes(data)
    samples = wide.samples(x.shape, 0)
    expected = np.concatenate([oracle.interpret(data, [sample[None]])[0] for sample in samples])
    assert expected[..., 1].min() == expected[..., 1].max() > 0
    np.testing.assert_array_equal(edgekc.compile(tmp_path / "net.tflite").run(samples), expected)


def _sum(scales: tuple[float, float, float]) -> View:
    shape = (1, 2, 3)
    a, b, y = (_wide(name, shape, scale) for name, scale in zip("aby", scales, strict=True))
    return View(Node("add", "y", ("a", "b"), ("y",), {"activation": "none"}), (a, b), (y,))


def test_sums_that_litert_shifts_are_refused(tmp_path: Path) -> None:
    """Where the option pot_scale_int16 is set, as by default, and all scales are powers of two."""
    data = oracle.network([_sum((2.0**-9, 2.0**-10, 2.0**-9))], ["a", "b"], ["y"])
    (tmp_path / "net.tflite").write_bytes(data)
    with pytest.raises(EdgekcError, match="scales are powers of two, which LiteRT shifts"):
        edgekc.compile(tmp_path / "net.tflite")
    (tmp_path / "other.tflite").write_bytes(oracle.network([_sum((2.0**-9, 2.0**-10, 0.003))], ["a", "b"], ["y"]))
    edgekc.compile(tmp_path / "other.tflite")
