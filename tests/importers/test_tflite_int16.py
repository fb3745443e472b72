"""16x8 files: int16 activations, int8 weights, int64 biases; whole networks against LiteRT, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest
from random_models import Rng, f32

import edgekc
from edgekc.errors import EdgekcError
from edgekc.graph.ir import Array, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View

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


def _network(seed: int) -> tuple[bytes, tuple[int, ...]]:
    """An image, flattened, and a few layers."""
    rng = np.random.default_rng(seed)
    shape = (1, int(rng.integers(1, 6)), int(rng.integers(1, 6)), int(rng.integers(1, 12)))
    image = _wide("x", shape, 2.0**-12)
    flat = replace(image, name="f", shape=(1, int(np.prod(shape))))
    views = [View(Node("reshape", "f", ("x",), ("f",), {}), (image,), (flat,))]
    for _ in range(int(rng.integers(1, 5))):
        kind = str(rng.choice(["none", "relu", "relu6"]))
        views.append(_layer(rng, views[-1].out, int(rng.integers(1, 300)), kind))
    return oracle.network(views, ["x"], [views[-1].out.name]), shape


def _samples(rng: Rng, shape: tuple[int, ...]) -> Array:
    ends = [np.full(shape, level) for level in (-(2**15), 2**15 - 1)]
    return np.concatenate([*ends, rng.integers(-(2**15), 2**15, (6, *shape[1:]))]).astype(np.int16)


@pytest.mark.parametrize("seed", range(4))
def test_networks_equal_litert(seed: int, tmp_path: Path) -> None:
    """The compiled C on the host gives LiteRT's bytes; buffers count two bytes a value."""
    data, shape = _network(seed)
    (tmp_path / "net.tflite").write_bytes(data)
    program = edgekc.compile(tmp_path / "net.tflite")
    x = _samples(np.random.default_rng(seed), shape)
    expected = np.concatenate([oracle.interpret(data, [sample[None]])[0] for sample in x])
    got = program.run(x)
    assert got.dtype == np.int16
    np.testing.assert_array_equal(got, expected)
    (edge,) = program.manifest["inputs"]
    assert (edge["dtype"], edge["bytes"]) == ("int16", 2 * np.prod(shape))


@pytest.mark.parametrize(
    ("bias", "zero", "said"),
    [("int32", 0, "has type int32; supported: int64"), ("int64", 3, "int16 with a zero point")],
)
def test_what_is_refused(bias: str, zero: int, said: str, tmp_path: Path) -> None:
    layer = _layer(np.random.default_rng(0), _wide("x", (1, 4), 0.01, zero), 3, "none", bias)
    (tmp_path / "net.tflite").write_bytes(oracle.network([layer], ["x"], [layer.out.name]))
    with pytest.raises(EdgekcError, match=said):
        edgekc.compile(tmp_path / "net.tflite")


def test_a_bias_beyond_32_bits_is_refused(tmp_path: Path) -> None:
    layer = _layer(np.random.default_rng(0), _wide("x", (1, 4), 0.01), 3, "none")
    bias = constant("b", np.array([0, 2**31, 0], np.int64), Role.BIAS, layer.inputs[2].quant)
    layer = replace(layer, inputs=(*layer.inputs[:2], bias))
    (tmp_path / "net.tflite").write_bytes(oracle.network([layer], ["x"], [layer.out.name]))
    with pytest.raises(EdgekcError, match="bias of channel 1 is 2147483648, which leaves 32 bits"):
        edgekc.compile(tmp_path / "net.tflite")
