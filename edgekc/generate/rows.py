"""A layer that runs by rows to its calls.

A call computes some rows of the layer's output. It is a call of the layer's kernel on a smaller image: fewer rows of
input and output, and padding where the whole image has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph.ir import Tensor
from ..graph.op import Kernel, Param, Rows, View
from ..graph.scratch import Regions, scratch_bytes
from ..ops import OPS
from .choice import Choice

HEIGHTS = ("in_h", "out_h", "pad_top")  # of a window, which change from call to call
_MOST = 0xFFFF  # rows, which the C counts in 16 bits


@dataclass(frozen=True, slots=True)
class Window:
    """Row y of a layer's output needs `span` rows of its inputs, from y * stride - pad on."""

    span: int
    stride: int
    pad: int


SAME = Window(1, 1, 0)  # row y from row y


@dataclass(frozen=True, slots=True)
class Slice:
    """One call: rows [first, first + count) of the output, from rows [begin, end) of the input."""

    first: int
    count: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)  # so that what is computed of one is kept by its identity
class RowLayer:
    """A layer that makes `rows` rows of its output in a call, its last call perhaps fewer."""

    whole: View
    view: View  # of its largest call
    kernel: Kernel
    usual: Kernel  # of the layer in one call
    window: Window
    rows: int
    calls: tuple[Slice, ...]
    regions: Regions  # of scratch, as large as any call wants them
    counts: Mapping[str, int]  # of a kernel without a window: fields that change, for each row of a call
    varies: bool  # whether its calls differ in their parameters

    @property
    def scratch_bytes(self) -> int:
        return scratch_bytes(self.regions)


def window_of(view: View, kernel: Kernel) -> Window | None:
    """None where the layer's rows cannot be made one after the other."""
    kind = OPS[view.node.op].rows
    activations = [t for t in view.inputs if t.data is None]
    images = [*activations, view.out]
    if kind is Rows.NONE or len(activations) > 2 or any(len(t.shape) != 4 or t.shape[0] != 1 for t in images):
        return None
    if any(not 0 < t.shape[1] <= _MOST for t in images):
        return None
    if kind is Rows.WINDOW:
        window = kernel.params(view)["window"]
        assert isinstance(window, Mapping) and len(activations) == 1
        k_h, dilation, stride, pad = (int(window[key]) for key in ("k_h", "dilation_h", "stride_h", "pad_top"))
        return Window((k_h - 1) * dilation + 1, stride, pad)
    constants = [t for t in view.inputs if t.data is not None]
    if any(t.shape[1] != view.out.shape[1] for t in activations) or any(_has_rows(t) for t in constants):
        return None
    return SAME


def _has_rows(constant: Tensor) -> bool:
    return len(constant.shape) >= 3 and constant.shape[-3] != 1


def slices(window: Window, in_h: int, out_h: int, rows: int) -> tuple[Slice, ...] | None:
    """The calls that make an output; None where one would see nothing but padding."""
    found = []
    for first in range(0, out_h, rows):
        count = min(rows, out_h - first)
        begin = max(first * window.stride - window.pad, 0)
        end = min((first + count - 1) * window.stride + window.span - window.pad, in_h)
        if begin >= end:
            return None
        found.append(Slice(first, count, begin, end))
    return tuple(found)


def sliced(view: View, window: Window, call: Slice) -> View:
    """The layer of one call."""
    above = max(window.pad - call.first * window.stride, 0)
    below = (call.first + call.count - 1) * window.stride + window.span - window.pad - call.end
    attrs = dict(view.node.attrs)
    if "pad_top" in attrs:
        attrs.update(pad_top=above, pad_bottom=max(below, 0))

    def cut(tensor: Tensor, rows: int) -> Tensor:
        return replace(tensor, shape=(1, rows, *tensor.shape[2:])) if tensor.data is None else tensor

    return replace(
        view,
        node=replace(view.node, attrs=attrs),
        inputs=tuple(cut(t, call.end - call.begin) for t in view.inputs),
        outputs=(cut(view.out, call.count),),
    )


def row_layer(
    view: View, features: frozenset[str], rows: int, choose: Choice, usual: Kernel | None = None
) -> RowLayer | None:
    """None where the layer, or any of its kernels that the choice falls on, cannot run so.

    Args:
        usual: its kernel in one call; None: the choice's.
    """
    usual = usual or choose(view, features)
    window = window_of(view, usual)
    if window is None:
        return None
    rows = min(rows, view.out.shape[1])
    calls = slices(window, view.x.shape[1], view.out.shape[1], rows)
    if calls is None:
        return None
    # Calls of equal heights are equal, whatever rows they are of.
    kinds = {(c.count, c.end - c.begin, max(window.pad - c.first * window.stride, 0)): c for c in calls}
    largest = sliced(view, window, kinds[max(kinds, key=lambda k: (k[0], k[1], -k[2]))])
    kernel = choose(largest, features)
    views = [sliced(view, window, c) for c in kinds.values()]
    if not all(kernel.accepts(v) for v in views):
        return None
    counts = _counts(kernel, views, largest)
    if counts is None:
        return None
    return RowLayer(
        view, largest, kernel, usual, window, rows, calls, _regions(kernel, views), counts, varies=len(kinds) > 1
    )


def _regions(kernel: Kernel, views: Sequence[View]) -> Regions:
    if kernel.scratch is None:
        return ()
    every = [kernel.scratch(v) for v in views]
    return tuple(
        replace(r[0], bytes=max(x.bytes for x in r), over=r[0].over if all(x.over for x in r) else "")
        for r in zip(*every, strict=True)
    )


def _counts(kernel: Kernel, views: Sequence[View], largest: View) -> dict[str, int] | None:
    """Fields that count values, for each row. None where parameters change in a way that calls by rows cannot."""
    found: dict[str, int] = {}
    for view in views:
        for name, value in kernel.params(view).items():
            most = kernel.params(largest)[name]
            if value == most or name == "block":  # pixels of a pass, at most
                continue
            if isinstance(value, Mapping) and isinstance(most, Mapping):
                if name != "window" or any(value[key] != most[key] for key in most if key not in HEIGHTS):
                    return None
                continue
            each = _for_each_row(value, view)
            if each is None or each != _for_each_row(most, largest):
                return None
            found[name] = each
    return found


def _for_each_row(value: Param, view: View) -> int | None:
    rows = view.out.shape[1]
    return value // rows if isinstance(value, int) and value % rows == 0 else None
