"""TFLite_Detection_PostProcess against LiteRT's own, its options and what is wrong with damaged ones."""

from __future__ import annotations

import float_ends as detection
import numpy as np
import oracle
import pytest
from flatbuffers import flexbuffers

from edgekc.errors import EdgekcError, ModelError
from edgekc.fuzzing.file_operators import BUILTIN
from edgekc.graph.ir import Array, AttrValue, Node, Quant, Role, Tensor, constant
from edgekc.graph.op import View
from edgekc.importers.tflite.file import read
from edgekc.importers.tflite.flatbuffer import DamagedError
from edgekc.importers.tflite.flexbuffer import numbers
from edgekc.importers.tflite.int8 import read_tflite
from edgekc.ops import IN_FLOAT, OPS

BOXES = 60
OPTIONS: dict[str, dict[str, AttrValue]] = {
    "fast": {},
    "fast-two": dict(categories=2),
    "fast-many": dict(detections=50, least_score=1e-8, most_overlap=0.6),
    "fast-few": dict(least_score=0.98),
    "none": dict(least_score=2.0),
    "regular": dict(regular=1),
    "regular-two": dict(regular=1, categories=2),
    "regular-many": dict(regular=1, detections=60, per_class=100, least_score=-1.0),
    "regular-few": dict(regular=1, least_score=0.98, detections=40),
}
needs_oracle = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def operands(columns: int) -> list[Tensor]:
    rng = np.random.default_rng(columns)
    boxes, scores = Tensor("boxes", (1, BOXES, 4), "float32"), Tensor("scores", (1, BOXES, columns), "float32")
    return [boxes, scores, detection.anchors(rng, BOXES)]


def defined(tensors: list[Tensor], attrs: dict[str, AttrValue], values: list[Array]) -> list[Array]:
    """The four outputs by the definition."""
    node = Node("detection_postprocess", "y", tuple(t.name for t in tensors), ("y",), attrs)
    lowered = IN_FLOAT["detection_postprocess"](View(node, tuple(tensors), ()))
    (packed,) = OPS[lowered.op].reference(lowered.attrs, [*values, lowered.constants[0].value])
    return detection.parts(packed, int(attrs["detections"]) * int(attrs["categories"]))


@needs_oracle
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("columns", [3, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_litert(options: dict[str, AttrValue], columns: int, ties: bool) -> None:
    """The same detections, in the same order; corners within 1e-5. With a score for the background and without."""
    rng = np.random.default_rng(columns)
    tensors, attrs = operands(columns), detection.attrs(**options)
    boxes = rng.normal(0, 2, tensors[0].shape).astype(np.float32)
    scores = rng.uniform(0, 1, tensors[1].shape).astype(np.float32)
    if ties and attrs["categories"] == 1:  # LiteRT's order of several classes of a box is not defined in ties
        scores = np.round(scores * 16) / np.float32(16)
    expected = oracle.interpret(oracle.model(detection.in_file(*tensors, attrs)), [boxes, scores])
    got = defined(tensors, attrs, [boxes, scores])
    (count,) = got[3]
    assert expected[3] == count
    rows = int(count) * (1 if attrs["regular"] else int(attrs["categories"]))
    for ours, theirs in zip(got[1:3], expected[1:3], strict=True):
        np.testing.assert_array_equal(ours[:, :rows], theirs[:, :rows])
        assert not ours[:, rows:].any()
    np.testing.assert_allclose(got[0][:, :rows], expected[0][:, :rows], rtol=0, atol=1e-5)


@needs_oracle
def test_levels_are_what_dequantize_makes_of_them() -> None:
    """Of uint8 files LiteRT reads levels too, those of the anchors among them."""
    rng = np.random.default_rng(5)
    quants = Quant((0.0625,), (120,)), Quant((1 / 256,), (0,))
    tensors, attrs = operands(4), detection.attrs()
    given = [Tensor(t.name, t.shape, "uint8", q) for t, q in zip(tensors, quants, strict=False)]
    anchors = Quant((1 / 128,), (5,))
    fine = np.clip(np.rint(tensors[2].value / anchors.scale) + 5, 0, 255).astype(np.uint8)
    tensors[2] = constant("anchors", fine, Role.WEIGHTS, anchors)
    levels = [rng.integers(0, 256, t.shape).astype(np.uint8) for t in given]
    expected = oracle.interpret(oracle.model(detection.in_file(*given, tensors[2], attrs)), levels)
    inside = [Tensor(t.name, t.shape, "int8", Quant(t.q.scales, (t.q.zero_point - 128,))) for t in given]
    got = defined([*inside, tensors[2]], attrs, [(x ^ np.uint8(128)).view(np.int8) for x in levels])
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def file(attrs: dict[str, AttrValue]) -> bytes:
    views = [detection.in_file(*operands(4), attrs)]
    return oracle.network(views, ["boxes", "scores"], [f"out{k}" for k in range(4)])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (dict(detections=0), "max_detections is 0"),
        (dict(classes=7), "boxes, scores and anchors of shapes"),
        (dict(y_scale=0.0), "y_scale is 0"),
        (dict(least_score=float("nan")), "nms_score_threshold is nan"),
        (dict(most_overlap=None), "nms_iou_threshold is missing"),
        (dict(detections=60000), "60000 detections; supported: up to 10922"),
    ],
)
def test_wrong_options_are_refused(changed: dict[str, AttrValue], message: str) -> None:
    attrs = {k: v for k, v in detection.attrs(**changed).items() if v is not None}
    whole = {**attrs, "detections": min(int(attrs["detections"]), 60000)}
    with pytest.raises(EdgekcError, match=message):
        read_tflite(read(file(whole), "net"), "net", "net").sound(allow_float=True)


@pytest.mark.fast
def test_what_may_be_left_out() -> None:
    attrs = {k: v for k, v in detection.attrs().items() if k not in ("per_class", "regular")}
    graph = read_tflite(read(file(attrs), "net"), "net", "net").sound(allow_float=True)
    (node,) = (node for node in graph.nodes if node.op == "detection_postprocess")
    assert (node.attrs["per_class"], node.attrs["regular"]) == (100, 0)


@pytest.mark.fast
def test_flexbuffer_numbers() -> None:
    """Of every width, as a writer stores them; what is no number is left out."""
    values = dict(a=1, b=-300, c=70000, d=2**40, e=0.5, f=1e-30, g=True, h=3.0000001)
    b = flexbuffers.Builder()
    with b.Map():
        for key, value in values.items():
            {bool: b.Bool, int: b.Int, float: b.Float}[type(value)](key, value)
        b.String("name", "text")
        b.IndirectInt("far", 5)
    found = numbers(bytes(b.Finish()))
    assert {k: found[k] for k in "abcdg"} == {k: values[k] for k in "abcdg"} and found["far"] == 5
    assert found["e"] == 0.5 and "name" not in found and found["h"] == pytest.approx(3.0000001)


def test_damaged_flexbuffers_are_refused() -> None:
    """Every byte of a file's options changed, and every length: an error of ours, or numbers."""
    whole = bytes(BUILTIN["detection_postprocess"][2](detection.in_file(*operands(4), detection.attrs()))["custom"])
    tried = [whole[:k] for k in range(len(whole))]
    tried += [whole[:k] + bytes([value]) + whole[k + 1 :] for k in range(len(whole)) for value in (0, 1, 127, 255)]
    refused = 0
    for data in tried:
        try:
            numbers(data)
        except DamagedError:
            refused += 1
    assert refused > len(tried) // 4
    with pytest.raises(DamagedError, match="no map"):
        numbers(b"\x00\x04\x01")
    data = file(detection.attrs())
    end = data.index(whole) + len(whole)
    with pytest.raises(ModelError, match="damaged"):
        read(data[: end - 2] + b"\x00\x00" + data[end:], "net")
