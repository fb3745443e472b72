"""Int8 models with a float head, middle or front: compiled with `allow_float`, and equal or near to LiteRT."""

from __future__ import annotations

from pathlib import Path

import cli_command as cli
import float_ends as detection
import numpy as np
import oracle
import pytest
from test_allow_float import check_equal, classifier, int8, step

import edgekc
from edgekc.errors import UnsupportedError
from edgekc.fuzzing.values import f32
from edgekc.graph.ir import Array, Quant, Role, Tensor, constant
from edgekc.graph.op import View


def real(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, "float32")


def number(name: str, value: float | Array) -> Tensor:
    return constant(name, np.asarray(value, np.float32), Role.WEIGHTS)


def written(folder: Path, views: list[View], inputs: list[str], outputs: list[str]) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(oracle.network(views, inputs, outputs))
    return path


def kernels(program: edgekc.Program) -> list[str]:
    return [layer["kernel"] for layer in program.manifest["layers"]]


def test_a_float_head(tmp_path: Path) -> None:
    """Scores through a curve, scaled and joined by their opposites."""
    views, scores = classifier()
    r, s, t, u = (real(name, (1, 10)) for name in ("real", "curve", "t", "u"))
    views += [
        step("dequantize", [scores], r),
        step("logistic", [r], s),
        step("mul", [s, number("m", np.linspace(0.1, 2, 10))], t, activation="none"),
        step("sub", [number("one", 1.0), t], u, activation="relu"),
    ]
    program = check_equal(written(tmp_path, views, ["x"], ["t", "u"]))
    assert kernels(program)[2:] == ["ek_curve_f32", "ek_binary_const_f32", "ek_binary_const_f32"]
    assert [out["dtype"] for out in program.manifest["outputs"]] == ["float32"] * 2


def test_a_float_layer(tmp_path: Path) -> None:
    """An embedding of length one, a layer of float weights on it, and moves of four bytes for each number."""
    rng = np.random.default_rng(1)
    views, scores = classifier()
    r, s, t = real("real", (1, 10)), real("unit", (1, 10)), real("t", (1, 3))
    w, b = number("head", rng.normal(0, 1, (3, 10))), constant("hb", np.float32([0.1, -2, 3]), Role.BIAS)
    views += [
        step("dequantize", [scores], r),
        step("l2_normalize", [r], s),
        step("fully_connected", [s, w, b], t, activation="relu6"),
        step("mean", [s], real("m", (1,)), axes="1", keep_dims=0),
        step("arg_max", [s], Tensor("best", (1,), "int32"), axis=1),
        step("reduce_max", [s], real("most", (1, 1)), axes="1", keep_dims=1),
    ]
    pairs, turned, padded = real("pairs", (1, 5, 2)), real("turned", (1, 2, 5)), real("padded", (1, 2, 7))
    first, joined = real("first", (1, 2, 3)), real("joined", (1, 2, 10))
    views += [
        step("reshape", [s], pairs),
        step("transpose", [pairs], turned, perm="0,2,1"),
        step("pad", [turned], padded, pads="0,0,0,0,1,1"),
        step("strided_slice", [padded], first, begins="0,0,1", sizes="1,2,3", strides="1,1,2"),
        step("concat", [padded, first], joined, axis=2, activation="none"),
    ]
    program = check_equal(written(tmp_path, views, ["x"], ["t", "m", "best", "most", "joined"]))
    found = kernels(program)
    assert found[2:5] == ["ek_l2_normalize_f32", "ek_fully_connected_f32", "ek_reduce_f32"]
    assert found[5:7] == ["ek_arg_max_f32", "ek_reduce_f32"]
    assert found[7:] == ["ek_strided_copy_s8", "ek_pad_s8", "ek_strided_copy_s8", "ek_concat2_s8"]


def test_int8_weights_on_float_are_refused(tmp_path: Path) -> None:
    """Dynamic range quantisation rounds what it reads while it runs."""
    views, scores = classifier()
    r, t = real("real", (1, 10)), real("t", (1, 3))
    weights = constant("head", np.ones((3, 10), np.int8), Role.WEIGHTS, int8("q", (), 0.1, 0).q)
    views += [step("dequantize", [scores], r), step("fully_connected", [r, weights], t, activation="none")]
    path = written(tmp_path, views, ["x"], ["t"])
    with pytest.raises(UnsupportedError, match=r"weights .* has type int8; supported: float32"):
        edgekc.compile(path, allow_float=True)


def test_a_float_middle(tmp_path: Path) -> None:
    """Two tensors meet in float, and int8 goes on behind them."""
    views, scores = classifier()
    r, s, t, u = (real(name, (1, 10)) for name in ("real", "curve", "t", "u"))
    back = int8("y", (1, 10), 1 / 256, -128)
    views += [
        step("dequantize", [scores], r),
        step("tanh", [r], s),
        step("mul", [r, s], t, activation="none"),
        step("softmax", [t], u, beta=1.0),
        step("quantize", [u], back),
    ]
    program = check_equal(written(tmp_path, views, ["x"], ["y"]))
    assert kernels(program)[-1] == "ek_quantize_f32"
    assert program.manifest["outputs"][0]["dtype"] == "int8"


def test_float_layers(tmp_path: Path) -> None:
    """Convolutions of every kind, pools, slopes, products and waves between DEQUANTIZE and QUANTIZE."""
    path = tmp_path / "net.tflite"
    path.write_bytes(detection.middle())
    program = check_equal(path)
    found = kernels(program)
    assert found.count("ek_conv2d_f32") == 5 and found.count("ek_pool_f32") == 2 and "ek_wave_f32" in found
    assert "ek_batch_matmul_f32" in found and "ek_fully_connected_f32" in found


def test_choices(tmp_path: Path) -> None:
    """Comparisons, choices by them and by a constant mask, the logarithm of a softmax, the largest and their places."""
    path = tmp_path / "net.tflite"
    path.write_bytes(detection.choices())
    program = check_equal(path)
    levels = np.random.default_rng(0).integers(-128, 128, (1, 4, 6)).astype(np.int8)
    got, want = np.asarray(program.run(levels)[-1]), oracle.interpret(path.read_bytes(), [levels])[-1]
    np.testing.assert_array_equal(got.reshape(want.shape), want)  # running sums: the same bits
    found = kernels(program)
    assert {"ek_compare_f32", "ek_compare_const_f32", "ek_log_softmax_f32", "ek_top_k_f32"} < set(found)
    assert {"ek_select_s8", "ek_select_const_s8"} < set(found)


def test_a_float_front(tmp_path: Path) -> None:
    """An input that is scaled before it is quantised stays float32."""
    views, _ = classifier()
    x, y, z = (real(name, (1, 20)) for name in ("pixels", "centred", "scaled"))
    front = [
        step("sub", [x, number("mean", 127.5)], y, activation="none"),
        step("mul", [y, number("factor", f32(1 / 32))], z, activation="none"),
        step("quantize", [z], int8("x", (1, 20), 0.05, 3)),
    ]
    path = written(tmp_path, [*front, *views], ["pixels"], ["s"])
    program = check_equal(path)
    (given,) = program.manifest["inputs"]
    assert (given["dtype"], given["scale"], given["zero_point"]) == ("float32", 1.0, 0)
    found = edgekc.check(path)
    assert [op.runs for op in found.operators] == ["refused"] * 3 + ["kernel"]
    with pytest.raises(UnsupportedError, match="sub computes in float32; allow it with --allow-float"):
        edgekc.compile(path)


def test_a_quantised_input_is_int8_all_the_same(tmp_path: Path) -> None:
    """Nothing computes in float in front of a QUANTIZE that alone reads the input: the caller quantises."""
    views, _ = classifier()
    front = step("quantize", [real("pixels", (1, 20))], int8("x", (1, 20), 0.05, 3))
    program = edgekc.compile(written(tmp_path, [front, *views], ["pixels"], ["s"]), allow_float=True)
    assert program.manifest["inputs"][0]["dtype"] == "int8"


@pytest.mark.parametrize("allow_float", [False, True])
def test_a_batch_in_front_of_a_float_part_is_what_is_said(allow_float: bool, tmp_path: Path) -> None:
    """And not that shapes behind it contradict each other."""
    x, r, t = int8("x", (42, 6), 0.05, 3), real("real", (42, 6)), real("t", (42, 6))
    views = [step("dequantize", [x], r), step("tanh", [r], t), step("l2_normalize", [t], real("y", (42, 6)))]
    path = written(tmp_path, views, ["x"], ["y"])
    with pytest.raises(UnsupportedError, match=r"net.tflite: input 0: batch size 42 of \[42, 6\]"):
        edgekc.compile(path, allow_float=allow_float)


def test_what_has_no_kernel_in_float_is_refused(tmp_path: Path) -> None:
    """One of two constants: the kernel chooses of what is computed."""
    views, scores = classifier()
    r, s = real("r", (1, 10)), real("s2", (1, 10))
    above = Tensor("above", (1, 10), "bool")
    views += [step("dequantize", [scores], r), step("compare", [r, number("zero", 0)], above, relation="greater")]
    views.append(step("select", [above, number("one", 1), number("two", 2)], s))
    path = written(tmp_path, views, ["x"], ["s2"])
    with pytest.raises(UnsupportedError, match="select of float32"):
        edgekc.compile(path, allow_float=True)
    assert cli.call("compile", str(path), "-o", str(tmp_path / "out"), "--allow-float").code == 2


@pytest.mark.parametrize(
    "options",
    [
        dict(least_score=0.9, detections=12),
        pytest.param(dict(), marks=pytest.mark.slow),
        pytest.param(dict(regular=1), marks=pytest.mark.slow),
    ],
)
def test_a_detector(tmp_path: Path, options: dict[str, float]) -> None:
    """The kernel reads the levels in front of DEQUANTIZE; there may be fewer detections than room for them."""
    attrs = detection.attrs(**options)
    path = tmp_path / "net.tflite"
    path.write_bytes(detection.detector(attrs))
    program = check_equal(path)
    assert "ek_detection_postprocess_f32" in kernels(program) and "ek_dequantize_f32" not in kernels(program)
    n = int(attrs["detections"]) * int(attrs["categories"])
    assert [tuple(out["shape"]) for out in program.manifest["outputs"]] == [(1, n, 4), (1, n), (1, n), (1,)]
    with pytest.raises(UnsupportedError, match="detection_postprocess computes in float32; allow it with") as error:
        edgekc.compile(path)
    assert len(error.value.obstacles) == 1


@pytest.mark.slow
def test_a_detector_of_uint8(tmp_path: Path) -> None:
    """Levels of older files, those of the anchors too, go into the operator without a DEQUANTIZE."""
    rng = np.random.default_rng(5)
    anchors = np.clip(np.rint(detection.anchors(rng, 12).value * 128) + 5, 0, 255).astype(np.uint8)
    inputs = [
        Tensor("b", (1, 12, 4), "uint8", Quant((0.0625,), (120,))),
        Tensor("c", (1, 12, 4), "uint8", Quant((1 / 256,), (0,))),
        constant("anchors", anchors, Role.WEIGHTS, Quant((1 / 128,), (5,))),
    ]
    views = [detection.in_file(*inputs, detection.attrs())]
    check_equal(written(tmp_path, views, ["b", "c"], detection.OUTPUTS))
