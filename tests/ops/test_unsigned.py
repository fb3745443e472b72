"""uint8 models of older TensorFlow: operators and whole networks equal LiteRT's uint8 kernels, bit for bit."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import oracle
import pytest
from importing import import_tflite
from lowered import lowered_reference
from lowering_cases import _shape, _with_rounding

import edgekc
from edgekc.emulate import imported
from edgekc.fuzzing import layers, moves, spatial
from edgekc.fuzzing.layers import Builder, Layer
from edgekc.fuzzing.nets import random_samples
from edgekc.fuzzing.unsigned import as_unsigned, asymmetric, to_signed, to_unsigned, unsigned_net
from edgekc.fuzzing.values import fill, tensor
from edgekc.graph.ir import Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import LOWER

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())

LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "conv2d": (layers.conv2d, (4,)),
    "grouped_conv2d": (layers.grouped_conv2d, (4,)),
    "depthwise": (layers.depthwise, (4,)),
    "fully_connected": (layers.fully_connected, (2, 3)),
    "transpose_conv": (spatial.transpose_conv, (4,)),
    "average_pool": (layers.pool, (4,)),
    "max_pool": (layers.pool, (4,)),
    "add": (moves.binary, (4, 3, 2)),
    "mul": (moves.binary, (4, 3, 2)),
    "mean": (moves.mean, (4, 3)),
    "softmax": (moves.softmax, (2, 3, 4)),
    "pad": (moves.pad, (4, 3, 2)),
    "concat": (moves.concat, (4, 3)),
    "relu": (moves.relu, (4, 2)),
    "logistic": (moves.logistic, (4, 2)),
    "tanh": (moves.tanh, (4, 2)),
    "resize_bilinear": (spatial.resize_bilinear, (4,)),
    "l2_normalize": (spatial.l2_normalize, (4, 3, 2)),
}


@pytest.mark.parametrize("op", LAYERS)
def test_an_operator(op: str) -> None:
    layer, ranks = LAYERS[op]
    compared = 0
    for i in range(40):
        rng = np.random.default_rng([i, *op.encode(), 8])
        b = Builder(rng, extreme=i % 2 == 1 and op != "fully_connected")
        b.live = [tensor(name, _shape(rng, ranks[i % len(ranks)]), b.quant()) for name in "xy"]
        layer(b, b.live[0])
        for view in b.views[-1:]:
            if view.node.op != op:
                continue
            view = _with_rounding(asymmetric(view, int(rng.choice([0, -128, 127, rng.integers(-128, 128)]))))
            free = {t.name: t for t in view.inputs if t.data is None}
            for k in (i, 3, 5):  # random or special, all lowest, all highest
                values = {name: fill(rng, t.shape, k) for name, t in free.items()}
                try:
                    want = oracle.run(as_unsigned(view), list(map(to_unsigned, values.values())))[0]
                    got = lowered_reference(view, values)
                except (edgekc.UnsupportedError, RuntimeError):  # LiteRT refuses a bias that does not fit the output
                    continue
                np.testing.assert_array_equal(got, to_signed(want), err_msg=f"{op} {i} {k}")
                compared += 1
    assert compared >= 20


@pytest.mark.parametrize("op", ["conv2d", "transpose_conv", "fully_connected"])
def test_sums_that_end_half_way(op: str) -> None:
    """Short sums and coarse ratios: every second output is at a half, and each kernel rounds it in its own way."""
    rng = np.random.default_rng(0)
    for ratio in (0.25, 0.5, 0.3125, 0.1, 0.0390625, 0.7):
        for zero_point in (0, -128, 37):
            ic, oc, rows = int(rng.integers(1, 5)), 16, 500
            x_scale, w_scale = (float(np.float32(s)) for s in np.exp(rng.uniform(-6, 0, 2)))
            y_scale = float(np.float32(x_scale * w_scale / ratio))
            window = () if op == "fully_connected" else (1, 1)
            x = Tensor("x", (1, rows, 1, ic) if window else (rows, ic), "int8", Quant((x_scale,), (int(rng.integers(-128, 128)),)))  # fmt: skip  # noqa: E501
            y = Tensor("y", (*x.shape[:-1], oc), "int8", Quant((y_scale,), (int(rng.integers(-128, 128)),)))
            weights = rng.integers(-128, 128, (oc, *window, ic)).astype(np.int8)
            bias = rng.integers(-2000, 2000, oc).astype(np.int32)
            constants = (
                constant("w", weights, Role.WEIGHTS, Quant((w_scale,), (0,))),
                constant("b", bias, Role.BIAS, Quant((1.0,), (0,))),
            )
            attrs = {f"{what}_{axis}": 1 for what in ("stride", "dilation") for axis in "hw"} if window else {}
            attrs |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")} if window else {}
            node = Node(op, "y", ("x", "w", "b"), ("y",), {**attrs, "activation": "none"})
            view = _with_rounding(asymmetric(View(node, (x, *constants), (y,)), zero_point))
            values = {"x": rng.integers(-128, 128, x.shape).astype(np.int8)}
            want = oracle.run(as_unsigned(view), [to_unsigned(values["x"])])[0]
            np.testing.assert_array_equal(lowered_reference(view, values), to_signed(want))
            if window:  # the importer says of each such layer that it is one of uint8
                program = imported.prepare(import_tflite(oracle.model(as_unsigned(view)), "net", "net.tflite"))
                np.testing.assert_array_equal(imported.outputs(program, [to_unsigned(values["x"])])[0], want)


def test_what_a_zero_point_costs() -> None:
    """Nothing where it is that of int8, or where all weights less it fit int8; else one byte a weight, as before."""
    rng = np.random.default_rng(3)
    b = Builder(rng, extreme=False)
    b.live = [tensor("x", (1, 5, 5, 4), b.quant())]
    while not b.views or b.views[-1].node.op != "conv2d":
        layers.conv2d(b, b.live[0])
    view = b.views[-1]
    small = constant("w", np.clip(view.weights.value, 20, 60), Role.WEIGHTS, view.weights.quant)
    wide = constant("w", np.resize([-128, 127], small.shape).astype(np.int8), Role.WEIGHTS, small.quant)
    rows = ((wide, 0, "conv2d"), (small, 40, "conv2d"), (wide, 1, "clustered_conv2d"))
    for weights, zero_point, becomes in rows:
        inputs = (view.x, weights, *view.inputs[2:])
        lowered = LOWER["conv2d"](asymmetric(View(view.node, inputs, view.outputs), zero_point))
        assert lowered.op == becomes
        assert lowered.constants[0].nbytes == weights.nbytes


def test_a_concatenation_of_several_scales() -> None:
    for i in range(40):
        rng = np.random.default_rng([i, 9])

        def some() -> Quant:
            return Quant((float(np.float32(np.exp(rng.uniform(-5, 3)))),), (int(rng.integers(-128, 128)),))  # noqa: B023

        inputs = [
            Tensor(f"x{k}", (1, 3, 4, int(rng.integers(1, 9))), "int8", some()) for k in range(rng.integers(1, 4))
        ]
        ratio = float(rng.choice([1, 2, 0.5, 0.4, 3.0, rng.uniform(0.2, 4)]))  # many halves
        out = Quant((float(np.float32(inputs[0].q.scale * ratio)),), (int(rng.integers(-128, 128)),))
        inputs.append(inputs[0])
        y = Tensor("y", (1, 3, 4, sum(t.shape[3] for t in inputs)), "int8", out if i % 3 else inputs[0].q)
        node = Node("concat", "y", tuple(t.name for t in inputs), ("y",), {"axis": 3, "activation": "none"})
        data = oracle.model(as_unsigned(View(node, tuple(inputs), (y,))))
        values = [rng.integers(0, 256, t.shape).astype(np.uint8) for t in inputs[:-1]]
        got = imported.outputs(imported.prepare(import_tflite(data, "net", "net.tflite")), values)
        np.testing.assert_array_equal(got[0], oracle.interpret(data, values)[0], err_msg=str(i))


def _held_against_litert(op: str, attrs: dict[str, int], x: Tensor, y: Tensor, values: np.ndarray) -> None:
    view = View(Node(op, "y", ("x",), ("y",), {**attrs, "unsigned": 1}), (x,), (y,))
    want = oracle.run(as_unsigned(view), [to_unsigned(values)])[0]
    note = f"{x.shape} {y.shape} {attrs}"
    np.testing.assert_array_equal(lowered_reference(view, {"x": values}), to_signed(want), err_msg=note)


def test_resized_to_any_size() -> None:
    """Sixths, tenths and twelfths, of which many sums are at a half; the largest and smallest steps that are taken."""
    sizes = (
        *(((2, 3), (12, 18)), ((3, 4), (30, 48)), ((5, 7), (12, 84)), ((10, 6), (4, 5)), ((1, 1), (65, 129))),
        *(((2, 1), (120, 40)), ((33, 3), (7, 190)), ((700, 2), (1900, 3)), ((3000, 4), (2, 2)), ((9, 9), (129, 129))),
    )
    rng = np.random.default_rng(0)
    for size, out in sizes:
        for align, half in ((0, 0), (1, 0), (0, 1)):
            x = tensor(
                "x", (1, *size, 3), Quant((float(np.float32(rng.uniform(1e-6, 1e3))),), (int(rng.integers(-128, 128)),))
            )
            attrs = dict(align_corners=align, half_pixel_centers=half)
            for k in (0, 3, 5):
                _held_against_litert("resize_bilinear", attrs, x, tensor("y", (1, *out, 3), x.q), fill(rng, x.shape, k))


def test_lengths_of_any_vectors() -> None:
    """Long ones, those of nothing but the zero point, and those next to it, where a level is a large part of them."""
    rng = np.random.default_rng(0)
    for depth in (1, 2, 7, 300, 33025):
        for zero in (-128, -1, 0, 93, 127):
            x, y = (
                tensor("x", (1, 3, depth), Quant((0.5,), (zero,))),
                tensor("y", (1, 3, depth), Quant((1 / 128,), (0,))),
            )
            for away in (0, 1, 3, 255):
                values = np.clip(zero + rng.integers(-away, away + 1, x.shape), -128, 127).astype(np.int8)
                _held_against_litert("l2_normalize", {}, x, y, values)


def test_networks() -> None:
    """Whole files: inputs and outputs are uint8, as their users have them."""
    found = Counter[str]()
    for seed in range(60):
        net = unsigned_net(seed)
        data, samples = net.model(), random_samples(net, 4)
        try:
            want = [oracle.interpret(data, sample) for sample in samples]
            program = imported.prepare(import_tflite(data, "net", "net.tflite"))
        except (edgekc.UnsupportedError, RuntimeError) as error:
            found[type(error).__name__] += 1
            continue
        for sample, outputs in zip(samples, want, strict=True):
            for ours, theirs in zip(imported.outputs(program, sample), outputs, strict=True):
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs, err_msg=f"seed {seed}")
        found["right"] += 1
    assert found["right"] >= 25, found


def test_each_layer_by_itself() -> None:
    """Of networks some layers are not seen at the outputs, and some files are refused as a whole."""
    rng, right = np.random.default_rng(0), set[str]()
    for view in (view for seed in range(60) for view in unsigned_net(seed).views):
        free = [t for t in view.inputs if t.data is None]
        if any(t.dtype != "uint8" for t in (*free, *view.outputs)):
            continue
        data = oracle.model(view)
        samples = [rng.integers(0, 256, t.shape).astype(np.uint8) for t in {t.name: t for t in free}.values()]
        try:
            want = oracle.interpret(data, samples)
            program = imported.prepare(import_tflite(data, "net", "net.tflite"))
        except (edgekc.UnsupportedError, RuntimeError):
            continue
        for ours, theirs in zip(imported.outputs(program, samples), want, strict=True):
            np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs, err_msg=view.node.op)
        right.add(view.node.op)
    assert len(right) > 35, sorted(right)


def test_a_compiled_network(tmp_path: Path) -> None:
    """Through C, with the file's own edges; `verify` asks LiteRT."""
    path = tmp_path / "net.tflite"
    for net in map(unsigned_net, range(99)):
        ops, types = {view.node.op for view in net.views}, {edge.dtype for edge in net.inputs}
        # LiteRT 2.3 has no products of activations in uint8.
        if {"conv2d", "average_pool"} <= ops and "batch_matmul" not in ops and types == {"uint8"}:
            break
    path.write_bytes(net.model())
    program = edgekc.compile(path)
    assert {edge["dtype"] for edge in program.manifest["inputs"]} == {"uint8"}
    verified = program.verify(samples=4, device=False)
    assert any("LiteRT" in oracle for oracle in verified.to_dict()["oracles"])
    assert verified.ok
