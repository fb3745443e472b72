"""SVDF, int8 with a memory of 16 bits: the definition, its lowering and its C kernel.

A filter is a product of two: over the inputs of a step, and over what that gave in the last steps, which is kept. Units
are sums of filters. What is kept is an operand, and the front of the output, both as bytes: 16 bits for each filter and
step, the oldest step first, the lower byte of each first. Behind it are the units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize
from ..graph.ir import Array, Quant, Role, Tensor, constant
from ..graph.op import Case, Constant, IntAttrs, Kernel, Lowered, Op, Operand, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared import fixed16
from .shared.checks import require_int8
from .shared.operands import X
from .shared.testing import fills

ATTRS = ("out_zero",)
_ROOM = 3 * 2**29  # of sums over steps, in 32 bits; the rest is for rounding of the weights
MOST = 2**31  # what sums over the inputs stay below, after a left shift

_KEPT = Operand("kept")
_FEATURE = Operand("feature", Constant.ALWAYS, Role.WEIGHTS)  # int8 (filters, inputs)
_TIME = Operand("time", Constant.ALWAYS, Role.WEIGHTS)  # int16 (filters, steps)
_CONSTANTS = (
    _FEATURE,
    _TIME,
    Operand("feature_bias", Constant.ALWAYS, Role.BIAS),  # int32 (filters,): the input's zero point, folded in
    Operand("unit_bias", Constant.ALWAYS, Role.BIAS),  # int32 (units,)
    Operand("pair_multiplier", Constant.ALWAYS, Role.REQUANT),  # int32 (2,): of sums over inputs, and over steps
    Operand("pair_shift", Constant.ALWAYS, Role.REQUANT),  # int8 (2,)
)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, kept, feature, time, feature_bias, unit_bias, multiplier, shift = shapes
    filters, units = feature[0], unit_bias[0]
    if len(x) != 2 or len(feature) != 2 or len(time) != 2 or feature[1] != x[1] or time[0] != filters:
        raise ModelError(f"an SVDF of an input of shape {list(x)} with weights {list(feature)} and {list(time)}")
    if tuple(kept) != (x[0], 2 * filters * time[1]) or tuple(feature_bias) != (filters,) or filters % units:
        raise ModelError(f"an SVDF of {filters} filters and {units} units that keeps {list(kept)}")
    if len(unit_bias) != 1 or tuple(multiplier) != (2,) or tuple(shift) != (2,):
        raise ModelError(f"an SVDF with multipliers {list(multiplier)}, shifts {list(shift)}, bias {list(unit_bias)}")
    return [(x[0], kept[1] + units)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    """Sums over steps have 32 bits, and wrap."""
    x, kept, feature, time, feature_bias, unit_bias, multiplier, shift = inputs
    sums = x.astype(np.int64) @ feature.astype(np.int64).T + feature_bias
    newest = fixed16.saturate(requantize(sums, multiplier[0], shift[0], DOUBLE))
    memory = np.ascontiguousarray(kept).view("<i2").reshape(-1, *time.shape).astype(np.int64)
    memory = np.concatenate([memory[..., 1:], newest[..., None]], -1)
    units = (memory * time).sum(-1).reshape(len(x), len(unit_bias), -1).sum(-1) + unit_bias
    units = requantize(units.astype(np.int32).astype(np.int64), multiplier[1], shift[1], DOUBLE)
    out = np.clip(units + attrs["out_zero"], -128, 127).astype(np.int8)
    return [np.concatenate([memory.astype("<i2").view(np.int8).reshape(len(x), -1), out], 1)]


def validate(view: View) -> None:
    multiplier, shift = (view.operand(f"pair_{name}").value.astype(np.int64) for name in ("multiplier", "shift"))
    if multiplier.min() < 0 or shift.min() < -31 or shift.max() > 30:
        raise ModelError("a multiplier is negative, or a shift outside of -31 to 30")
    if _bound(view.operand("feature").value, view.operand("feature_bias").value) << max(int(shift[0]), 0) >= MOST:
        raise ModelError("the sums of an SVDF's filters could leave 32 bits")


def _bound(feature: Array, bias: Array) -> int:
    """The largest magnitude of a sum over the inputs."""
    return int((128 * np.abs(feature.astype(np.int64)).sum(1) + np.abs(bias.astype(np.int64))).max())


def lower(view: View) -> Lowered:
    require_int8(View(view.node, view.inputs[:2], view.outputs, view.operands))
    x, kept, name = view.x, view.operand("kept"), view.node.name
    if x.data is not None or kept.data is not None:
        raise UnsupportedError("an SVDF of a constant", where=name)
    feature, time, bias = (view.operand(n) for n in ("feature", "time", "unit_bias"))
    single = np.float32  # LiteRT multiplies and divides in float32
    state_scale = single(float(view.node.attrs["state_scale"]))
    reals = (
        single(x.q.scale) * single(feature.q.scale) / state_scale,
        state_scale * single(time.q.scale) / single(view.out.q.scale),
    )
    pairs = [quantize_multiplier(float(real)) for real in reals]
    folded = -x.q.zero_point * feature.value.astype(np.int64).sum(1)
    if max(shift for _, shift in pairs) > 30 or _bound(feature.value, folded) << max(pairs[0][1], 0) >= MOST:
        text = "an SVDF whose scales let the sums of a filter leave 32 bits"
        raise UnsupportedError(text, where=name, fix="quantise the model with representative data")
    constants = (
        constant(f"{name}/feature", feature.value, Role.WEIGHTS),
        constant(f"{name}/time", time.value, Role.WEIGHTS),
        constant(f"{name}/feature_bias", folded.astype(np.int32), Role.BIAS),
        constant(f"{name}/unit_bias", bias.value, Role.BIAS),
        constant(f"{name}/pair_multiplier", np.array([p[0] for p in pairs], np.int32), Role.REQUANT),
        constant(f"{name}/pair_shift", np.array([p[1] for p in pairs], np.int8), Role.REQUANT),
    )
    return Lowered("svdf", dict(out_zero=view.out.q.zero_point), (x.name, kept.name), constants)


def _params(view: View) -> dict[str, Param]:
    (filters, inputs), steps = view.operand("feature").shape, view.operand("time").shape[1]
    units = view.operand("unit_bias").shape[0]
    return {
        **{operand.name: view.operand(operand.name).name for operand in _CONSTANTS},
        **dict(inputs=inputs, steps=steps, units=units, rank=filters // units, out_zero=view["out_zero"]),
    }


KERNELS = (
    Kernel(
        symbol="ek_svdf_s8",
        header="ek_svdf.h",
        struct="ek_svdf_params",
        fields=(
            ("const int8_t *", "feature"),
            ("const ek_s16 *", "time"),
            ("const int32_t *", "feature_bias"),
            ("const int32_t *", "unit_bias"),
            ("const int32_t *", "pair_multiplier"),
            ("const int8_t *", "pair_shift"),
            *(("uint32_t", name) for name in ("inputs", "steps", "units", "rank")),
            ("int16_t", "out_zero"),
        ),
        params=_params,
        in_place=lambda view: (1,),  # a step's bytes are read before those of the step before it are written
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, depth, units, rank, steps) in enumerate(
        (("one", 1, 1, 1, 1), ("rank-two", 5, 3, 2, 4), ("wide", 33, 17, 1, 2), ("long", 2, 2, 2, 40))
    ):
        filters = units * rank
        for fill, x in fills(rng, (1, depth)):
            feature = rng.integers(-127, 128, (filters, depth)).astype(np.int8)
            time = rng.integers(-32768, 32768, (filters, steps)).astype(np.int16)
            kept = rng.integers(-128, 128, (1, 2 * filters * steps)).astype(np.int8)
            if fill == "low":  # sums that wrap
                time[:], kept[:] = 32767, 127
            biases = [rng.integers(-(2**bits), 2**bits, n).astype(np.int32) for bits, n in ((12, filters), (20, units))]
            reals = float(np.exp(rng.uniform(-2, 3))), float(np.exp(rng.uniform(-20, -14)))
            pairs = [quantize_multiplier(real) for real in reals]
            multiplier = np.array([p[0] for p in pairs], np.int32)
            shift = np.array([p[1] for p in pairs], np.int8)
            attrs = dict(out_zero=int(rng.integers(-128, 128)) if i % 2 else -128)
            out.append(Case(f"{name}-{fill}", attrs, (x, kept, feature, time, *biases, multiplier, shift)))
    return out


OP = Op(
    name="svdf",
    code=63,
    attrs=ATTRS,
    operands=(X, _KEPT, *_CONSTANTS),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: view.operand("feature").value.size + view.operand("time").value.size,
    validate=validate,
    cases=cases,
)


def _real(view: View, operands: Sequence[Array]) -> Array:
    """Memory and units, float32 (n, filters * steps + units): a value for each filter and step, the oldest first."""
    x, kept, feature, time, bias = operands
    newest = x @ feature.T
    memory = np.concatenate([kept.reshape(-1, *time.shape)[..., 1:], newest[..., None]], -1)
    units = (memory * time).sum(-1).reshape(len(x), len(bias), -1).sum(-1) + bias
    return np.concatenate([memory.reshape(len(x), -1), units], 1)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    x, kept, feature, time, bias = operands
    newest = x @ feature.T
    memory = torch.cat([kept.reshape(-1, *time.shape)[..., 1:], newest[..., None]], -1)
    units = (memory * time).sum(-1).reshape(len(x), len(bias), -1).sum(-1) + bias
    return torch.cat([memory.reshape(len(x), -1), units], 1)


def _quantised(view: View, quants: Mapping[str, Quant]) -> list[Tensor]:
    """Weights over inputs in int8, over steps in 16 bits, coarse enough for sums that do not leave 32 bits."""
    state_scale = float(view.node.attrs["state_scale"])
    feature, time, bias = (view.operand(n) for n in ("feature", "time", "unit_bias"))
    for given in (feature, time, bias):
        if not np.isfinite(given.value).all():
            raise ModelError("holds NaN or infinity", where=given.name)
    by_unit = np.abs(time.value.astype(np.float64)).reshape(len(bias.value), -1).sum(1)
    most = (2.0**15 * by_unit + np.abs(bias.value.astype(np.float64)) / state_scale).max() / _ROOM
    scales = float(np.abs(feature.value).max()) / 127, max(float(np.abs(time.value).max()) / 32767, float(most))
    f, t = (Quant((float(np.float32(max(s, float(np.finfo(np.float32).tiny)))),), (0,)) for s in scales)
    rows, columns = (np.asarray(np.round(a.value.astype(np.float64) / q.scale)) for a, q in ((feature, f), (time, t)))
    units = np.asarray(np.round(bias.value.astype(np.float64) / (state_scale * t.scale)))
    return [
        constant(feature.name, np.clip(rows, -127, 127).astype(np.int8), Role.WEIGHTS, f),
        constant(time.name, np.clip(columns, -32767, 32767).astype(np.int16), Role.WEIGHTS, t),
        constant(bias.name, np.clip(units, -_ROOM, _ROOM).astype(np.int32), Role.BIAS),
    ]


SOURCE = SourceOp(
    "memory_filters",
    lower,
    FloatHalf(_real, _in_torch, constants=_quantised, keeps_words=True),
    clamps=False,
    becomes="svdf",
    operands=(X, _KEPT, _FEATURE, _TIME, _CONSTANTS[3]),
)
