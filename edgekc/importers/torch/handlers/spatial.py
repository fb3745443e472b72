"""Pools, and images of another size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ... import nchw
from ...value import Value
from ..call import Call
from .common import Handler


def _pool(op: str, count: int) -> Callable[[Call], Value]:
    def handler(c: Call) -> Value:
        if c.args.get("divisor_override") is not None:
            raise c.b.unsupported("divisor_override", "the number of pixels")
        kernel = c.spatial("kernel_size", count)
        pads = [p for p in c.spatial("padding", count) for _ in range(2)]
        counted, ceil = bool(c.args.get("count_include_pad", False)), bool(c.args.get("ceil_mode", False))
        stride, dilation = c.spatial("stride", count, kernel), c.spatial("dilation", count, [1])
        return nchw.pool(c.b, op, c.value("self"), kernel, stride, dilation, pads, ceil, counted)

    return handler


def _across_channels(c: Call) -> Value:
    """Means of neighbouring channels, as LocalResponseNorm takes them in three dimensions; no other pool of these."""
    x, (size, h, w) = c.value("self"), c.spatial("kernel_size", 3)
    plain = c.spatial("stride", 3, (size, h, w)) == [1, 1, 1] and not any(c.ints("padding"))
    if (h, w) != (1, 1) or not plain or len(x.shape) != 5 or x.shape[:2] != (1, 1):
        raise c.b.unsupported(f"pooling of a tensor of shape {list(x.shape)}", "3 or 4 dimensions")
    _, _, channels, *rest = x.shape
    image = nchw.reshape(c.b, x, (1, channels, *rest))
    out = nchw.across_channels(c.b, image, 0, size, channels - size + 1, 1 / size, 0.0)
    return nchw.reshape(c.b, out, (1, *out.shape))


def _adaptive(op: str, count: int) -> Callable[[Call], Value]:
    return lambda c: nchw.adaptive_pool(c.b, op, c.value("self"), c.spatial("output_size", count))


def _resize(nearest: bool, exact: bool = False) -> Handler:
    """Nearest pixels of PyTorch are those that the size gives; `exact` ones those of pixels' centres."""

    def handler(c: Call) -> Value:
        x = c.value("input" if "input" in c.args else "self")
        count = len(x.shape) - 2
        if c.args.get("output_size") is not None:
            sizes = c.spatial("output_size", count)
        else:
            factors = c.args.get("scale_factors") or []
            sizes = [int(np.floor(d * float(f))) for d, f in zip(x.shape[2:], factors, strict=True)]
            fixed = [s == d * float(f) for s, d, f in zip(sizes, x.shape[2:], factors, strict=True)]
            if not all(fixed):
                raise c.b.unsupported(f"factors {factors} of {list(x.shape[2:])}", "factors that give whole sizes")
        align = bool(c.args.get("align_corners"))
        return nchw.resize(c.b, x, sizes, nearest, align, not align if not nearest else exact)

    return handler


def _shuffle(c: Call) -> Value:
    return nchw.depth_to_space(c.b, c.value("self"), c.ints("upscale_factor")[0], True)


def _unshuffle(c: Call) -> Value:
    x, (block,) = c.value("self"), c.ints("downscale_factor")
    return nchw.space_to_depth(c.b, x, block, True)


def _channel_shuffle(c: Call) -> Value:
    x, (groups,) = c.value("self"), c.ints("groups")
    n, channels, *rest = x.shape
    split = nchw.reshape(c.b, x, (n, groups, channels // groups, *rest))
    return nchw.reshape(c.b, nchw.transpose(c.b, split, (0, 2, 1, *range(3, len(rest) + 3))), x.shape)


HANDLERS: dict[str, Handler] = {
    "_adaptive_avg_pool2d": _adaptive("average_pool", 2),
    "_upsample_nearest_exact1d": _resize(True, exact=True),
    "_upsample_nearest_exact2d": _resize(True, exact=True),
    "adaptive_avg_pool1d": _adaptive("average_pool", 1),
    "adaptive_avg_pool2d": _adaptive("average_pool", 2),
    "adaptive_max_pool2d": lambda c: (_adaptive("max_pool", 2)(c), None),
    "avg_pool1d": _pool("average_pool", 1),
    "avg_pool2d": _pool("average_pool", 2),
    "avg_pool3d": _across_channels,
    "channel_shuffle": _channel_shuffle,
    "max_pool2d_with_indices": lambda c: (_pool("max_pool", 2)(c), None),
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _unshuffle,
    "upsample_bilinear2d": _resize(False),
    "upsample_linear1d": _resize(False),
    "upsample_nearest1d": _resize(True),
    "upsample_nearest2d": _resize(True),
}
