"""Depthwise 2-D convolution with clustered weights, int8 activations: the definition and its C kernel.

Indices lie filter by filter, (oc, kh, kw): a kernel decodes the few weights of a channel in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import ModelError
from ...graph.fixedpoint import DOUBLE
from ...graph.ir import Array, Role, constant
from ...graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Op, Param, Rows, Shape, View
from ...graph.source import SourceOp
from .. import depthwise
from ..kernels import center_bytes as cb
from ..kernels import codes
from ..kernels.vector import VECTOR
from ..shared import linear as lin
from ..shared import ring
from ..shared.channels import channelwise_filters
from ..shared.operands import CLUSTERED
from ..shared.testing import byte_centers, clustered_cases, unused_centers
from . import clustered as cl


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    indices = shapes[1]
    if len(indices) != 3:
        raise ModelError(f"indices must have 3 dimensions (oc, kh, kw), got {list(indices)}")
    return depthwise.infer(attrs, (shapes[0], (indices[1], indices[2], indices[0])))


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As depthwise with w[ky, kx, o] = center[index[o, ky, kx]]."""
    x, indices, centers, *rest = inputs
    return depthwise.reference(attrs, (x, cl.expand(indices, centers).transpose(1, 2, 0), *rest))


def dense(view: View) -> View:
    """The same node as a depthwise layer with dense weights (kh, kw, oc)."""
    as_filters = cl.dense(view)
    x, filters, *rest = as_filters.inputs
    weights = constant(filters.name, filters.value.transpose(1, 2, 0), Role.WEIGHTS)
    return replace(as_filters, inputs=(x, weights, *rest))


def lower(view: View) -> Lowered:
    act_min, act_max = lin.activation_range(view)
    attrs = {name: view[name] for name in lin.WINDOW}
    attrs.update(pad_value=view.x.q.zero_point, out_zero=view.out.q.zero_point)
    attrs.update(act_min=act_min, act_max=act_max, rounding=DOUBLE)
    return Lowered("clustered_depthwise", attrs, (view.x.name,), cl.lower_constants(view))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return depthwise.ranges(dense(view), inputs)


def _params(view: View) -> dict[str, Param]:
    _, k_h, k_w = view.indices.shape
    return {**lin.window_params(view, k_h, k_w), **cl.params(view), "pad_value": view["pad_value"]}


def _params_bytes(view: View) -> dict[str, Param]:
    _, k_h, k_w = view.indices.shape
    return codes.params(view, **lin.window_params(view, k_h, k_w), pad_value=view["pad_value"])


FIELDS = (*cl.FIELDS, lin.WINDOW_FIELD, ("int8_t", "pad_value"), *cl.CODE_FIELDS)
KERNELS = (
    Kernel(
        symbol="ek_clustered_depthwise_bytes_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_bytes_depthwise_params",
        fields=cb.CHANNEL_FIELDS,
        params=_params_bytes,
        needs=VECTOR,
        accepts=lambda view: cb.accepts_channels(view, dense(view)),
        scratch=cb.channel_regions,
        in_place=lambda view: ring.in_place(view, view.indices.shape[1]),
        lays_out=lambda view: cb.channel_records(view, dense(view)),
    ),
    Kernel(
        symbol="ek_clustered_depthwise3x3_s8_dsp",
        header="ek_clustered.h",
        struct="ek_clustered_depthwise_params",
        fields=FIELDS,
        params=_params,
        needs=frozenset({"dsp"}),
        accepts=lambda view: depthwise.accepts_3x3(dense(view)),
        scratch=depthwise.regions_3x3,
        in_place=lambda view: ring.in_place(view, 3),
        sources=("ek_depthwise_wide_dsp",),
    ),
    Kernel(
        symbol="ek_clustered_depthwise_s8",
        header="ek_clustered.h",
        struct="ek_clustered_depthwise_params",
        fields=FIELDS,
        params=_params,
        scratch=lambda view: depthwise.decoded_regions(view, *view.indices.shape[1:]),
        in_place=lambda view: ring.in_place(view, view.indices.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    by_filter = []
    for case in depthwise.cases(rng):
        x, w, *rest = case.inputs
        by_filter.append(replace(case, inputs=(x, np.ascontiguousarray(w.transpose(2, 0, 1)), *rest)))
    out = [clustered_cases(rng, case, bits=1 + i % 8) for i, case in enumerate(by_filter)]
    return out + unused_centers(rng, out[:4]) + byte_centers(rng, by_filter)


OP = Op(
    name="clustered_depthwise",
    code=18,
    attrs=depthwise.ATTRS,
    operands=CLUSTERED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=lambda attrs, constants: cl.weights(attrs, constants).transpose(1, 2, 0),
    packs="depthwise",
    macs=cl.macs,
    ranges=ranges,
    validate=lambda view: lin.validate(dense(view)),
    channels=channelwise_filters,
    cases=cases,
)
SOURCE = SourceOp("clustered_depthwise", lower)
