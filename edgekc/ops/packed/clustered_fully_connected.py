"""Fully connected layer with clustered weights, int8 activations: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from ...graph.bits import index_bits
from ...graph.fixedpoint import DOUBLE, SINGLE
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, View
from ...graph.scratch import Region, Regions
from ...graph.source import SourceOp
from .. import fully_connected
from ..kernels import center_bytes as cb
from ..kernels import codes, quads
from ..kernels.vector import BLOCK, COLUMNS, VECTOR
from ..shared import dense
from ..shared import linear as lin
from ..shared.operands import CLUSTERED
from ..shared.testing import byte_centers, clustered_cases, linear_cases, unused_centers
from . import clustered as cl


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """As fully_connected with w = center[index]."""
    x, indices, centers, *rest = inputs
    return fully_connected.reference(attrs, (x, cl.expand(indices, centers), *rest))


def lower(view: View) -> Lowered:
    act_min, act_max = lin.activation_range(view)
    rounding = DOUBLE if view.node.attrs.get("rounding") == "double" else SINGLE
    attrs = dict(out_zero=view.out.q.zero_point, act_min=act_min, act_max=act_max, rounding=rounding)
    return Lowered("clustered_fully_connected", attrs, (view.x.name,), cl.lower_constants(view))


def _params(view: View) -> dict[str, Param]:
    sizes = dict(rows=dense.rows(view), in_c=view.x.shape[-1], out_c=view.out.shape[-1])
    return {**sizes, **cl.params(view)}


FIELDS = (
    *cl.FIELDS,
    *(("uint32_t", name) for name in ("rows", "in_c", "out_c")),
    *cl.CODE_FIELDS,
)
_kernel = partial(Kernel, header="ek_clustered.h", struct="ek_clustered_fully_connected_params", fields=FIELDS)


def _accepts_dsp(view: View) -> bool:
    dense = cl.dense(view)
    return lin.short_requant(dense) or lin.shorter_requant(dense)


def _regions_dsp(view: View) -> Regions:
    n = view.x.shape[-1]
    pairs = 2 * ((n + 3) // 4 * 4)
    shared = n % 2 and index_bits(view.indices.value) == 4
    held = "int16: a row as pairs of values; also from the second value on where two filters share a byte"
    return cl.table(view), Region("pairs", max(pairs, 4 * n) if shared else pairs, held)


def _part(view: View) -> int:
    return codes.part(cl.dense(view), codes.MATRIX_PART)


def _params_vec(view: View, part: int) -> dict[str, Param]:
    sizes = dict(rows=dense.rows(view), in_c=view.x.shape[-1], out_c=view.out.shape[-1])
    return codes.params(view, **sizes, part=part)


def _regions_vec(view: View) -> Regions:
    rows = 2 * COLUMNS * (-(-view.x.shape[-1] // 8) * 8)
    return (
        Region("weights", 2 * BLOCK * (-(-_part(view) // 8) * 8), "16 filters, as ek_words_run has them"),
        Region("rows", rows, "as ek_words_run has taps (8, in_c to a multiple of 8): inputs", align=2),
    )


def _accepts_mve(view: View) -> bool:
    return index_bits(view.indices.value) == 4 and lin.vector_requant(cl.dense(view))


def _regions_mve(view: View) -> Regions:
    n = view.x.shape[-1]
    return cl.table(view), Region("odd", n + 2 if n % 2 else 0, "int8: a row of an odd number of values between zeros")


KERNELS = (
    _kernel(
        symbol="ek_clustered_fully_connected_s8_mve",
        params=_params,
        needs=frozenset({"mve"}),
        accepts=_accepts_mve,
        scratch=_regions_mve,
    ),
    Kernel(
        symbol="ek_clustered_fully_connected_bytes_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_vector_matrix_params",
        fields=codes.MATRIX_FIELDS,
        params=lambda view: _params_vec(view, cb.matrix_part(view)),
        needs=VECTOR,
        accepts=lambda view: cb.accepts_matrix(view, cl.dense(view)),
        scratch=cb.matrix_regions,
        lays_out=lambda view: cb.records(view, cl.dense(view), 1),
    ),
    Kernel(
        symbol="ek_clustered_fully_connected_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_vector_matrix_params",
        fields=codes.MATRIX_FIELDS,
        params=lambda view: _params_vec(view, _part(view)),
        needs=VECTOR,
        accepts=lambda view: codes.accepts(cl.dense(view), codes.MATRIX_PART),
        scratch=_regions_vec,
        lays_out=codes.records,
    ),
    _kernel(
        symbol="ek_clustered_fully_connected_s8_dsp",
        params=_params,
        needs=frozenset({"dsp"}),
        accepts=_accepts_dsp,
        scratch=_regions_dsp,
        sources=cl.PAIR_SOURCES,
    ),
    *(
        _kernel(
            symbol="ek_clustered_fully_connected_s8_mul2",
            params=_params,
            needs=needs,
            accepts=lambda view: index_bits(view.indices.value) == 4 and view.x.shape[-1] % 2 == 0,
            sources=("ek_output_s8",),
        )
        for needs in quads.CORES
    ),
    _kernel(
        symbol="ek_clustered_fully_connected_s8",
        params=_params,
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    dense = fully_connected.cases(rng)
    for name, x, oc in (("long", (1, 80), 17), ("long-odd", (5, 83), 3)):  # more indices than a vector holds
        dense += linear_cases(rng, name, {}, x, (oc, x[1]), oc, x[1], padded=False)
    out = [clustered_cases(rng, case, bits=1 + i % 8) for i, case in enumerate(dense)]
    # Indices of 4 bits once more, which the DSP kernel takes two filters at a time.
    bytes_ = [
        replace(case, name=f"{case.name}-bytes") for case in dense if "double" in case.name or "single" in case.name
    ]
    out += [clustered_cases(rng, case, bits=4) for case in bytes_]
    # What low-rank layers have: many filters of few taps, whatever is left of four of them, and not every center.
    for name, taps, oc in (("rank-odd", 23, 39), ("rank-even", 18, 41), ("rank-short", 7, 22), ("rank-back", 61, 7)):
        out += [clustered_cases(rng, c, 4) for c in linear_cases(rng, name, {}, (1, taps), (oc, taps), oc, taps, False)]
    out += [_of_nine_centers(case) for case in out if case.name.startswith("rank-") and "random" in case.name]
    return out + unused_centers(rng, out[:4]) + byte_centers(rng, dense)


def _of_nine_centers(case: Case) -> Case:
    x, indices, centers, *rest = case.inputs
    return replace(case, name=f"{case.name}-nine", inputs=(x, np.minimum(indices, 8), centers[:, :9], *rest))


OP = Op(
    name="clustered_fully_connected",
    code=15,
    attrs=lin.OUTPUT,
    operands=CLUSTERED,
    infer=dense.infer,
    reference=reference,
    kernels=KERNELS,
    weights=cl.weights,
    packs="fully_connected",
    macs=cl.macs,
    ranges=lambda view, inputs: cl.ranges(view, inputs[0]),
    channels=lambda view: cl.channel_rule(1),
    validate=cl.validate,
    cases=cases,
)
SOURCE = SourceOp("clustered_fully_connected", lower)
