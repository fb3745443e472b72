"""What depthwise convolutions on template kernels share: weights[:, :, c] = a[c] * template[index[c]] + b[c] * ones.

The integers, their proofs and their packed form are those of template convolutions (`template.py`) with one input
channel a filter, so indices are (oc, 1) and pairs (oc, 1, 2). The arithmetic differs: as every kernel has an input
of its own, no response is shared, and a kernel's few weights are decoded once for a row of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...graph.bits import index_bits
from ...graph.ir import Array, Role, constant
from ...graph.op import Case, IntAttrs, Interval, Kernel, Param, View
from .. import depthwise
from ..kernels.template import CODE_FIELDS
from ..shared import linear as lin
from ..shared import ring
from . import template as tp

ATTRS = (*depthwise.ATTRS, "ones")


def expand(ones: int, templates: Array, indices: Array, pairs: Array) -> Array:
    """Dense int64 weights (kh, kw, oc); indices (oc, 1), pairs (oc, 1, 2)."""
    return np.asarray(tp.expand(ones, templates, indices, pairs)[..., 0].transpose(1, 2, 0))


def weights(attrs: IntAttrs, constants: Sequence[Array]) -> Array:
    """`Op.weights`."""
    return np.asarray(tp.weights(attrs, constants)[..., 0].transpose(1, 2, 0))


def dense(view: View) -> View:
    """The same node as a depthwise layer with dense weights."""
    as_filters = tp.dense(view)
    x, filters, *rest = as_filters.inputs
    w = constant(filters.name, filters.value[..., 0].transpose(1, 2, 0), Role.WEIGHTS)
    return replace(as_filters, inputs=(x, w, *rest))


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    return depthwise.ranges(dense(view), inputs)


def params(view: View) -> dict[str, Param]:
    """A value for each of FIELDS."""
    return {**code_params(view), **lin.window_params(view, *view.templates.shape[1:])}


def code_params(view: View) -> dict[str, Param]:
    """A value for each of FIELDS but the window."""
    coded = view.has("pair_indices")
    names = ("templates", "indices", "pairs", "pair_indices")[: 4 if coded else 3]
    values = lin.output_params(view, names)
    values.update(ones=view["ones"], bits=index_bits(view.indices.value), pad_value=view["pad_value"])
    values.update(pair_indices=view.operand("pair_indices").name if coded else 0)
    return {**values, "pair_bits": index_bits(view.operand("pair_indices").value) if coded else 0}


FIELDS = (
    *CODE_FIELDS,
    lin.BIAS_FIELD,
    lin.REQUANT_FIELD,
    lin.WINDOW_FIELD,
    ("int8_t", "pad_value"),
    ("uint8_t", "bits"),
    ("uint8_t", "pair_bits"),
    ("uint16_t", "ones"),
)


def _accepts_3x3(view: View) -> bool:
    """Whether the layer is one for the planes of int16, and its weights fit them."""
    as_dense = dense(view)
    return lin.fits_int16(as_dense.weights.value) and depthwise.accepts_3x3(as_dense)


KERNELS = (
    Kernel(
        symbol="ek_template_depthwise3x3_s8_dsp",
        header="ek_template.h",
        struct="ek_template_depthwise_params",
        fields=FIELDS,
        params=params,
        needs=frozenset({"dsp"}),
        accepts=_accepts_3x3,
        scratch=depthwise.regions_3x3,
        in_place=lambda view: ring.in_place(view, 3),
        sources=("ek_depthwise_wide_dsp",),
    ),
    Kernel(
        symbol="ek_template_depthwise_s8",
        header="ek_template.h",
        struct="ek_template_depthwise_params",
        fields=FIELDS,
        params=params,
        scratch=lambda view: depthwise.decoded_regions(view, *view.templates.shape[1:]),
        in_place=lambda view: ring.in_place(view, view.templates.shape[1]),
        sources=("ek_output_s8",),
    ),
)


def cases(rng: np.random.Generator, coded: bool) -> list[Case]:
    """Those of dense depthwise layers on templates, with a pair for each kernel or with coded pairs."""
    out = []
    for i, case in enumerate(depthwise.cases(rng)):
        k_h, k_w, oc = case.inputs[1].shape
        count, pair_count = (1, 2, 5, 16, 256)[i % 5], (1, 3, 8, 33, 256)[i // 5 % 5]
        shape, attrs = (count, k_h, k_w), {**case.attrs, "ones": tp.response_limit(k_h * k_w)}
        out.append(Case(case.name, attrs, tp.with_templates(rng, case, shape, (oc, 1), pair_count if coded else 0)))
        if (k_h, k_w) == (3, 3):
            # Once more with weights of up to 16 bits, to their very end, as the DSP kernel wants them.
            largest = 2**15 // (2 * attrs["ones"])
            operands = tp.with_templates(rng, case, shape, (oc, 1), pair_count if coded else 0, largest)
            out.append(Case(f"{case.name}-expanded", attrs, operands))
    return out
