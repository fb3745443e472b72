"""One ONNX node's operands and attributes, as the importer's handlers ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import nchw
from ..builder import Builder, Value
from .file import FileNode


@dataclass(frozen=True, slots=True)
class Args:
    """One node's operands and attributes, as its handler asks for them."""

    b: Builder
    node: FileNode
    values: Mapping[str, Value]
    opset: int

    def get(self, position: int) -> Value | None:
        if position >= len(self.node.inputs) or not self.node.inputs[position]:
            return None
        return self.values[self.node.inputs[position]]

    def need(self, position: int, what: str) -> Value:
        value = self.get(position)
        if value is None:
            raise self.b.wrong(f"operand {position} ({what}) is missing")
        return value

    def attr(self, key: str, default: Any) -> Any:
        return self.node.attrs.get(key, default)

    def text(self, key: str, default: str) -> str:
        value = self.node.attrs.get(key, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def ints(self, position: int, key: str, what: str) -> list[int] | None:
        """What older opsets have as an attribute and newer ones as a constant operand."""
        if key in self.node.attrs:
            found = self.node.attrs[key]
            return [int(v) for v in found] if isinstance(found, (list, tuple)) else [int(found)]
        value = self.get(position)
        if value is None:
            return None
        if value.data is None or value.data.dtype.kind not in "iu":
            raise self.b.unsupported(f"{what} that are computed at run time", "constant integers")
        return [int(v) for v in value.data.ravel()]


def sides(a: Args, size: tuple[int, ...], kernel: list[int], stride: list[int], dilation: list[int]) -> nchw.Pads:
    """(top, bottom, left, right) from `pads` or `auto_pad`."""
    mode = a.text("auto_pad", "NOTSET")
    pads = [int(p) for p in a.attr("pads", [0] * 4)]
    if mode == "VALID":
        pads = [0] * 4
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        for i in range(2):
            span = (kernel[i] - 1) * dilation[i] + 1
            total = (-(-size[i] // max(stride[i], 1)) - 1) * stride[i] + span - size[i]
            if total < 0 and a.node.op == "AveragePool":
                # The standard says nothing of padding below zero, and onnxruntime moves the windows of some opsets.
                raise a.b.unsupported(f"auto_pad {mode!r} with a stride of {stride[i]} over windows of {span}", "pads")
            total = max(total, 0)
            small, large = total // 2, total - total // 2
            pads[i], pads[i + 2] = (small, large) if mode == "SAME_UPPER" else (large, small)
    elif mode != "NOTSET":
        raise a.b.unsupported(f"auto_pad {mode!r}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if len(pads) != 4:
        raise a.b.wrong(f"pads {pads} do not fit two spatial axes")
    return pads[0], pads[2], pads[1], pads[3]


def pair(a: Args, key: str, default: list[int]) -> list[int]:
    values = [int(v) for v in a.attr(key, default)]
    if len(values) != 2:
        raise a.b.unsupported(f"{key} {values}", "two spatial axes")
    return values


def two(values: list[int]) -> nchw.Pair:
    return values[0], values[1]
