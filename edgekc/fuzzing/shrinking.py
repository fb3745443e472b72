"""A network that is computed wrongly to a small part of it that is computed wrongly too."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..graph.ir import Array, Role, Tensor
from ..graph.op import View
from .nets import RandomNet, random_samples
from .recurrent_file import KEEPING

Samples = list[list[Array]]


@dataclass(frozen=True, slots=True)
class Case:
    """A network, and samples of its inputs."""

    net: RandomNet
    samples: Samples


def shrunk(case: Case, fails: Callable[[Case], bool], seconds: float = 60.0) -> Case:
    """The smallest case that was found within the time: fewer layers, then filters, samples, sizes and values.

    Args:
        fails: whether a case is wrong as the first is; of one that cannot be compiled, False.
    """
    end = time.monotonic() + seconds
    for smaller in (_parts, _fewer_filters, _fewer_samples, _smaller_sizes, _simpler_weights, _simpler_inputs):
        case = _walk(case, smaller, fails, end)
    return case


def _walk(case: Case, smaller: Callable[[Case], Iterator[Case]], fails: Callable[[Case], bool], end: float) -> Case:
    """The first smaller case that fails takes the place of this one, until none does."""
    while time.monotonic() < end:
        for candidate in smaller(case):
            if time.monotonic() >= end:
                return case
            if fails(candidate):
                case = candidate
                break
        else:
            return case
    return case


# ---- layers ---------------------------------------------------------------------------------------------


def _parts(case: Case) -> Iterator[Case]:
    """One output of it, with inputs in place of what others are made of: the smallest first."""
    if case.net.variables:  # which read what would go
        return
    for view in case.net.views[: -1 if len(case.net.outputs) == 1 else None]:
        if (net := ending_with(case.net, view)) is not None:
            yield with_samples(net, case)
    for view in reversed(case.net.views[:-1]):
        if (net := beginning_with(case.net, view)) is not None:
            yield with_samples(net, case)


def with_samples(net: RandomNet, before: Case) -> Case:
    """The samples of the case before, as far as the inputs are the same; drawn ones of the others."""
    kept = {t.name: i for i, t in enumerate(before.net.inputs)}
    drawn = random_samples(net, len(before.samples))
    rows = [
        [row[kept[t.name]] if t.name in kept else fresh[i] for i, t in enumerate(net.inputs)]
        for row, fresh in zip(before.samples, drawn, strict=True)
    ]
    return Case(net, rows)


def _stands_alone(t: Tensor) -> bool:
    return t.dtype in ("int8", "uint8", "int16") and t.shape[:1] == (1,)


def ending_with(net: RandomNet, last: View) -> RandomNet | None:
    """Nodes up to one, whose output is the network's; None where it can be no output."""
    if not _stands_alone(last.out):
        return None
    return _pruned(net, net.views[: net.views.index(last) + 1], net.inputs, last.out)


def beginning_with(net: RandomNet, view: View) -> RandomNet | None:
    """The network with the output of `view` given as an input."""
    if view not in net.views or not _stands_alone(view.out) or len(net.outputs) != 1:
        return None
    return _pruned(net, [v for v in net.views if v is not view], (*net.inputs, view.out), net.outputs[0])


def _pruned(net: RandomNet, views: Sequence[View], inputs: Sequence[Tensor], output: Tensor) -> RandomNet:
    """What `output` needs of these nodes and inputs."""
    needed, kept = {output.name}, []
    for view in reversed(views):
        if any(t.name in needed for t in view.outputs):
            kept.append(view)
            needed.update(view.node.inputs)
    inputs = tuple(t for t in inputs if t.name in needed)
    return replace(net, views=tuple(reversed(kept)), inputs=inputs, outputs=(output,))


# ---- filters, samples and values ------------------------------------------------------------------------


def _fewer_filters(case: Case) -> Iterator[Case]:
    """Half of the filters of the last node, where that is a layer whose filters are independent."""
    *before, view = case.net.views
    if view.node.op not in ("conv2d", "fully_connected") or len(case.net.outputs) != 1 or case.net.variables:
        return
    filters = view.inputs[1].shape[0]
    for chosen in (slice(filters // 2), slice(filters // 2, filters)) if filters > 1 else ():
        inputs = (view.x, *(_some_filters(t, chosen, filters) for t in view.inputs[1:]))
        out = replace(view.out, shape=(*view.out.shape[:-1], inputs[1].shape[0]))
        last = replace(view, inputs=inputs, outputs=(out,))
        yield Case(replace(case.net, views=(*before, last), outputs=(out,)), case.samples)


def _some_filters(t: Tensor, chosen: slice, filters: int) -> Tensor:
    quant = t.quant
    if quant is not None and len(quant.scales) == filters:
        quant = replace(quant, scales=quant.scales[chosen], zero_points=quant.zero_points[chosen])
    data = np.ascontiguousarray(t.value[chosen])
    return replace(t, data=data, shape=data.shape, quant=quant)


def _fewer_samples(case: Case) -> Iterator[Case]:
    if case.net.variables or any(view.node.op in KEEPING for view in case.net.views):  # a sequence from its start
        yield from (Case(case.net, case.samples[:count]) for count in range(1, len(case.samples)))
    elif len(case.samples) > 1:
        yield from (Case(case.net, [row]) for row in case.samples)


def _smaller_sizes(case: Case) -> Iterator[Case]:
    """One axis of the only node shorter: any of operators element by element, height and width of windows."""
    if len(case.net.views) != 1 or len(case.net.outputs) != 1 or case.net.variables:
        return
    (view,) = case.net.views
    if view.node.op not in _WINDOWS and view.node.op not in _EACH:
        return
    rank = len(view.x.shape)
    for back in range(rank - 1, 0, -1) if view.node.op in _EACH else (3, 2):
        size = view.x.shape[-back] if back <= rank else 1
        for fewer in dict.fromkeys((1, size // 2, size - 1)):
            if 0 < fewer < size and (smaller := _shorter(case, view, back, fewer)) is not None:
                yield smaller


_WINDOWS = ("conv2d", "depthwise", "average_pool", "max_pool")
_EACH = (
    *("add", "sub", "mul", "maximum", "minimum", "squared_difference", "div", "prelu", "relu", "logistic", "tanh"),
    *("leaky_relu", "hard_swish", "gelu", "exp", "log", "abs", "neg", "sqrt", "rsqrt", "quantize"),
)


def _shorter(case: Case, view: View, back: int, fewer: int) -> Case | None:
    """With the first so many of an axis, counted from the last; None where nothing would be left."""
    size = view.x.shape[-back]

    def cut(t: Tensor) -> Tensor:
        if len(t.shape) < back or t.shape[-back] != size:
            return t
        shape = tuple(fewer if i == len(t.shape) - back else d for i, d in enumerate(t.shape))
        quant = t.quant
        if t.data is None:
            return replace(t, shape=shape)
        return replace(t, shape=shape, quant=quant, data=np.ascontiguousarray(_first(t.data, back, fewer)))

    if view.node.op in _WINDOWS:
        axis, pads = ("h", ("pad_top", "pad_bottom")) if back == 3 else ("w", ("pad_left", "pad_right"))
        kernel = view.inputs[1].shape[-back] if len(view.inputs) > 1 else view[f"filter_{axis}"]
        span = (kernel - 1) * view[f"dilation_{axis}"] + 1
        count = (fewer + sum(view[p] for p in pads) - span) // view[f"stride_{axis}"] + 1
        if count < 1 or any(view[p] for p in pads):  # SAME padding is another one for another size
            return None
        shape = tuple(count if i == len(view.out.shape) - back else d for i, d in enumerate(view.out.shape))
        inputs, out = (cut(view.x), *view.inputs[1:]), replace(view.out, shape=shape)
    else:
        inputs, out = tuple(map(cut, view.inputs)), cut(view.out)
    given = tuple(next(t for t in inputs if t.name == i.name) for i in case.net.inputs)
    rows = [
        [np.ascontiguousarray(x[tuple(map(slice, t.shape))]) for x, t in zip(row, given, strict=True)]
        for row in case.samples
    ]
    smaller = replace(view, inputs=inputs, outputs=(out,))
    return Case(replace(case.net, views=(smaller,), inputs=given, outputs=(out,)), rows)


def _first(data: Array, back: int, fewer: int) -> Array:
    return data[tuple(slice(fewer) if i == data.ndim - back else slice(None) for i in range(data.ndim))]


def _simpler_weights(case: Case) -> Iterator[Case]:
    """Zeros in a half of a constant, or in a half of that half, and so on."""
    for i, view in enumerate(case.net.views):
        for j, t in enumerate(view.inputs):
            if t.data is None or t.role not in (Role.WEIGHTS, Role.BIAS) or t.dtype == "bool":
                continue
            for data in _emptied(t.value, 0):
                changed = replace(view, inputs=(*view.inputs[:j], replace(t, data=data), *view.inputs[j + 1 :]))
                views = (*case.net.views[:i], changed, *case.net.views[i + 1 :])
                yield Case(replace(case.net, views=views), case.samples)


def _simpler_inputs(case: Case) -> Iterator[Case]:
    """Zero points in a half of an input, and so on."""
    for i, t in enumerate(case.net.inputs):
        if t.quant is None:
            continue
        for k, row in enumerate(case.samples):
            for data in _emptied(row[i], t.q.zero_point):
                rows = [list(r) for r in case.samples]
                rows[k][i] = data
                yield Case(case.net, rows)


def _emptied(value: Array, level: int) -> Iterator[Array]:
    """The array with a part of it at one level, the largest parts first."""
    flat = value.reshape(-1)
    parts = 1
    while parts <= min(2 * flat.size, 64):
        edges = np.linspace(0, flat.size, parts + 1).astype(int)
        for low, high in itertools.pairwise(edges):
            if (flat[low:high] != level).any():
                changed = flat.copy()
                changed[low:high] = level
                yield changed.reshape(value.shape)
        parts *= 2


def described(net: RandomNet) -> str:
    """A network, one node a line."""
    lines = []
    for view in net.views:
        operands = ", ".join(f"{t.name} {list(t.shape)}" for t in view.inputs)
        attrs = " ".join(f"{key}={value}" for key, value in view.node.attrs.items())
        scales = [f"{t.quant.scale:.7g}@{t.quant.zero_point}" for t in (*view.inputs, view.out) if t.quant is not None]
        out = f"{view.out.name} {list(view.out.shape)}"
        lines.append(f"  {out} = {view.node.op}({operands}) {attrs}; scale@zero: {' '.join(scales)}")
    return "\n".join(lines)
