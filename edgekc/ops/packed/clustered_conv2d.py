"""2-D convolution with clustered weights, int8 activations: the definition and its C kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...graph.bits import index_bits
from ...graph.fixedpoint import DOUBLE
from ...graph.ir import Array
from ...graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, Rows, Shape, View
from ...graph.scratch import Region, Regions
from ...graph.source import SourceOp
from .. import conv2d
from ..kernels import center_bytes as cb
from ..kernels import codes, decoded, quads, words
from ..kernels import expand as ex
from ..kernels import winograd as wg
from ..kernels import winograd_mve as wgm
from ..kernels import winograd_vec as wgv
from ..kernels.cost import Cost
from ..kernels.vector import VECTOR
from ..shared import linear as lin
from ..shared import ring
from ..shared.operands import CLUSTERED
from ..shared.testing import byte_centers, clustered_cases, unused_centers, winograd_cases
from . import clustered as cl


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


def _decode(view: View) -> float:
    """Instructions on a Cortex-M4 to expand a weight: two weights by one load of the table of pairs, or one by one."""
    return 2.2 if index_bits(view.indices.value) <= 4 else 5.8


def _codes_work(view: View, passes: int) -> tuple[float, ...]:
    """Weights to decode in every pass by the table of pairs, or one by one; bytes of that table."""
    weights, table = passes * view.indices.value.size, cl.table(view).bytes
    return (weights, 0, table) if table else (0, weights, 0)


def _winograd_work(view: View) -> tuple[float, ...]:
    as_dense = cl.dense(view)
    return (*wg.work(as_dense), *_codes_work(view, wg.passes(as_dense)))


def _expanded_work(view: View) -> tuple[float, ...]:
    as_dense, decode = cl.dense(view), _decode(view)
    return (*ex.work(as_dense, decode), *_codes_work(view, ex.passes(as_dense, decode)))


def _streamed(view: View, passes: int) -> tuple[float, ...]:
    """Weights to decode in every pass: eight at a time, of filters that begin at a byte, and one by one."""
    filters, taps = view.indices.shape[0], _taps(view)
    aligned = sum(c * taps * index_bits(view.indices.value) % 8 == 0 for c in range(filters))
    eights = aligned * (taps // 8 * 8)
    return passes * eights, passes * (filters * taps - eights)


def _quads_work(view: View) -> tuple[float, ...]:
    as_dense = cl.dense(view)
    return (*quads.work(as_dense), *_streamed(view, quads.passes(as_dense)))


def _tiles_work(view: View) -> tuple[float, ...]:
    as_dense = cl.dense(view)
    return (*quads.tile_work(as_dense), *_streamed(view, quads.tile_passes(as_dense)))


def _params(view: View) -> dict[str, Param]:
    _, k_h, k_w, _ = view.indices.shape
    as_dense = cl.dense(view)
    values = {**lin.window_params(view, k_h, k_w), **cl.params(view), "pad_value": view["pad_value"]}
    return {**values, "block": ex.block(as_dense, _decode(view)), "pointwise": int(ex.pointwise(as_dense))}


def _pointwise(view: View) -> bool:
    return view.indices.shape[1:3] == (1, 1) and ex.unpadded(view)


def _taps(view: View) -> int:
    return int(np.prod(view.indices.shape[1:]))


def _regions(view: View) -> Regions:
    _, k_h, k_w, _ = view.indices.shape
    return (
        *ring.regions(view, k_h, k_w),
        Region("windows", 4 * _taps(view), "int8 (4, taps): unrolled"),
        Region("weights", 2 * _taps(view), "int16 (taps): of one filter"),
    )


def _regions_dsp(view: View) -> Regions:
    return (cl.table(view), *ex.regions(cl.dense(view), _decode(view)))


FIELDS = (
    *cl.FIELDS,
    lin.WINDOW_FIELD,
    ("int8_t", "pad_value"),
    *cl.CODE_FIELDS,
    ("uint16_t", "block"),
    ("uint8_t", "pointwise"),
)
_kernel = partial(Kernel, header="ek_clustered.h", struct="ek_clustered_conv2d_params", fields=FIELDS)


def _regions_winograd(view: View) -> Regions:
    taps = Region("taps", 4 * 9 * view.x.shape[3], "int16 (9, in_c / 2, 2, 2): of one filter, words apart")
    return (cl.table(view), taps, *wg.regions(cl.dense(view), taps.name))


def _block_mve(view: View) -> int:
    return decoded.block(view, _taps(view))


def _regions_mve(view: View) -> Regions:
    k_h, k_w = (0, 0) if _pointwise(view) else view.indices.shape[1:3]
    return (
        *decoded.regions(_taps(view), _block_mve(view), planes=1),
        Region("indices", 2 * decoded.row(_taps(view)), "uint16 (row): of one filter"),
        *(ring.regions(view, k_h, k_w) if k_h else ring.NONE),
        decoded.unrolled(view, k_h, k_w),
    )


def _regions_winograd_mve(view: View) -> Regions:
    indices = Region("indices", 18 * view.x.shape[3], "uint16 (9, in_c): of one filter")
    return (indices, *wgm.regions(cl.dense(view)))


def _part_vec(view: View) -> int:
    return codes.part(cl.dense(view), words.PART)


def _params_vec(view: View) -> dict[str, Param]:
    _, k_h, k_w, _ = view.indices.shape
    as_dense = cl.dense(view)
    sizes = dict(block=words.block(as_dense), part=_part_vec(view), pointwise=int(ex.pointwise(as_dense)))
    return codes.params(view, **lin.window_params(view, k_h, k_w), **sizes, pad_value=view["pad_value"])


def _words_work(view: View) -> tuple[float, ...]:
    *most, weights, call = words.work(cl.dense(view), _part_vec(view))
    return (*most, *codes.decoded(view, weights), call)


def _winograd_vec_work(view: View) -> tuple[float, ...]:
    *most, weights, call = wgv.work(cl.dense(view))
    return (*most, *codes.decoded(view, weights), call)


def _params_winograd_vec(view: View) -> dict[str, Param]:
    as_dense = cl.dense(view)
    return {**_params_vec(view), "block": wgv.block(as_dense), "part": wgv.part(as_dense)}


def _regions_vec(view: View) -> Regions:
    as_dense = cl.dense(view)
    return words.regions(as_dense, _part_vec(view), words.block(as_dense))


def _params_bytes(view: View) -> dict[str, Param]:
    _, k_h, k_w, _ = view.indices.shape
    sizes = dict(block=cb.block(view), part=cb.part(view), pad_value=view["pad_value"])
    return codes.params(view, **lin.window_params(view, k_h, k_w), **sizes)


def _in_place_mve(view: View) -> tuple[int, ...]:
    """The ring's rule; without it, blocks of pixels are gathered before their outputs are written."""
    if not _pointwise(view):
        return ring.in_place(view, view.indices.shape[1])
    _, out_h, out_w, out_c = view.out.shape
    return (0,) if out_c <= view.x.shape[3] or out_h * out_w <= _block_mve(view) else ()


# First where bytes are far cheaper to multiply than what others take, elsewhere by its cost.
_BYTES = [
    Kernel(
        symbol="ek_clustered_conv2d_bytes_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_bytes_window_params",
        fields=cb.WINDOW_FIELDS,
        params=_params_bytes,
        needs=needs,
        accepts=lambda view: cb.accepts_window(view, cl.dense(view)),
        scratch=cb.regions,
        in_place=lambda view: ring.in_place(view, view.indices.shape[1]),
        counted_cost=Cost("ek_clustered_conv2d_bytes_s8_vec", cb.work),
        lays_out=lambda view: cb.records(view, cl.dense(view), cb.runs_of(view)[0]),
    )
    for needs in cb.CORES
]
KERNELS = (
    _kernel(
        symbol="ek_clustered_conv2d_s8_mve",
        params=lambda view: {**_params(view), "block": _block_mve(view)},
        needs=frozenset({"mve"}),
        accepts=lambda view: decoded.accepts(cl.dense(view)),
        scratch=_regions_mve,
        in_place=_in_place_mve,
        sources=decoded.SOURCES,
        counted_cost=Cost("ek_clustered_conv2d_s8_mve", lambda view: decoded.work(cl.dense(view), _block_mve(view))),
    ),
    _kernel(
        symbol="ek_clustered_winograd_s8_mve",
        params=lambda view: {**_params(view), "block": wgm.block(cl.dense(view))},
        needs=frozenset({"mve"}),
        accepts=lambda view: wgm.accepts(cl.dense(view)),
        scratch=_regions_winograd_mve,
        in_place=lambda view: wg.in_place(cl.dense(view)),
        sources=wgm.SOURCES,
        counted_cost=Cost("ek_clustered_winograd_s8_mve", lambda view: wgm.work(cl.dense(view))),
    ),
    _BYTES[0],
    Kernel(
        symbol="ek_clustered_winograd_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_vector_window_params",
        fields=codes.WINDOW_FIELDS,
        params=_params_winograd_vec,
        needs=VECTOR,
        accepts=lambda view: wgv.accepts(cl.dense(view)),
        scratch=lambda view: wgv.regions(cl.dense(view)),
        in_place=lambda view: wg.in_place(cl.dense(view)),
        sources=wgv.SOURCES,
        counted_cost=Cost("ek_clustered_winograd_s8_vec", _winograd_vec_work),
        lays_out=codes.records,
    ),
    Kernel(
        symbol="ek_clustered_conv2d_s8_vec",
        header="ek_clustered.h",
        struct="ek_clustered_vector_window_params",
        fields=codes.WINDOW_FIELDS,
        params=_params_vec,
        needs=VECTOR,
        accepts=lambda view: codes.accepts(cl.dense(view), words.PART),
        scratch=_regions_vec,
        in_place=lambda view: ex.in_place(cl.dense(view)),
        sources=words.SOURCES,
        counted_cost=Cost("ek_clustered_conv2d_s8_vec", _words_work),
        lays_out=codes.records,
    ),
    _BYTES[1],
    _kernel(
        symbol="ek_clustered_winograd_s8_dsp",
        params=lambda view: {**_params(view), "block": wg.block(cl.dense(view))},
        needs=frozenset({"dsp"}),
        accepts=lambda view: wg.accepts(cl.dense(view)),
        scratch=_regions_winograd,
        in_place=lambda view: wg.in_place(cl.dense(view)),
        sources=(*wg.SOURCES, *cl.PAIR_SOURCES),
        counted_cost=Cost("ek_clustered_winograd_s8_dsp", _winograd_work),
    ),
    _kernel(
        symbol="ek_clustered_conv2d_s8_dsp",
        params=_params,
        needs=frozenset({"dsp"}),
        accepts=lambda view: ex.fits(cl.dense(view)),
        scratch=_regions_dsp,
        in_place=lambda view: ex.in_place(cl.dense(view)),
        sources=(*ex.SOURCES, *cl.PAIR_SOURCES),
        counted_cost=Cost("ek_clustered_conv2d_s8_dsp", _expanded_work),
    ),
    *(
        _kernel(
            symbol="ek_clustered_winograd_s8_mul2",
            params=lambda view: {**_params(view), "block": quads.tile_block(cl.dense(view))},
            needs=needs,
            accepts=lambda view: wg.accepts(cl.dense(view)),
            scratch=lambda view: quads.tile_regions(cl.dense(view)),
            in_place=lambda view: wg.in_place(cl.dense(view)),
            sources=quads.TILE_SOURCES,
            counted_cost=Cost("ek_clustered_winograd_s8_mul2", _tiles_work),
        )
        for needs in quads.CORES
    ),
    *(
        _kernel(
            symbol="ek_clustered_conv2d_s8_mul2",
            params=lambda view: {**_params(view), "block": quads.block(cl.dense(view))},
            needs=needs,
            accepts=lambda view: quads.accepts(cl.dense(view)),
            scratch=lambda view: quads.regions(cl.dense(view)),
            in_place=lambda view: quads.in_place(cl.dense(view)),
            sources=quads.SOURCES,
            counted_cost=Cost("ek_clustered_conv2d_s8_mul2", _quads_work),
        )
        for needs in quads.CORES
    ),
    _kernel(
        symbol="ek_clustered_conv2d_s8",
        params=_params,
        scratch=_regions,
        in_place=lambda view: ring.in_place(view, view.indices.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    winograd = {case.name for case in winograd_cases(np.random.default_rng(0))}  # of smaller centers, below
    for i, case in enumerate(case for case in conv2d.cases(rng) if case.name not in winograd):
        out.append(clustered_cases(rng, case, bits=1 + i % 8))
    for i, case in enumerate(winograd_cases(rng)):
        out.append(clustered_cases(rng, case, bits=1 + i % 8, largest=wg.LARGEST))
    out += unused_centers(rng, out[:4] + [case for case in out if case.name in winograd][:4])
    return out + byte_centers(rng, conv2d.cases(rng))


OP = Op(
    name="clustered_conv2d",
    code=14,
    attrs=conv2d.ATTRS,
    operands=CLUSTERED,
    infer=infer,
    reference=reference,
    rows=Rows.WINDOW,
    kernels=KERNELS,
    weights=cl.weights,
    packs="conv2d",
    macs=cl.macs,
    ranges=lambda view, inputs: cl.ranges(view, inputs[0]),
    channels=lambda view: cl.channel_rule(3),
    validate=cl.validate,
    cases=cases,
)
SOURCE = SourceOp("clustered_conv2d", lower)
