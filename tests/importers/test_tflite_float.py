"""Float .tflite files: every import computes what TensorFlow Lite does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from importing import import_tflite, import_tflite_float

from edgekc.errors import EdgekcError, ModelError, UnsupportedError
from edgekc.fuzzing import file_operators
from edgekc.graph.ir import Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import View
from edgekc.ops import legal
from edgekc.quantize import float_reference

SHARED = Path(__file__).resolve().parents[3] / "shared"
CONVERTED = Path(__file__).resolve().parents[1] / "data" / "converter" / "refused"
pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "there")
FEW = settings(max_examples=60, deadline=None)


def check(data, samples, rtol=1e-4):
    """Import and compare with TensorFlow Lite on the samples, one array for each input."""
    graph = import_tflite_float(data, "net", "net.tflite")
    assert graph.stage is Stage.FLOAT
    legal.check(graph)
    assert all(t.dtype == "float32" and t.quant is None for t in graph.tensors.values())
    rows = [oracle.interpret(data, [x[k : k + 1] for x in samples]) for k in range(len(samples[0]))]
    for i, got in enumerate(float_reference.outputs(graph, samples)):
        want = np.concatenate([row[i] for row in rows])
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=rtol * max(float(np.abs(want).max()), 1e-3))
    return graph


def one(op, shape, out, constants=(), **attrs):
    """A float model of one operator; `constants`: its operands after the first."""
    rng = np.random.default_rng(0)
    operands = [Tensor("x", shape, "float32")]
    for i, c in enumerate(constants):
        value = rng.normal(0, 1, c).astype(np.float32) if isinstance(c, tuple) else c
        operands.append(constant(f"k{i}", value, Role.WEIGHTS))
    node = Node(op, op, tuple(t.name for t in operands), ("y",), attrs)
    return oracle.model(View(node, tuple(operands), (Tensor("y", out, "float32"),)))


@st.composite
def windows(draw):
    """Attributes of a window with SAME or VALID padding, and the sizes in front of it and behind."""
    attrs, size, out, kernel = {}, [], [], []
    same = draw(st.booleans())
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        k, s, d = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
        span = (k - 1) * d + 1
        n = draw(st.integers(1 if same else span, 9))
        count = -(-n // s) if same else (n - span) // s + 1
        total = max((count - 1) * s + span - n, 0) if same else 0
        attrs |= {f"stride_{axis}": s, f"dilation_{axis}": d, before: total // 2, after: total - total // 2}
        size.append(n)
        out.append(count)
        kernel.append(k)
    attrs["activation"] = draw(st.sampled_from(sorted(file_operators.ACTIVATION)))
    return attrs, size, out, kernel


@FEW
@given(windows(), st.sampled_from(("conv2d", "grouped_conv2d", "depthwise")), st.integers(1, 3), st.integers(1, 4))
def test_convolutions(window, kind, multiplier, reads):
    attrs, size, out, kernel = window
    groups = {"conv2d": 1, "grouped_conv2d": 2, "depthwise": reads}[kind]
    channels, oc = (reads if kind == "depthwise" else groups * reads), groups * multiplier
    weights = (1, *kernel, oc) if kind == "depthwise" else (oc, *kernel, reads)
    data = one(kind, (1, *size, channels), (1, *out, oc), [weights, (oc,)], **attrs)
    graph = check(data, [np.random.default_rng(1).normal(0, 1, (2, *size, channels)).astype(np.float32)])
    (node,) = graph.nodes
    assert (node.name, len(node.inputs)) == ("depthwise_conv_0" if kind == "depthwise" else "conv_0", 3)
    assert node.op == kind
    assert {k: node.attrs[k] for k in attrs} == attrs


@FEW
@given(windows(), st.sampled_from(("max_pool", "average_pool")))
def test_pools(window, kind):
    attrs, size, _, kernel = window
    attrs = {**attrs, "dilation_h": 1, "dilation_w": 1, "filter_h": kernel[0], "filter_w": kernel[1]}
    out = []
    padded = any(attrs[k] for k in ("pad_top", "pad_bottom", "pad_left", "pad_right"))
    for i, axis in enumerate("hw"):
        stride = attrs[f"stride_{axis}"]
        size[i] = max(size[i], kernel[i])
        out.append(-(-size[i] // stride) if padded else (size[i] - kernel[i]) // stride + 1)
    data = one(kind, (1, *size, 3), (1, *out, 3), **attrs)
    check(data, [np.random.default_rng(1).normal(0, 1, (2, *size, 3)).astype(np.float32)])


SIMPLE = {
    "fully-connected": dict(
        op="fully_connected", shape=(1, 7), out=(1, 4), constants=[(4, 7), (4,)], activation="relu"
    ),
    "no-bias": dict(op="fully_connected", shape=(1, 7), out=(1, 4), constants=[(4, 7)], activation="none"),
    "rows": dict(op="fully_connected", shape=(1, 2, 3), out=(1, 2, 4), constants=[(4, 3)], activation="none"),
    "add-constant": dict(op="add", shape=(1, 2, 3, 4), out=(1, 2, 3, 4), constants=[(4,)], activation="none"),
    "mul-plane": dict(op="mul", shape=(1, 2, 3, 4), out=(1, 2, 3, 4), constants=[(1, 2, 3, 1)], activation="relu6"),
    "mean": dict(op="mean", shape=(1, 4, 5, 3), out=(1, 3), axes="1,2", keep_dims=0),
    "softmax": dict(op="softmax", shape=(1, 9), out=(1, 9), beta=0.5),
    "logistic": dict(op="logistic", shape=(1, 9), out=(1, 9)),
    "tanh": dict(op="tanh", shape=(1, 9), out=(1, 9)),
    "relu6": dict(op="relu", shape=(1, 2, 2, 3), out=(1, 2, 2, 3), activation="relu6"),
    "reshape": dict(op="reshape", shape=(1, 2, 2, 3), out=(1, 12)),
    "pad": dict(op="pad", shape=(1, 2, 2, 3), out=(1, 4, 5, 3), pads="0,0,1,1,0,3,0,0"),
    **{f"power-{k}": dict(op="pow", shape=(1, 9), out=(1, 9), constants=[np.float32(k)]) for k in (*range(1, 9), -1)},
    "sign": dict(op="sign", shape=(1, 2, 4), out=(1, 2, 4)),
    **{
        f"running-sum-{axis}-{k}": dict(
            op="cumsum",
            shape=(1, 4, 3, 2),
            out=(1, 4, 3, 2),
            constants=[np.int32(axis)],
            exclusive=k % 2,
            reverse=k // 2,
        )
        for k, axis in enumerate((-1, 1, 2, 3))
    },
}


@pytest.mark.parametrize("case", SIMPLE)
def test_operators(case):
    data = one(**SIMPLE[case])
    x = np.random.default_rng(2).normal(0, 3, (3, *SIMPLE[case]["shape"][1:])).astype(np.float32)
    graph = check(data, [x])
    for node in graph.nodes:
        if node.op == "fully_connected":
            assert len(node.inputs) == 3


@pytest.mark.parametrize("model", ["ic", "kws", "vww", "ad"])
def test_mlperf_tiny(model):
    path = SHARED / "models" / f"{model}_float.tflite"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here: the MLPerf Tiny models are not part of the project")
    data = path.read_bytes()
    shape = import_tflite_float(data, model, path.name).tensors["input"].shape
    x = np.random.default_rng(3).normal(0, 1, (5, *shape[1:])).astype(np.float32)
    # The weights of kws are int8: TensorFlow Lite then also rounds the activations while it runs.
    graph = check(data, [x], 0.15 if model == "kws" else 1e-4)
    int8 = path.with_name(f"{model}_int8.tflite")
    if model in ("ic", "vww"):  # of the others the two files were not converted alike
        twin = import_tflite(int8.read_bytes(), model, int8.name)
        layers = [n.name for n in twin.nodes if n.op in ("conv2d", "depthwise")]
        assert [n.op for n in graph.nodes if n.op in ("conv2d", "depthwise")] == [
            n.op for n in twin.nodes if n.name in layers
        ]


def test_accuracy_of_the_model_with_int8_weights():
    data, model = SHARED / "data" / "kws01.npz", SHARED / "models" / "kws_float.tflite"
    if not (data.is_file() and model.is_file()):
        pytest.skip("the keyword spotting samples are not part of the project")
    samples = np.load(data)
    x = (samples["x"].astype(np.float32) - 83) * np.float32(0.58470290)  # as kws_int8.tflite states its input
    scores = float_reference.outputs(import_tflite_float(model.read_bytes(), "kws", model.name), [x])[0]
    assert np.mean(scores.argmax(1) == samples["y"]) > 0.9


@pytest.mark.parametrize(("name", "rtol"), [("float32", 1e-4), ("float16", 1e-4), ("dynamic_range", 5e-2)])
def test_what_the_converter_writes(name, rtol):
    path = CONVERTED / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    data = path.read_bytes()
    shapes = [t.shape for n, t in import_tflite_float(data, "n", name).tensors.items() if n.startswith("input")]
    rng = np.random.default_rng(4)
    check(data, [rng.normal(0, 1, (4, *s[1:])).astype(np.float32) for s in shapes], rtol)


@pytest.mark.parametrize("point", [0, 128, 93])
@pytest.mark.parametrize(("op", "window"), [("fully_connected", ()), ("conv2d", (1, 1))])
def test_weights_of_uint8(op, window, point):
    """As TensorFlow 1 wrote them: int8 in a layer that computes with them, with a zero point behind DEQUANTIZE."""
    rng, shape = np.random.default_rng(7), (5, *window, 64)
    value = rng.integers(0, 256, shape).astype(np.uint8)
    levels = Tensor("w", shape, "uint8", Quant((0.01,), (point,)), Role.WEIGHTS, value)
    sizes = {"x": (1, *window, 64), "real": shape, "y": (1, *window, 5)}
    source, real, y = (Tensor(name, size, "float32") for name, size in sizes.items())
    attrs = dict.fromkeys(("stride_h", "stride_w", "dilation_h", "dilation_w"), 1) if window else {}
    attrs |= dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), 0) if window else {}

    bias = constant("b", rng.normal(0, 1, 5).astype(np.float32), Role.BIAS)

    def layer(weights):
        node = Node(op, "y", ("x", weights.name, "b"), ("y",), {**attrs, "activation": "none"})
        return View(node, (source, weights, bias), (y,))

    x = np.random.default_rng(8).normal(0, 1, (4, *window, 64)).astype(np.float32)
    check(oracle.model(layer(levels)), [x], 2e-2)
    widened = View(Node("dequantize", "real", ("w",), ("real",), {}), (levels,), (real,))
    check(oracle.network([widened, layer(real)], ["x"], ["y"]), [x])


def test_constants_that_are_no_numbers():
    for bad in (np.nan, np.inf):
        weights = np.ones((4, 7), np.float32)
        weights[1, 2] = bad
        data = one("fully_connected", (1, 7), (1, 4), [weights], activation="none")
        with pytest.raises(ModelError, match=r"operator 0 FULLY_CONNECTED: tensor 1 'k0' holds NaN or infinity"):
            import_tflite_float(data, "net", "net.tflite")


@pytest.mark.parametrize("exponent", [np.float32(2.5), np.float32(9), np.ones(9, np.float32), np.float32(np.inf)])
def test_powers_that_no_product_is(exponent):
    what = "no constant of one value" if exponent.size > 1 else f"the exponent {exponent}; supported: whole numbers"
    with pytest.raises((UnsupportedError, ModelError), match=f"{what}|holds NaN or infinity"):
        import_tflite_float(one("pow", (1, 9), (1, 9), [exponent]), "net", "net.tflite")


def test_types_that_do_not_belong():
    data = one("fully_connected", (1, 7), (1, 4), [np.ones((4, 7), np.int32)], activation="none")
    with pytest.raises(UnsupportedError, match=r"weights .*has type int32 in a float model; supported: float32"):
        import_tflite_float(data, "net", "net.tflite")
    with pytest.raises(UnsupportedError, match="has type float32"):
        import_tflite(one("logical_not", (1, 9), (1, 9)), "net", "net.tflite")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damaged_files(data):
    model = bytearray(one("fully_connected", (1, 2, 3, 2), (1, 4), [(4, 12), (4,)], activation="none"))
    for _ in range(data.draw(st.integers(1, 6))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        legal.check(import_tflite_float(bytes(model), "net", "net.tflite"))
    except EdgekcError as error:
        assert "\n" not in str(error)  # noqa: PT017
