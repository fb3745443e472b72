"""Arithmetic on shapes, done when the model is compiled.

A model whose batch size is free computes the target of a RESHAPE at run time: SHAPE of the input, a slice of
it, PACK of that and of numbers. Here the batch size is one, so that all of it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...graph.ir import Array

Options = Mapping[str, int | float]
_MAX_RANK = 16  # no vector of dimensions is longer; guards against absurd files


def _strided_slice(options: Options, inputs: Sequence[Array]) -> Array:
    x, begin, end, stride = inputs
    if (
        options["EllipsisMask"]
        or options["NewAxisMask"]
        or x.ndim != 1
        or not begin.size == end.size == stride.size == 1
    ):
        raise ValueError("only a slice of a vector is known")
    first, last, step = (int(v.ravel()[0]) for v in (begin, end, stride))
    if options["ShrinkAxisMask"]:
        return np.asarray(x[first])
    return x[slice(None if options["BeginMask"] else first, None if options["EndMask"] else last, step)]


def _gather(options: Options, inputs: Sequence[Array]) -> Array:
    if options["BatchDims"]:
        raise ValueError("batch dimensions are not known")
    return np.take(inputs[0], inputs[1], axis=int(options["Axis"]))


def _product(options: Options, inputs: Sequence[Array]) -> Array:
    axes = tuple(int(a) for a in inputs[1].ravel())
    return np.asarray(np.prod(inputs[0], axis=axes, keepdims=bool(options["KeepDims"])))


FOLDS: dict[str, Callable[[Options, Sequence[Array]], Array]] = {
    "STRIDED_SLICE": _strided_slice,
    "PACK": lambda options, inputs: np.stack(inputs, int(options["Axis"])),
    "GATHER": _gather,
    "REDUCE_PROD": _product,
    "CONCATENATION": lambda options, inputs: np.concatenate(inputs, int(options["Axis"])),
}


def fold(builtin: str, options: Options, inputs: Sequence[Array]) -> Array:
    """The value that an operator of FOLDS computes. ValueError where it cannot be, or is no vector of dimensions."""
    try:
        result = FOLDS[builtin](options, [x.astype(np.int64) for x in inputs])
    except (IndexError, TypeError) as error:  # axis out of range, wrong number of operands
        raise ValueError(str(error)) from error
    if result.ndim > 1 or result.size > _MAX_RANK:
        raise ValueError(f"a result of shape {list(result.shape)} is no vector of dimensions")
    return result


def resolve(target: Sequence[int], elements: int) -> tuple[int, ...]:
    """The shape that a RESHAPE to `target` gives a tensor; a dimension of -1 takes what is left.

    Raises:
        ValueError: it has another number of elements.
    """
    known = 1
    for d in target:
        known *= 1 if d == -1 else d
    free = sum(d == -1 for d in target)
    if free > 1 or known < 1 or any(d < -1 for d in target) or elements % known or (not free and known != elements):
        raise ValueError(f"{elements} values do not reshape to {list(target)}")
    return tuple(elements // known if d == -1 else d for d in target)
