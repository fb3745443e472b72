"""Kernels of template convolutions on each kind of core, and what they need and cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ...graph.bits import index_bits
from ...graph.op import Kernel, Param, View
from ...graph.scratch import Region, Regions
from ..packed import template as tp
from ..shared import linear as lin
from ..shared import ring
from . import decoded, quads, words
from . import expand as ex
from . import pixels as px
from . import winograd as wg
from . import winograd_mve as wgm
from . import winograd_vec as wgv
from .cost import Cost
from .vector import VECTOR

PLAN_SOURCES = ("ek_template_plan_dsp",)  # of cores with the DSP extension
PIXELS_MAX = 16  # whose responses the kernels hold at a time, for which an index is decoded once
DECODE = 5.9  # instructions to expand a weight on cores with the DSP extension
RESPONSES_BYTES = 16 * 1024  # what the kernels hold of responses, if four pixels need no more


def _responses(view: View) -> int:
    """Responses of one pixel, a word each."""
    return view.x.shape[3] * view.templates.shape[0]


def block_pixels(view: View) -> int:
    """Pixels whose responses the portable kernel holds at a time, a multiple of four.

    An index is decoded once for all of them, so more of them are faster; their responses are most of the scratch.
    """
    _, out_h, out_w, _ = view.out.shape
    affordable = max(view.held(RESPONSES_BYTES) // (4 * _responses(view)) // 4 * 4, 4)
    return min(PIXELS_MAX, affordable, (out_h * out_w + 3) // 4 * 4)


def _block_dsp(view: View) -> int:
    """As `block_pixels`: 32, 16 or 8."""
    _, out_h, out_w, _ = view.out.shape
    room = view.held(2 * RESPONSES_BYTES)
    if 4 * 32 * _responses(view) <= min(room, RESPONSES_BYTES) and out_h * out_w > 16:
        return 32
    return 16 if 4 * 16 * _responses(view) <= room and out_h * out_w > 8 else 8


def _accepts_dsp(view: View) -> bool:
    _, k_h, k_w = view.templates.shape
    window = (k_h, k_w, view["dilation_w"]) == (3, 3, 1)
    fits = view.x.shape[3] % 4 == 0 and 4 * 8 * _responses(view) <= 4 * RESPONSES_BYTES
    return window and fits and lin.short_requant(tp.dense(view))


def _params(view: View) -> dict[str, Param]:
    count, k_h, k_w = view.templates.shape
    names = ("templates", "indices", "pairs", "pair_indices")[: len(tp.codes(view))]
    values = lin.window_params(view, k_h, k_w)
    values.update(lin.output_params(view, names))
    values.update(count=count, ones=view["ones"], bits=index_bits(view.indices.value), pad_value=view["pad_value"])
    values.update(
        block=block_pixels(view), pair_count=_pair_count(view), pair_bits=0, pointwise=0, planes=_planes(view)
    )
    if "pair_indices" in names:
        values["pair_bits"] = index_bits(view.operand("pair_indices").value)
    else:
        values["pair_indices"] = 0
    return values


def _pair_count(view: View) -> int:
    """Of pairs that have indices."""
    return len(view.pairs.value) if view.has("pair_indices") else 0


def _plan(view: View) -> Regions:
    """What all kernels begin with, but for those on cores with Helium."""
    return (
        Region("table", 4 * _pair_count(view), "uint32 (pair_count): pairs that have indices, as words"),
        Region("plan", 8 * view.x.shape[3], "uint32 (in_c, 2): of one filter, as ek_template_plan makes it"),
    )


def _regions(view: View) -> Regions:
    _, k_h, k_w = view.templates.shape
    responses = "uint32 (block / 4, in_c, templates, 4 pixels)"
    return (
        *_plan(view),
        Region("responses", 4 * _responses(view) * block_pixels(view), responses),
        Region("taps", 8 * k_h * k_w, "uint32 (2, k_h, k_w): a window's values, and where they lie in `rows`"),
        *ring.regions(view, k_h, k_w),
    )


CODE_FIELDS = (
    ("const int8_t *", "templates"),
    ("const uint8_t *", "indices"),
    ("const ek_u16 *", "pairs"),
    ("const uint8_t *", "pair_indices"),
)
FIELDS = (
    *CODE_FIELDS,
    lin.BIAS_FIELD,
    lin.REQUANT_FIELD,
    lin.WINDOW_FIELD,
    ("int8_t", "pad_value"),
    ("uint8_t", "bits"),
    ("uint8_t", "pair_bits"),
    *(("uint16_t", name) for name in ("count", "pair_count", "ones", "block")),
    ("uint8_t", "pointwise"),
    ("uint8_t", "planes"),
)


def _regions_dsp(view: View) -> Regions:
    in_c, count = view.x.shape[3], view.templates.shape[0]
    apart = 2 * ((view.out.shape[2] - 1) * view["stride_w"] + 3) + 1
    table, _ = _plan(view)
    plan = "uint32 (in_c to a multiple of 8, 2), and a 0: of one filter, as ek_template_plan makes it"
    return (
        table,
        Region("plan", 8 * ((in_c + 7) // 8 * 8) + 4, plan),
        Region("responses", 4 * _responses(view) * _block_dsp(view), "uint32 (in_c, templates, block)"),
        Region("templates", 20 * count, "int16 (templates, 5, 2): widened"),
        Region("columns", 4 * in_c * apart, "int16 (in_c, apart, 2): three rows, columns side by side"),
        *ring.regions(view, 3, 3),
    )


def _regions_winograd(view: View) -> Regions:
    taps = Region("taps", 4 * 9 * view.x.shape[3], "int16 (9, in_c / 2, 2, 2): of one filter, words apart")
    table, plan = _plan(view)
    return (table, plan, taps, *wg.regions(tp.dense(view), plan.name))


def _regions_expanded(view: View) -> Regions:
    return (*_plan(view), *ex.regions(tp.dense(view), DECODE))


def _codes_work(view: View, passes: int) -> tuple[float, ...]:
    """Kernels to decode in every pass, with coded pairs or pairs of their own; templates; pairs that have indices."""
    kernels, coded = passes * view.indices.value.size, _pair_count(view)
    return (kernels, 0, view.templates.shape[0], coded) if coded else (0, kernels, view.templates.shape[0], 0)


def _winograd_work(view: View) -> tuple[float, ...]:
    as_dense = tp.dense(view)
    coded, own, _, pairs = _codes_work(view, wg.passes(as_dense))
    return (*wg.work(as_dense), coded, own, pairs)


def _expanded_work(view: View) -> tuple[float, ...]:
    as_dense = tp.dense(view)
    return (*ex.work(as_dense, DECODE), *_streamed(view, ex.passes(as_dense, DECODE)))


def _streamed(view: View, passes: int) -> tuple[float, ...]:
    """Weights to expand in every pass, of coded pairs or of pairs of their own; and pairs that have indices."""
    coded, own, _, pairs = _codes_work(view, passes)
    positions = view.templates.value[0].size
    return coded * positions, own * positions, pairs


def _quads_work(view: View) -> tuple[float, ...]:
    as_dense = tp.dense(view)
    return (*quads.work(as_dense), *_streamed(view, quads.passes(as_dense)))


def _tiles_work(view: View) -> tuple[float, ...]:
    as_dense = tp.dense(view)
    return (*quads.tile_work(as_dense), *_streamed(view, quads.tile_passes(as_dense)))


_QUADS_COST = Cost("ek_template_conv2d_s8_mul2", _quads_work)
_TILES_COST = Cost("ek_template_winograd_s8_mul2", _tiles_work)


def _beats_responses(view: View, cost: Cost) -> bool:
    """Whether a kernel for cores without SIMD is faster than the portable one, with as much room as it likes.

    By responses, a Cortex-M3 takes some 5.9 cycles for each tap of each template at a pixel, and 2 for each
    multiply-accumulate that the filters stand for.
    """
    responses = 5.9 * view.templates.shape[0] / view.out.shape[3] + 2
    return cost(replace(view, room=None)) <= responses * tp.macs(view)


def _response_work(view: View) -> tuple[float, ...]:
    """Of the kernel that works on responses: eight pixels of eight kernels, outputs, responses, gathering, the call."""
    _, out_h, out_w, out_c = view.out.shape
    in_c, pixels, held = view.x.shape[3], out_h * out_w, _block_dsp(view)
    eights = pixels // held * (held // 8) + -(-(pixels % held) // 8)
    work = (eights * out_c * ((in_c + 7) // 8), eights * out_c, pixels * _responses(view), pixels * in_c, 1)
    return (*work, *_codes_work(view, -(-pixels // held)))


def _decoded_work(view: View) -> tuple[float, ...]:
    _, out_h, out_w, _ = view.out.shape
    at_once = _block_mve(view)
    own = _own_pairs(view, -(-out_h * out_w // at_once))
    return (*decoded.work(tp.dense(view), at_once, _planes(view)), own)


def _own_pairs(view: View, passes: int) -> int:
    """Pairs to fetch in every pass, where each kernel has one of its own."""
    return 0 if _pair_count(view) else passes * view.indices.value.size


def _winograd_mve_work(view: View) -> tuple[float, ...]:
    as_dense = tp.dense(view)
    return (*wgm.work(as_dense), view.templates.shape[0], _own_pairs(view, wgm.passes(as_dense)))


def _expanded_params(view: View) -> dict[str, Param]:
    as_dense = tp.dense(view)
    return {**_params(view), "block": ex.block(as_dense, DECODE), "pointwise": int(ex.pointwise(as_dense))}


def _block_mve(view: View) -> int:
    return decoded.block(view, view.templates.value[0].size * view.x.shape[3])


def _planes(view: View) -> int:
    """1 where weights fit 16 bits; else a and b are cut in two, each half of which makes weights that do.

    With halves of 6 bits, templates of 127 and `ones` of 255 (a window of one tap) they stay below 63 * (127 + 255).
    """
    return 1 if lin.fits_int16(tp.dense(view).weights.value) else 2


def _accepts_mve(view: View) -> bool:
    """Two planes take about 0.7 instructions per MAC, the DSP kernel 0.3 and 0.8 * templates / filters."""
    templates = view.templates.value
    better = _planes(view) == 1 or not _accepts_dsp(view) or 2 * len(templates) >= view.out.shape[3]
    return better and templates.size < 2**16 and decoded.accepts(tp.dense(view))


def _kernels_mve(view: View, planes: int) -> Regions:
    """Which kernels a filter has, on cores with Helium."""
    in_c = view.x.shape[3]
    pairs = "int16 (planes, 2, pairs): a, and b times `ones`, of all pairs that have indices, or of one filter's"
    return (
        Region("kernels", 4 * in_c, "uint16 (2, in_c): of one filter, templates and places in `pairs`"),
        Region("pairs", 4 * planes * (_pair_count(view) or in_c), pairs),
    )


def _regions_mve(view: View) -> Regions:
    k_h, k_w = view.templates.shape[1:]
    planes = _planes(view)
    return (
        *decoded.regions(k_h * k_w * view.x.shape[3], _block_mve(view), planes),
        *_kernels_mve(view, planes),
        *ring.regions(view, k_h, k_w),
        decoded.unrolled(view, k_h, k_w),
    )


def _words_params(view: View) -> dict[str, Param]:
    as_dense = tp.dense(view)
    return {**_params(view), "block": words.block(as_dense), "pointwise": int(ex.pointwise(as_dense))}


def _winograd_vec_work(view: View) -> tuple[float, ...]:
    return wgv.work_by_kernels(tp.dense(view), coded=view.has("pair_indices"))


def _regions_words(view: View) -> Regions:
    return (*_plan(view), *words.regions_by_kernels(tp.dense(view)))


def _regions_winograd_mve(view: View) -> Regions:
    templates = Region("templates", 32 * view.templates.shape[0], "int16 (16, templates): transformed")
    return (*_kernels_mve(view, planes=1), templates, *wgm.regions(tp.dense(view)))


_kernel = partial(Kernel, header="ek_template.h", struct="ek_template_conv2d_params", fields=FIELDS)
KERNELS = (
    _kernel(
        symbol="ek_template_conv2d_s8_mve",
        params=lambda view: {**_params(view), "block": _block_mve(view)},
        needs=frozenset({"mve"}),
        accepts=_accepts_mve,
        scratch=_regions_mve,
        in_place=lambda view: ring.in_place(view, view.templates.shape[1]),
        sources=decoded.SOURCES,
        counted_cost=Cost("ek_template_conv2d_s8_mve", _decoded_work),
    ),
    _kernel(
        symbol="ek_template_winograd_s8_mve",
        params=lambda view: {**_params(view), "block": wgm.block(tp.dense(view))},
        needs=frozenset({"mve"}),
        accepts=lambda view: wgm.accepts(tp.dense(view)),
        scratch=_regions_winograd_mve,
        in_place=lambda view: wg.in_place(tp.dense(view)),
        sources=wgm.SOURCES,
        counted_cost=Cost("ek_template_winograd_s8_mve", _winograd_mve_work),
    ),
    _kernel(
        symbol="ek_template_winograd_s8_vec",
        params=lambda view: {**_params(view), "block": wgv.block(tp.dense(view))},
        needs=VECTOR,
        accepts=lambda view: wgv.accepts(tp.dense(view)),
        scratch=lambda view: (*_plan(view), words.of_rows(0)[0], *wgv.regions(tp.dense(view))),
        in_place=lambda view: wg.in_place(tp.dense(view)),
        sources=wgv.SOURCES,
        counted_cost=Cost("ek_template_winograd_s8_vec", _winograd_vec_work),
    ),
    _kernel(
        symbol="ek_template_conv2d_s8_vec",
        params=_words_params,
        needs=VECTOR,
        accepts=lambda view: words.accepts(as_dense := tp.dense(view), words.whole_positions(as_dense)),
        scratch=_regions_words,
        in_place=lambda view: ex.in_place(tp.dense(view)),
        sources=words.SOURCES,
        counted_cost=Cost("ek_template_conv2d_s8_vec", lambda view: words.work_by_kernels(tp.dense(view))),
    ),
    _kernel(
        symbol="ek_template_pixels_s8_vec",
        params=lambda view: {**_words_params(view), "block": px.block(view)},
        needs=VECTOR,
        accepts=lambda view: px.accepts(view, tp.dense(view)),
        scratch=lambda view: (*_plan(view), *px.regions(view, tp.dense(view))),
        in_place=lambda view: ex.in_place(tp.dense(view)),
        sources=words.SOURCES,
        counted_cost=Cost("ek_template_pixels_s8_vec", px.work),
    ),
    _kernel(
        symbol="ek_template_winograd_s8_dsp",
        params=lambda view: {**_params(view), "block": wg.block(tp.dense(view))},
        needs=frozenset({"dsp"}),
        accepts=lambda view: wg.accepts(tp.dense(view)),
        scratch=_regions_winograd,
        in_place=lambda view: wg.in_place(tp.dense(view)),
        sources=(*wg.SOURCES, *PLAN_SOURCES),
        counted_cost=Cost("ek_template_winograd_s8_dsp", _winograd_work),
    ),
    _kernel(
        symbol="ek_template_expanded_s8_dsp",
        params=_expanded_params,
        needs=frozenset({"dsp"}),
        accepts=lambda view: view.x.shape[3] % 2 == 0 and ex.fits(tp.dense(view)),
        scratch=_regions_expanded,
        in_place=lambda view: ex.in_place(tp.dense(view)),
        sources=(*ex.SOURCES, *PLAN_SOURCES),
        counted_cost=Cost("ek_template_expanded_s8_dsp", _expanded_work),
    ),
    _kernel(
        symbol="ek_template_conv2d_s8_dsp",
        params=lambda view: {**_params(view), "block": _block_dsp(view)},
        needs=frozenset({"dsp"}),
        accepts=_accepts_dsp,
        scratch=_regions_dsp,
        in_place=lambda view: ring.in_place(view, view.templates.shape[1]),
        sources=PLAN_SOURCES,
        counted_cost=Cost("ek_template_conv2d_s8_dsp", _response_work),
    ),
    *(
        _kernel(
            symbol="ek_template_winograd_s8_mul2",
            params=lambda view: {**_params(view), "block": quads.tile_block(tp.dense(view))},
            needs=needs,
            accepts=lambda view: wg.accepts(tp.dense(view)) and _beats_responses(view, _TILES_COST),
            scratch=lambda view: (*quads.tile_regions(tp.dense(view)), *_plan(view)),
            in_place=lambda view: wg.in_place(tp.dense(view)),
            sources=quads.TILE_SOURCES,
            counted_cost=_TILES_COST,
        )
        for needs in quads.CORES
    ),
    *(
        _kernel(
            symbol="ek_template_conv2d_s8_mul2",
            params=lambda view: {**_expanded_params(view), "block": quads.block(tp.dense(view))},
            needs=needs,
            accepts=lambda view: quads.accepts(tp.dense(view)) and _beats_responses(view, _QUADS_COST),
            scratch=lambda view: (*quads.regions(tp.dense(view)), *_plan(view)),
            in_place=lambda view: quads.in_place(tp.dense(view)),
            sources=quads.SOURCES,
            counted_cost=_QUADS_COST,
        )
        for needs in quads.CORES
    ),
    _kernel(
        symbol="ek_template_conv2d_s8",
        params=_params,
        accepts=lambda view: view.templates.shape[0] <= 256,
        scratch=_regions,
        in_place=lambda view: ring.in_place(view, view.templates.shape[1]),
        sources=("ek_output_s8",),
    ),
)
