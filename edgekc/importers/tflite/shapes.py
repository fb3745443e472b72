"""Arithmetic on shapes, done when the model is compiled.

A model whose batch size is free computes the target of a RESHAPE at run time: SHAPE of the input, a slice of
it, PACK of that and of numbers. Here the batch size is one, so that all of it is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...graph.ir import Array

Options = Mapping[str, int | float]
Parts = list[Array]
Fold = Callable[[Options, Sequence[Array]], Array]
Folds = Callable[[Options, Sequence[Array]], Parts]
_MOST = 1 << 20  # values of a result; guards against absurd files
_MASKS = ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")


def _strided_slice(options: Options, inputs: Sequence[Array]) -> Array:
    x, *bounds = inputs
    place: list[Any] = []
    for i, (begin, end, step) in enumerate(zip(*(v.ravel().tolist() for v in bounds), strict=True)):
        masks = {name: int(options[f"{name}Mask"]) >> i & 1 for name in _MASKS}
        if masks["Ellipsis"]:
            place.append(...)
        elif masks["NewAxis"]:
            place.append(None)
        elif masks["ShrinkAxis"]:
            place.append(begin)
        else:
            end = begin + end if options["Offset"] else end
            place.append(slice(None if masks["Begin"] else begin, None if masks["End"] else end, step))
    return np.asarray(x[tuple(place)])


def _gather(options: Options, inputs: Sequence[Array]) -> Array:
    if options["BatchDims"]:
        raise ValueError("batch dimensions are not known")
    return np.take(inputs[0], inputs[1], axis=int(options["Axis"]))


def _product(options: Options, inputs: Sequence[Array]) -> Array:
    axes = tuple(int(a) for a in inputs[1].ravel())
    return np.asarray(np.prod(inputs[0], axis=axes, keepdims=bool(options["KeepDims"])))


def _slice(options: Options, inputs: Sequence[Array]) -> Array:
    x, begins, sizes = inputs
    ends = [None if size == -1 else begin + size for begin, size in zip(begins.ravel(), sizes.ravel(), strict=True)]
    return x[tuple(slice(int(begin), end) for begin, end in zip(begins.ravel(), ends, strict=True))]


def _range(options: Options, inputs: Sequence[Array]) -> Array:
    start, limit, step = (int(v.ravel()[0]) for v in inputs)
    if step == 0 or (limit - start) // step > _MOST:
        raise ValueError(f"a range from {start} to {limit} by steps of {step}")
    return np.arange(start, limit, step, dtype=np.int64)


def _fill(options: Options, inputs: Sequence[Array]) -> Array:
    shape = [int(d) for d in inputs[0].ravel()]
    if any(d < 0 for d in shape) or math.prod(shape) > _MOST:
        raise ValueError(f"a result of shape {shape}")
    return np.full(shape, inputs[1].ravel()[0])


def _tile(options: Options, inputs: Sequence[Array]) -> Array:
    repeats = [int(v) for v in inputs[1].ravel()]
    if any(v < 0 for v in repeats) or inputs[0].size * math.prod(repeats) > _MOST:
        raise ValueError(f"a tensor repeated {repeats} times")
    return np.tile(inputs[0], repeats)


def _broadcast(options: Options, inputs: Sequence[Array]) -> Array:
    shape = [int(d) for d in inputs[1].ravel()]
    if any(d < 0 for d in shape) or math.prod(shape) > _MOST:
        raise ValueError(f"a result of shape {shape}")
    return np.broadcast_to(inputs[0], shape)


def _each(compute: Callable[[Array, Array], Array]) -> Fold:
    return lambda options, inputs: compute(inputs[0], inputs[1])


def _divided(compute: Callable[[Array, Array], Array]) -> Fold:
    def fold(options: Options, inputs: Sequence[Array]) -> Array:
        if not np.all(inputs[1]):
            raise ValueError("a division by zero")
        return compute(inputs[0], inputs[1])

    return fold


def _truncated(a: Array, b: Array) -> Array:
    """DIV of integers rounds towards zero."""
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _unpack(options: Options, inputs: Sequence[Array]) -> Parts:
    axis = int(options["Axis"])
    return [np.take(inputs[0], i, axis) for i in range(inputs[0].shape[axis])]


FOLDS: dict[str, Fold | Folds] = {
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "PACK": lambda options, inputs: np.stack(inputs, int(options["Axis"])),
    "UNPACK": _unpack,
    "SPLIT": lambda options, inputs: np.split(inputs[1], int(options["NumSplits"]), int(inputs[0].ravel()[0])),
    "GATHER": _gather,
    "REDUCE_PROD": _product,
    "CONCATENATION": lambda options, inputs: np.concatenate(inputs, int(options["Axis"])),
    "RESHAPE": lambda options, inputs: inputs[0].reshape([int(d) for d in inputs[1].ravel()]),
    "EXPAND_DIMS": lambda options, inputs: np.expand_dims(inputs[0], int(inputs[1].ravel()[0])),
    "CAST": lambda options, inputs: inputs[0],
    "FILL": _fill,
    "RANGE": _range,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast,
    "TRANSPOSE": lambda options, inputs: inputs[0].transpose([int(p) for p in inputs[1].ravel()]),
    "ADD": _each(np.add),
    "SUB": _each(np.subtract),
    "MUL": _each(np.multiply),
    "MAXIMUM": _each(np.maximum),
    "MINIMUM": _each(np.minimum),
    "DIV": _divided(_truncated),
    "FLOOR_DIV": _divided(np.floor_divide),
    "FLOOR_MOD": _divided(np.mod),
}


# Those that move values, and so may be computed of constants of any type.
MOVES = frozenset(
    ("STRIDED_SLICE", "SLICE", "PACK", "UNPACK", "SPLIT", "GATHER", "CONCATENATION", "RESHAPE", "EXPAND_DIMS", "TILE",
     "BROADCAST_TO", "TRANSPOSE", "FILL")
)  # fmt: skip


def fold(builtin: str, options: Options, inputs: Sequence[Array]) -> list[Array]:
    """The values that an operator of FOLDS computes, one for each output.

    Raises:
        ValueError: they cannot be computed, or are more than dimensions of tensors ever are.
    """
    try:
        result = FOLDS[builtin](options, [x if x.dtype.kind == "f" else x.astype(np.int64) for x in inputs])
    except (IndexError, TypeError) as error:  # axis out of range, wrong number of operands
        raise ValueError(str(error)) from error
    results = [np.asarray(r) for r in result] if isinstance(result, list) else [np.asarray(result)]
    for found in results:
        if found.size > _MOST:
            raise ValueError(f"a result of shape {list(found.shape)}")
    return results


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
