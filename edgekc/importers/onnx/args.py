"""One ONNX node's operands and attributes, as the importer's handlers ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...graph.ir import Array
from ..builder import Builder
from ..value import Value, real
from .file import FileNode

# Attributes that change nothing of what a float model computes when it is run.
_IDLE = frozenset(
    (
        "broadcast consumed_inputs cubic_coeff_a extrapolation_value is_test momentum num_outputs output_dtype "
        "precision ratio round_mode saturate seed softmax_precision spatial stash_type storage_order training_mode"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Args:
    """One node's operands and attributes, as its handler asks for them."""

    b: Builder
    node: FileNode
    values: Mapping[str, Value]
    opset: int
    seen: set[str] = field(default_factory=set)  # attributes that the handler asked for

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
        self.seen.add(key)
        return self.node.attrs.get(key, default)

    def text(self, key: str, default: str) -> str:
        value = self.attr(key, default)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def check_seen(self) -> None:
        """UnsupportedError where the node has an attribute that its handler does not know: it may change all."""
        unknown = sorted(self.node.attrs.keys() - self.seen - _IDLE)
        if unknown:
            raise self.b.unsupported(f"attribute {unknown[0][:40]!r}", ", ".join(sorted(self.seen)) or "none")

    def constant(self, position: int, what: str) -> Array | None:
        """The values of a constant operand; None where it is left out."""
        value = self.get(position)
        if value is None:
            return None
        if value.data is None:
            raise self.b.unsupported(f"{what} that is computed at run time", "constants")
        return real(value)

    def ints(self, position: int, key: str, what: str) -> list[int] | None:
        """What older opsets have as an attribute and newer ones as a constant operand."""
        self.seen.add(key)
        if key in self.node.attrs:
            found = self.node.attrs[key]
            return [int(v) for v in found] if isinstance(found, (list, tuple)) else [int(found)]
        value = self.get(position)
        if value is None:
            return None
        if value.data is None or value.data.dtype.kind not in "iu":
            raise self.b.unsupported(f"{what} that are computed at run time", "constant integers")
        return [int(v) for v in value.data.ravel()]


def sides(a: Args, size: Sequence[int], kernel: list[int], stride: list[int], dilation: list[int]) -> list[int]:
    """Before and after each spatial axis (top, bottom, left, right) from `pads` or `auto_pad`."""
    mode, count = a.text("auto_pad", "NOTSET"), len(kernel)
    pads = [int(p) for p in a.attr("pads", [0] * 2 * count)]
    if mode == "VALID":
        pads = [0] * 2 * count
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0] * 2 * count
        for i in range(count):
            span = (kernel[i] - 1) * dilation[i] + 1
            total = (-(-size[i] // max(stride[i], 1)) - 1) * stride[i] + span - size[i]
            if total < 0 and a.node.op == "AveragePool":
                # The standard says nothing of padding below zero, and onnxruntime moves the windows of some opsets.
                raise a.b.unsupported(f"auto_pad {mode!r} with a stride of {stride[i]} over windows of {span}", "pads")
            total = max(total, 0)
            small, large = total // 2, total - total // 2
            pads[i], pads[i + count] = (small, large) if mode == "SAME_UPPER" else (large, small)
    elif mode != "NOTSET":
        raise a.b.unsupported(f"auto_pad {mode!r}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if len(pads) != 2 * count:
        raise a.b.wrong(f"pads {pads} do not fit {count} spatial axes")
    return [p for i in range(count) for p in (pads[i], pads[i + count])]


def spatial(a: Args, key: str, default: list[int], count: int) -> list[int]:
    """A number for each of `count` spatial axes."""
    values = [int(v) for v in a.attr(key, default)]
    if len(values) != count:
        raise a.b.wrong(f"{key} {values} do not fit {count} spatial axes")
    return values


def spatial_axes(a: Args, x: Value) -> int:
    """How many axes of an input are height and width."""
    if len(x.shape) not in (3, 4):
        raise a.b.unsupported(f"an input of shape {list(x.shape)}", "1 or 2 spatial axes")
    return len(x.shape) - 2
