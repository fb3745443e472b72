"""Boxes and class scores of a detector to its detections, as TFLite_Detection_PostProcess has them.

The output has a sample's boxes (n, 4), classes (n), scores (n) and the number of boxes behind one another, with
n = detections * categories; what is not detected is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import Case, Constant, IntAttrs, Kernel, Lowered, Op, Operand, Param, Shape, View
from ...graph.scratch import Region, Regions
from ...graph.source import SourceOp
from ..dequantize import reals_of
from ..shared import single

COUNTS = ("classes", "detections", "categories", "per_class", "regular")  # whole numbers
REALS = ("least_score", "most_overlap", "y_scale", "x_scale", "h_scale", "w_scale")
LEVELS = ("box_scale", "box_zero", "score_scale", "score_zero")  # of inputs of int8
ATTRS = (*COUNTS, *REALS, *LEVELS)
OPERANDS = (Operand("boxes"), Operand("scores"), Operand("anchors", Constant.ALWAYS, Role.WEIGHTS))


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    boxes, scores, anchors = shapes
    fits = len(boxes) == len(scores) == 3 and boxes[:2] == scores[:2] and boxes[2] >= 4 and anchors == (boxes[1], 4)
    if not fits or scores[2] - attrs["classes"] not in (0, 1):
        text = f"boxes {list(boxes)}, scores {list(scores)} and anchors {list(anchors)}"
        raise ModelError(f"{text} do not fit {attrs['classes']} classes")
    return [(boxes[0], 6 * attrs["detections"] * attrs["categories"] + 1)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    boxes, scores, anchors = inputs
    boxes = reals_of(boxes, float(single.of_bits(attrs["box_scale"])), attrs["box_zero"])
    scores = reals_of(scores, float(single.of_bits(attrs["score_scale"])), attrs["score_zero"])
    found = [_sample(attrs, _decoded(attrs, b, anchors), s) for b, s in zip(boxes, scores, strict=True)]
    return [np.stack(found)]


def _decoded(attrs: IntAttrs, boxes: Array, anchors: Array) -> Array:
    """Corners (y0, x0, y1, x1) of centers and sizes that are said relative to those of the anchors."""
    y_scale, x_scale, h_scale, w_scale = (single.of_bits(attrs[name]) for name in REALS[2:])
    y = boxes[:, 0] / y_scale * anchors[:, 2] + anchors[:, 0]
    x = boxes[:, 1] / x_scale * anchors[:, 3] + anchors[:, 1]
    h = np.float32(0.5) * single.exp(boxes[:, 2] / h_scale) * anchors[:, 2]
    w = np.float32(0.5) * single.exp(boxes[:, 3] / w_scale) * anchors[:, 3]
    return np.stack([y - h, x - w, y + h, x + w], axis=1)


def _sample(attrs: IntAttrs, corners: Array, scores: Array) -> Array:
    """One sample's detections; scores (boxes, classes), at times with that of the background in front."""
    scores = scores[:, scores.shape[1] - attrs["classes"] :]
    most, categories = attrs["detections"], attrs["categories"]
    if attrs["regular"]:
        found = [
            (box, c)
            for c in range(attrs["classes"])
            for box in _kept(attrs, corners, scores[:, c], min(attrs["per_class"], most))
        ]
        found = sorted(found, key=lambda pair: -scores[pair])[:most]  # of equal scores the lower class first
        count = len(found)
    else:
        kept = _kept(attrs, corners, scores.max(1), most)
        count = len(kept)
        found = [
            (box, int(c))
            for box in kept
            for c in np.argsort(-scores[box], kind="stable")[: min(categories, attrs["classes"])]
        ]
    n = attrs["detections"] * categories
    out = np.zeros(6 * n + 1, np.float32)
    for i, (box, c) in enumerate(found):
        out[4 * i : 4 * i + 4] = corners[box]
        out[4 * n + i], out[5 * n + i] = c, scores[box, c]
    out[6 * n] = count
    return out


def _kept(attrs: IntAttrs, corners: Array, scores: Array, most: int) -> list[int]:
    """Boxes by falling score, without those that overlap one before them."""
    limit, kept = single.of_bits(attrs["most_overlap"]), list[int]()
    for i in np.argsort(-scores, kind="stable"):
        if len(kept) == most or not scores[i] >= single.of_bits(attrs["least_score"]):
            break
        if not (_overlaps(corners[kept], corners[i]) > limit).any():
            kept.append(int(i))
    return kept


def _overlaps(kept: Array, box: Array) -> Array:
    """Intersection over union of each box (n, 4) with another one."""
    areas, area = ((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (kept, box))
    sizes = np.maximum(np.minimum(kept[:, 2:], box[2:]) - np.maximum(kept[:, :2], box[:2]), np.float32(0))
    both = sizes[:, 0] * sizes[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((areas <= 0) | (area <= 0), np.float32(0), both / (areas + area - both))


def lower(view: View) -> Lowered:
    boxes, scores, anchors = view.inputs
    attrs = {name: view[name] for name in COUNTS}
    attrs.update({name: single.bits_of(float(view.node.attrs[name])) for name in REALS})
    for prefix, t in (("box", boxes), ("score", scores)):
        if t.dtype not in ("float32", "int8"):
            raise UnsupportedError(f"detection_postprocess of {t.dtype} ({t.name})", where=view.node.name)
        scale, zero = (t.q.scale, t.q.zero_point) if t.dtype == "int8" else (1.0, 0)
        attrs.update({f"{prefix}_scale": single.bits_of(scale), f"{prefix}_zero": zero})
    value = anchors.value
    if anchors.dtype != "float32":
        value = reals_of(value, anchors.q.scale, anchors.q.zero_point)
    stored = constant(f"{view.node.name}/anchors", value, Role.WEIGHTS)
    return Lowered("detection_postprocess", attrs, (boxes.name, scores.name), (stored,))


def validate(view: View) -> None:
    for t in view.inputs[:2]:
        if t.dtype not in ("float32", "int8"):
            raise ModelError(f"detection_postprocess of {t.dtype} ({t.name}), not float32 or int8")
    if view.out.dtype != "float32":
        raise ModelError(f"detection_postprocess to {view.out.dtype}, not float32")
    if min(view[name] for name in COUNTS[:4]) < 1 or view["regular"] not in (0, 1):
        raise ModelError(f"detections of { ({name: view[name] for name in COUNTS}) }")
    numbers = {name: single.of_bits(view[name]) for name in (*REALS, "box_scale", "score_scale")}
    if not np.isfinite(list(numbers.values())).all() or min(numbers[name] for name in REALS[2:]) <= 0:
        raise ModelError(f"detections with {numbers}")


def _is_levels(t: Tensor) -> int:
    return int(t.dtype == "int8")


def _params(view: View) -> dict[str, Param]:
    boxes, scores, anchors = view.inputs
    shapes: dict[str, Param] = dict(boxes=boxes.shape[1], box_values=boxes.shape[2], columns=scores.shape[2])
    shapes.update(anchors=anchors.name, box_levels=_is_levels(boxes), score_levels=_is_levels(scores))
    return {**shapes, **{name: view[name] for name in ATTRS}}


def _scratch(view: View) -> Regions:
    boxes, most = view.inputs[0].shape[1], view["detections"]
    return (
        Region("scores", 4 * boxes, "float32 (boxes): of one class, or the highest of each box"),
        Region("kept", 16 * most, "float32 (detections, 4): corners of what is detected"),
        Region("places", 4 * most, "uint32 (detections): which boxes they are"),
        Region("taken", boxes, "uint8 (boxes): 1 where a box was looked at", align=1),
    )


def attrs_of(boxes: int, **changed: float) -> dict[str, int]:
    """Attributes for cases: a small detector's."""
    values: dict[str, float] = dict(classes=3, detections=5, categories=1, per_class=3, regular=0)
    values.update(least_score=0.1, most_overlap=0.5, y_scale=10.0, x_scale=10.0, h_scale=5.0, w_scale=5.0)
    values.update(box_scale=1.0, box_zero=0, score_scale=1.0, score_zero=0)
    values.update(changed)
    whole = (*COUNTS, "box_zero", "score_zero")
    return {k: int(v) if k in whole else single.bits_of(v) for k, v in values.items()}


def anchors_of(rng: np.random.Generator, boxes: int) -> Array:
    """Centers in the image and sizes of a part of it: (boxes, 4)."""
    return np.concatenate([rng.uniform(0, 1, (boxes, 2)), rng.uniform(0.1, 0.5, (boxes, 2))], 1).astype(np.float32)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    kinds: list[tuple[str, int, int, dict[str, float]]] = [
        ("fast", 40, 4, {}),
        ("fast-two", 40, 4, dict(categories=2)),
        ("fast-many", 40, 3, dict(categories=5, detections=50, least_score=0.0)),
        ("regular", 40, 4, dict(regular=1)),
        ("regular-many", 20, 3, dict(regular=1, detections=70, per_class=100, least_score=-1.0, most_overlap=0.9)),
        ("regular-few", 40, 4, dict(regular=1, detections=2, categories=2, per_class=9)),
        ("one", 1, 3, {}),
        ("nothing", 9, 4, dict(least_score=1e6)),
    ]
    for k, (name, boxes, columns, changed) in enumerate(kinds):
        given = rng.normal(0, 2, (1, boxes, 4 + k % 2)).astype(np.float32)
        scores = rng.uniform(0, 1, (1, boxes, columns)).astype(np.float32)
        anchors = anchors_of(rng, boxes)
        out.append(Case(name, attrs_of(boxes, **changed), (given, scores, anchors)))
        levels = dict(box_scale=0.07, box_zero=-3, score_scale=1 / 256, score_zero=-128)
        box_levels, score_levels = (rng.integers(-128, 128, x.shape).astype(np.int8) for x in (given, scores))
        out.append(Case(f"{name}-int8", attrs_of(boxes, **changed, **levels), (box_levels, score_levels, anchors)))
        same = (np.full_like(given, (0, 200)[k % 2]), np.full_like(scores, 0.5), anchors)
        out.append(Case(f"{name}-same", attrs_of(boxes, **changed), same))
    return out


OP = Op(
    name="detection_postprocess",
    code=108,
    attrs=ATTRS,
    operands=OPERANDS,
    infer=infer,
    reference=reference,
    kernels=(
        Kernel(
            symbol="ek_detection_postprocess_f32",
            header="ek_detection_postprocess.h",
            struct="ek_detection_postprocess_params",
            fields=(
                ("const float *", "anchors"),
                *(("uint32_t", name) for name in ("boxes", "box_values", "columns", *COUNTS[:4])),
                *(("int32_t", name) for name in (*REALS, *LEVELS)),
                *(("uint8_t", name) for name in ("regular", "box_levels", "score_levels")),
            ),
            params=_params,
            scratch=_scratch,
            sources=("ek_exp_f32",),
        ),
    ),
    macs=lambda view: math.prod(view.inputs[1].shape[1:]),
    validate=validate,
    cases=cases,
    single=True,
)
SOURCE = SourceOp("detection_postprocess", lower=None, clamps=False, open_ended=True)
IN_FLOAT = {SOURCE.name: lower}
