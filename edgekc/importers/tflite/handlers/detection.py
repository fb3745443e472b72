"""The end of a detector: TFLite_Detection_PostProcess, the custom operator of SSD files."""

from __future__ import annotations

import math

from ....errors import ModelError
from ....graph.ir import AttrValue, Node, Role, Tensor
from ..builder import MAX_DIM, Builder, Handler, node_name
from ..file import FileOperator
from .common import Attrs, text

NAME = "CUSTOM TFLite_Detection_PostProcess"
# Attribute of the node -> option of the file, and its value where that is left out.
_COUNTS: dict[str, tuple[str, int | None]] = {
    "classes": ("num_classes", None),
    "detections": ("max_detections", None),
    "categories": ("max_classes_per_detection", None),
    "per_class": ("detections_per_class", 100),
}
_REALS = {"least_score": "nms_score_threshold", "most_overlap": "nms_iou_threshold"}
_REALS |= {f"{axis}_scale": f"{axis}_scale" for axis in "yxhw"}


def _option(b: Builder, op: FileOperator, key: str, default: int | None = None) -> float:
    value = op.options.get(key, default)
    if value is None:
        raise ModelError(f"the option {key} is missing", where=b.at(op))
    return float(value)


def _attrs(b: Builder, op: FileOperator) -> dict[str, AttrValue]:
    attrs: dict[str, AttrValue] = {"regular": int(bool(_option(b, op, "use_regular_nms", 0)))}
    for name, (key, default) in _COUNTS.items():
        value = _option(b, op, key, default)
        if value != int(value) or not 1 <= value <= MAX_DIM:
            raise ModelError(f"{key} is {value}, expected 1 to {MAX_DIM}", where=b.at(op))
        attrs[name] = int(value)
    for name, key in _REALS.items():
        value = _option(b, op, key)
        if not math.isfinite(value) or (name.endswith("_scale") and value <= 0):
            raise ModelError(f"{key} is {value}", where=b.at(op))
        attrs[name] = value
    return attrs


def _levels(b: Builder, name: str) -> str:
    """What an operand's DEQUANTIZE reads: the kernel multiplies by the scale itself, in a quarter of the room."""
    writer = next((node for node in reversed(b.nodes) if node.outputs == (name,)), None)
    if writer is None or writer.op != "dequantize" or b.tensors[writer.inputs[0]].dtype != "int8":
        return name
    return writer.inputs[0]


def _detection(b: Builder, op: FileOperator) -> None:
    """One node makes all outputs, one behind the other; slices of it are the file's."""
    if len(op.inputs) != 3 or len(op.outputs) != 4:
        raise ModelError(f"{len(op.inputs)} inputs and {len(op.outputs)} outputs, expected 3 and 4", where=b.at(op))
    boxes, scores = (_levels(b, b.operand(op, i, what)) for i, what in enumerate(("boxes", "scores")))
    t = b.file_tensor(op, 2, "anchors")
    if t.dtype != "float32":
        b.check_type(op, "anchors", t, ("int8",))
    anchors, attrs = b.const(op, t, "anchors", Role.WEIGHTS), _attrs(b, op)
    shapes = [b.tensors[name].shape for name in (boxes, scores, anchors)]
    count, classes = shapes[2][:1] or (0,), attrs["classes"]
    fits = len(shapes[0]) == len(shapes[1]) == 3 and shapes[0][1:2] == shapes[1][1:2] == count
    if not fits or shapes[0][2] < 4 or shapes[2][1:] != (4,) or shapes[1][2] not in (classes, int(classes) + 1):
        raise ModelError(f"boxes, scores and anchors of shapes {[list(s) for s in shapes]}", where=b.at(op))
    n = int(attrs["detections"]) * int(attrs["categories"])
    if 6 * n >= MAX_DIM:
        raise b.unsupported(op, f"{n} detections", f"up to {MAX_DIM // 6}")
    whole = f"{node_name(op)}_all"
    b.tensors[whole] = Tensor(whole, (1, 6 * n + 1), "float32")
    b.nodes.append(Node("detection_postprocess", whole, (boxes, scores, anchors), (whole,), attrs))
    begin = 0
    for part, (size, shape) in enumerate(((4 * n, (1, n, 4)), (n, (1, n)), (n, (1, n)), (1, (1,)))):
        slices: Attrs = dict(begins=text([0, begin]), sizes=text([1, size]), strides=text([1, 1]))
        if shape == (1, size):
            b.add(op, "strided_slice", (whole,), slices, shape, part)
        else:
            taken = b.inner(op, f"part{part}", "strided_slice", (whole,), slices, (1, size))
            b.add(op, "reshape", (taken,), {}, shape, part)
        begin += size


HANDLERS: dict[str, Handler] = {NAME: _detection}
