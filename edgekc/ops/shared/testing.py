"""Test cases for operators with weights: random values and the extremes that random values miss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...graph.bounds import FAR_ZEROS
from ...graph.fixedpoint import DOUBLE, SINGLE, quantize_multiplier
from ...graph.ir import Array
from ...graph.op import Case


def fills(rng: np.random.Generator, shape: tuple[int, ...]) -> list[tuple[str, Array]]:
    """An int8 input of each kind: random, all -128, all 127 (constant fills expose padding mistakes)."""
    random = rng.integers(-128, 128, shape).astype(np.int8)
    return [
        ("random", random),
        ("low", np.full(shape, -128, np.int8)),
        ("high", np.full(shape, 127, np.int8)),
    ]


def in_float(cases: Sequence[Case]) -> list[Case]:
    """The random ones of an operator that moves values, of float32; what they are filled with is 0."""
    out = []
    for case in cases:
        if case.name.endswith("-random"):
            attrs = {**case.attrs, **({"pad_value": 0} if "pad_value" in case.attrs else {})}
            inputs = tuple(x.astype(np.float32) / 7 if x.dtype == np.int8 else x for x in case.inputs)
            out.append(Case(f"{case.name}-float", attrs, inputs))
    return out


def linear_cases(
    rng: np.random.Generator,
    name: str,
    attrs: dict[str, int],
    x_shape: tuple[int, ...],
    w_shape: tuple[int, ...],
    channels: int,
    taps: int,
    padded: bool = True,
) -> list[Case]:
    """Cases over fills, rounding rules, clamps, per-tensor and per-channel requantisation."""
    out = []
    kinds = [(*fill, DOUBLE if i != 1 else SINGLE, i == 2) for i, fill in enumerate(fills(rng, x_shape))]
    # The extremes once more as layers without a clamp of their own have them, which faster kernels are for.
    rules = (("double", DOUBLE), ("single", SINGLE))
    kinds += [(f"{name}-{rule}", x, rounding, False) for name, x, *_ in kinds[1:] for rule, rounding in rules]
    # And all of it without weights of -128, as quantisers write them and some kernels want them.
    kinds += [(f"{name}-narrow-double", x, DOUBLE, i == 0) for i, (name, x) in enumerate(fills(rng, x_shape))]
    kinds += [(f"{name}-narrow-single", x, SINGLE, i == 2) for i, (name, x) in enumerate(fills(rng, x_shape))]
    for i, (fill, x, rounding, clamped) in enumerate(kinds):
        w = rng.integers(-128, 128, w_shape).astype(np.int8) if "high" not in fill else np.full(w_shape, -128, np.int8)
        if "narrow" in fill:
            w = np.maximum(w, -127)
        bias = rng.integers(-(2**16), 2**16, channels).astype(np.int32)
        count = 1 if i % 3 == 1 else channels
        real = rng.uniform(0.2, 2.0, count) / (128 * np.sqrt(taps) * 2)
        pairs = [quantize_multiplier(float(r)) for r in real]
        multiplier = np.array([p[0] for p in pairs], np.int32)
        shift = np.array([p[1] for p in pairs], np.int8)
        full = dict(attrs)
        if padded:
            full["pad_value"] = int(rng.integers(-128, 128))
        zero = int(rng.integers(-128, 128))
        # Every other layer ends in a ReLU: some kernels have a shorter way to its output.
        full.update(out_zero=-128 if i // 2 % 2 else zero, act_min=-128, act_max=127)
        full["rounding"] = rounding
        if clamped:
            full.update(act_min=-100, act_max=90)
        out.append(Case(f"{name}-{fill}", full, (x, w, bias, multiplier, shift)))
    return out


def with_far_zeros(cases: Callable[[np.random.Generator], list[Case]]) -> Callable[[np.random.Generator], list[Case]]:
    """An operator's cases, and some of them once more with zero points far beyond int8, as `anchored` makes them."""

    def more(rng: np.random.Generator) -> list[Case]:
        found = cases(rng)
        usual = [case for case in found if (case.attrs["act_min"], case.attrs["act_max"]) == (-128, 127)]
        return found + [_far(case, FAR_ZEROS[i % 2]) for i, case in enumerate(usual[::37])]

    return more


def _far(case: Case, zero: int) -> Case:
    """The same outputs, but for rounding: what the zero point takes away the bias gives."""
    x, w, bias, multiplier, shift = case.inputs
    real = multiplier * 2.0 ** (shift.astype(float) - 31)
    moved = bias + np.round((case.attrs["out_zero"] - zero) / real)
    assert np.abs(moved).max() < 2**28, case.name
    return Case(f"{case.name}-far", {**case.attrs, "out_zero": zero}, (x, w, moved.astype(np.int32), multiplier, shift))


def winograd_cases(rng: np.random.Generator) -> list[Case]:
    """Dense cases for 3x3 windows of stride 1: odd and even sizes, paddings, several passes, and parts of one."""
    shapes = [  # x (h, w, c), oc, pads (top, bottom, left, right)
        ("tiles", (6, 8, 8), 4, (1, 1, 1, 1)),
        ("tiles-odd", (5, 7, 12), 5, (1, 1, 1, 1)),
        ("tiles-one-pixel", (1, 1, 4), 3, (1, 1, 1, 1)),
        ("tiles-unpadded", (6, 5, 4), 2, (0, 0, 0, 0)),
        ("tiles-asymmetric", (4, 6, 16), 3, (0, 2, 2, 0)),
        ("tiles-many", (19, 17, 8), 7, (1, 1, 1, 1)),
        ("tiles-growing", (9, 4, 4), 24, (1, 1, 1, 1)),
        # What vector kernels take in blocks of 16 filters and four tiles; fewer fills, for their time.
        ("tiles-blocks", (9, 11, 16), 35, (1, 1, 1, 1)),
        ("tiles-parts", (7, 5, 24), 16, (1, 1, 1, 1)),
    ]
    out = []
    for name, x, oc, pads in shapes:
        attrs = dict(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1)
        attrs.update(zip(("pad_top", "pad_bottom", "pad_left", "pad_right"), pads, strict=True))
        found = linear_cases(rng, name, attrs, (1, *x), (oc, 3, 3, x[2]), oc, 9 * x[2])
        out += found[:3] if x[2] > 12 and oc > 12 else found
    return out


def clustered_cases(rng: np.random.Generator, case: Case, bits: int, largest: int = 2**15) -> Case:
    """A case with dense weights turned into one with clustered weights of `bits`-bit indices, up to `largest`."""
    x, w, bias, multiplier, shift = case.inputs
    centers = rng.integers(-largest, largest, (1, 2**bits)).astype(np.int16)
    if "high" in case.name:
        centers[:] = -largest  # the largest products
    indices = rng.integers(0, 2**bits, w.shape).astype(np.uint8)
    indices.flat[0] = 2**bits - 1  # the width of an index follows from the largest
    # Centers are up to 256 times an int8 weight, so the output scale is too.
    smaller = np.maximum(shift.astype(np.int64) - max((largest // 128).bit_length() - 1, 0), -31).astype(np.int8)
    return Case(case.name, case.attrs, (x, indices, centers, bias, multiplier, smaller))


def byte_centers(rng: np.random.Generator, cases: Sequence[Case]) -> list[Case]:
    """Some cases with dense weights once more, clustered with centers of a byte, every width of an index in turn.

    A third has no center of 0, and a third -127 and 127 alone.
    """
    found = []
    for i, case in enumerate([case for case in cases if "narrow" in case.name][::5]):
        bits = 1 + i % 8
        c = clustered_cases(rng, replace(case, name=f"{case.name}-byte-centers"), bits, largest=128)
        x, indices, _, *rest = c.inputs
        centers = np.sort(rng.permutation(np.arange(-127, 128))[: 2**bits])
        if bits < 8 and i % 3 == 1:
            centers = centers - (centers == 0)
        if i % 3 == 2:
            centers = np.where(centers < 0, -127, 127)
        centers = np.resize(centers, 2**bits).astype(np.int16)[None]
        found.append(replace(c, inputs=(x, indices, centers, *rest)))
    return found


def unused_centers(rng: np.random.Generator, cases: Sequence[Case]) -> list[Case]:
    """Cases with clustered weights turned into ones whose last centers no index names, nor can."""
    found = []
    for case in cases:
        x, indices, centers, *rest = case.inputs
        more = rng.integers(-(2**15), 2**15, (1, min(5, 256 - centers.shape[1]))).astype(np.int16)
        inputs = (x, indices, np.concatenate((centers, more), axis=1), *rest)
        found.append(Case(f"{case.name}-unused", case.attrs, inputs))
    return found
