"""2-D convolution with clustered weights, int8 activations: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..fixedpoint import DOUBLE
from ..ir import Array
from ..op import Case, IntAttrs, Kernel, Lowered, Op, Shape, View
from . import _clustered as cl
from . import _linear as lin
from . import conv2d
from ._testing import clustered_cases

WINDOWS_BYTES = 16 * 1024


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    return conv2d.infer(attrs, (shapes[0], shapes[1]))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As conv2d with w = center[index]."""
    x, indices, centers, *rest = inputs
    return conv2d.reference(attrs, (x, cl.expand(indices, centers), *rest))


def lower(view: View) -> Lowered:
    act_min, act_max = lin.activation_range(view)
    attrs = {name: view[name] for name in lin.WINDOW}
    attrs.update(pad_value=view.x.q.zero_point, out_zero=view.out.q.zero_point)
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    return Lowered("clustered_conv2d", attrs, (view.x.name,), cl.lower_constants(view))


def _taps(view: View) -> int:
    return int(np.prod(view.inputs[1].shape[1:]))


def _block(view: View) -> int:
    """Pixels whose windows the DSP kernel holds at a time, as int16: 4 to 16, in 16 KB if four need no more."""
    _, out_h, out_w, _ = view.out.shape
    affordable = max(WINDOWS_BYTES // (2 * _taps(view)) // 4 * 4, 4)
    return min(16, affordable, (out_h * out_w + 3) // 4 * 4)


def _params(view: View) -> dict[str, int | str]:
    _, k_h, k_w, _ = view.inputs[1].shape
    window = lin.window_params(view, k_h, k_w)
    return {**window, **cl.params(view), "pad_value": view["pad_value"], "block": _block(view)}


def _scratch(view: View) -> int:
    """The ring, four windows, and a filter's centers."""
    _, k_h, k_w, _ = view.inputs[1].shape
    return (lin.ring_bytes(view, k_h, k_w) + 3) // 4 * 4 + 4 * _taps(view) + 2 * _taps(view)


def _scratch_dsp(view: View) -> int:
    """The table, a filter's centers, the windows as int16, the ring, and a window."""
    _, k_h, k_w, _ = view.inputs[1].shape
    whole = (_taps(view) + 3) // 4 * 4
    return cl.table_bytes(view) + 2 * whole * (1 + _block(view)) + lin.ring_bytes(view, k_h, k_w) + _taps(view)


FIELDS = (
    *cl.FIELDS,
    *lin.WINDOW_FIELDS,
    *lin.OUTPUT_FIELDS,
    ("int8_t", "pad_value"),
    *cl.CODE_FIELDS,
    ("uint16_t", "block"),
)

KERNELS = (
    Kernel(
        symbol="ek_clustered_conv2d_s8_dsp",
        header="ek_clustered.h",
        struct="ek_clustered_conv2d_params",
        fields=FIELDS,
        params=_params,
        needs=frozenset({"dsp"}),
        accepts=lambda view: lin.short_requant(cl.dense(view)),
        scratch=_scratch_dsp,
        in_place=lambda view: lin.ring_in_place(view, view.inputs[1].shape[1]),
    ),
    Kernel(
        symbol="ek_clustered_conv2d_s8",
        header="ek_clustered.h",
        struct="ek_clustered_conv2d_params",
        fields=FIELDS,
        params=_params,
        scratch=_scratch,
        in_place=lambda view: lin.ring_in_place(view, view.inputs[1].shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, case in enumerate(conv2d.cases(rng)):
        out.append(clustered_cases(rng, case, bits=1 + i % 8))
    return out


OP = Op(
    name="clustered_conv2d",
    code=14,
    attrs=conv2d.ATTRS,
    operands=cl.OPERANDS,
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    lowers={"clustered_conv2d": lower},
    macs=conv2d.macs,
    ranges=lambda view, inputs: cl.ranges(view, inputs[0]),
    channels=lambda view: cl.channel_rule(3),
    validate=cl.validate,
    cases=cases,
)
