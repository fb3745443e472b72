"""Pools, and images of another size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....graph.ir import Array
from ... import nchw
from ...builder import MAX_DIM
from ...value import Value
from ..args import Args, sides, spatial, spatial_axes
from .common import Handler


def _pool(op: str) -> Callable[[Args], Value]:
    def handler(a: Args) -> Value:
        x = a.need(0, "input")
        count = spatial_axes(a, x)
        kernel = spatial(a, "kernel_shape", [], count)
        stride, dilation = spatial(a, "strides", [1] * count, count), spatial(a, "dilations", [1] * count, count)
        pads = sides(a, x.shape[2:], kernel, stride, dilation)
        ceil, counted = bool(a.attr("ceil_mode", 0)), bool(a.attr("count_include_pad", 0))
        return nchw.pool(a.b, op, x, kernel, stride, dilation, pads, ceil, counted)

    return handler


def _resize(a: Args) -> Value:
    """Resize of opsets 10 (x, scales) and 11 on (x, roi, scales, sizes), and Upsample."""
    x, old = a.need(0, "input"), a.node.op == "Upsample" or a.opset < 11
    rank = len(x.shape)
    axes = [i % rank for i in a.attr("axes", list(range(rank)))]
    scales = a.constant(1 if old else 2, "scales") if "scales" not in a.node.attrs else np.array(a.attr("scales", []))
    wanted = None if old else a.ints(3, "sizes", "sizes")
    factors, sizes = [1.0] * rank, list(x.shape)
    policy = a.text("keep_aspect_ratio_policy", "stretch")
    if wanted:
        for axis, size in zip(axes, wanted, strict=True):
            sizes[axis], factors[axis] = size, size / x.shape[axis]
        if policy != "stretch":
            pick = min if policy == "not_larger" else max
            factor = pick(factors[i] for i in axes)
            for axis in axes:
                sizes[axis], factors[axis] = int(np.floor(factor * x.shape[axis] + 0.5)), factor
    elif scales is not None:
        for axis, factor in zip(axes, scales.ravel().tolist(), strict=True):
            factors[axis], sizes[axis] = factor, int(np.floor(x.shape[axis] * factor))
    mode = a.text("mode", "nearest")
    coordinates = a.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    rounding = a.text("nearest_mode", "floor" if old else "round_prefer_floor")
    if mode not in ("nearest", "linear", "bilinear") or a.attr("antialias", 0) or a.attr("exclude_outside", 0):
        raise a.b.unsupported(f"resizing in mode {mode!r}, or with antialias", "nearest, linear")
    if min(sizes) < 1 or len(sizes) != rank:
        raise a.b.wrong(f"sizes {sizes} for an input of shape {list(x.shape)}")
    if sizes[:2] != list(x.shape[:2]) or rank not in (3, 4):
        raise a.b.unsupported(f"a resize of {list(x.shape)} to {sizes}", "height and width")
    if max(sizes) > MAX_DIM:
        raise a.b.unsupported(f"a resize of {list(x.shape)} to {sizes}", f"dimensions of 1 to {MAX_DIM}")
    places = [_places(a, coordinates, x.shape[i], sizes[i], factors[i]) for i in range(2, rank)]
    if mode == "nearest":
        return _nearest(a, x, sizes[2:], [_rounded(p, rounding, x.shape[i]) for i, p in enumerate(places, 2)])
    for align, half in ((0, 1), (0, 0), (1, 0)):
        ours = [_ours(x.shape[i], sizes[i], align, half) for i in range(2, rank)]
        ends = [x.shape[i] - 1 for i in range(2, rank)]
        if all(np.allclose(np.clip(p, 0, e), np.clip(o, 0, e)) for p, o, e in zip(places, ours, ends, strict=True)):
            return nchw.resize(a.b, x, sizes[2:], False, bool(align), bool(half))
    raise a.b.unsupported(f"coordinates {coordinates!r} to size {sizes[2:]}", "half_pixel, asymmetric, align_corners")


def _places(a: Args, mode: str, have: int, want: int, factor: float) -> Array:
    """Where each output pixel lies in the input."""
    out = np.arange(want, dtype=np.float64)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and want > 1):
        return (out + 0.5) / factor - 0.5
    if mode == "half_pixel_symmetric":
        length = factor * have
        adjusted = want / length
        return (have / 2) * (1 - adjusted) + (out + 0.5) / factor - 0.5
    if mode in ("asymmetric", "pytorch_half_pixel"):
        return out / factor
    if mode == "align_corners":
        length = have * factor
        return out * (have - 1) / (length - 1) if length > 1 else out * 0
    raise a.b.unsupported(f"coordinate_transformation_mode {mode!r}", "half_pixel, asymmetric, align_corners")


def _ours(have: int, want: int, align: int, half: int) -> Array:
    """Where each output pixel of `nchw.resize` lies in the input."""
    scale = (have - 1) / (want - 1) if align and want > 1 else have / want
    out = np.arange(want, dtype=np.float64)
    return (out + 0.5) * scale - 0.5 if half else out * scale


def _rounded(places: Array, mode: str, have: int) -> Array:
    rules: dict[str, Callable[[Array], Array]] = {
        "round_prefer_floor": lambda p: np.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: np.floor(p + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    exact = np.round(places, 6)  # what binary fractions leave of a third times three
    chosen: Array = np.clip(rules[mode](exact), 0, have - 1).astype(np.int64)
    return chosen


def _nearest(a: Args, x: Value, sizes: list[int], indices: list[Array]) -> Value:
    """The operator where one of its rules gives these pixels, else rows and columns taken one by one."""
    for align, half in ((0, 0), (0, 1), (1, 0)):
        ours = []
        for i, want in enumerate(sizes):
            have = x.shape[2 + i]
            scale = np.float32(have - 1) / np.float32(want - 1) if align and want > 1 else np.float32(have / want)
            place = (np.arange(want, dtype=np.float32) + np.float32(0.5 * half)) * scale
            ours.append(np.minimum(np.floor(place + (0.5 if align else 0)), have - 1).astype(np.int64))
        if all((o == i).all() for o, i in zip(ours, indices, strict=True)):
            return nchw.resize(a.b, x, sizes, True, bool(align), bool(half))
    for axis, chosen in enumerate(indices, 2):
        x = nchw.take(a.b, x, axis, chosen)
    return x


HANDLERS: dict[str, Handler] = {
    "AveragePool": _pool("average_pool"),
    "GlobalAveragePool": lambda a: nchw.global_pool(a.b, "average_pool", a.need(0, "input")),
    "GlobalMaxPool": lambda a: nchw.global_pool(a.b, "max_pool", a.need(0, "input")),
    "MaxPool": _pool("max_pool"),
    "Resize": _resize,
    "Upsample": _resize,
}
