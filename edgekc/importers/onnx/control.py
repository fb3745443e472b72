"""Nodes with graphs inside: loops become their steps one behind the other, and of a branch the one that is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ...errors import UnsupportedError
from .. import loops, nchw
from ..builder import Builder
from ..nchw.moves import axis_of
from ..value import Value, constant_value, elements
from .args import Args
from .file import FileModel

_LENGTH_FIX = "export with a fixed number of steps, without an end that depends on the data"
_BRANCH_FIX = "export the branch that is used, with fixed input shapes, or a choice by values (Where)"


class Run(Protocol):
    def __call__(self, graph: FileModel, inputs: Sequence[Value], loop: bool) -> list[Value] | None:
        """The graph's outputs; None where something in it was refused."""


def _if(a: Args, run: Run) -> list[Value]:
    condition, branches = a.need(0, "cond"), [_graph(a, key) for key in ("else_branch", "then_branch")]
    taken = _single(condition)
    if taken is None:
        what = "a branch that depends on what the model computes; supported: a condition that is constant"
        raise UnsupportedError(what, where=a.b.at, fix=_BRANCH_FIX)
    return run(branches[bool(taken)], (), False) or []


def _loop(a: Args, run: Run) -> list[Value]:
    body = _graph(a, "body")
    trips, condition = (_known(a, i, what) for i, what in ((0, "trip count"), (1, "condition")))
    carried = [a.need(i, f"variable {i - 2}") for i in range(2, len(a.node.inputs))]
    count = len(carried)
    if len(body.outputs) < 1 + count:
        raise a.b.wrong(f"its body has {len(body.outputs)} outputs for a condition and {count} variables")
    rows: list[list[Value]] = [[] for _ in body.outputs[1 + count :]]
    goes_on, step = condition is None or bool(condition), 0
    while goes_on and (trips is None or step < trips):
        ends = constant_value(np.array(step, np.int64), ""), constant_value(np.array(True), "")
        found = run(body, [*ends, *carried], True)
        if found is None:
            return []
        last = _single(found[0])
        if last is None:
            raise loops.unknown_length(_LENGTH_FIX, a.b.at)
        goes_on, carried, step = bool(last), found[1 : 1 + count], step + 1
        for run_of_rows, value in zip(rows, found[1 + count :], strict=True):
            run_of_rows.append(value)
    return [*carried, *(_stacked(a.b, values, 0) for values in rows)]


def _scan(a: Args, run: Run) -> list[Value]:
    if a.opset < 9:
        raise a.b.unsupported("Scan as before opset 9", "Scan of opset 9 and newer")
    body, sequences = _graph(a, "body"), int(a.attr("num_scan_inputs", 0))
    given = [a.need(i, f"input {i}") for i in range(len(a.node.inputs))]
    count = len(given) - sequences
    if not 1 <= sequences <= len(given) or len(body.outputs) < count:
        raise a.b.wrong(f"{sequences} sequences do not fit its inputs and outputs")
    carried, results = given[:count], len(body.outputs) - count
    axes = [axis_of(a.b, len(x.shape), axis) for x, axis in
            zip(given[count:], _each(a, "scan_input_axes", sequences), strict=True)]  # fmt: skip
    backwards = _each(a, "scan_input_directions", sequences)
    lengths = {x.shape[axis] for x, axis in zip(given[count:], axes, strict=True)}
    if len(lengths) != 1:
        raise a.b.wrong(f"sequences of {sorted(lengths)} steps")
    rows: list[list[Value]] = [[] for _ in range(results)]
    for step in range(steps := lengths.pop()):
        places = [steps - 1 - step if back else step for back in backwards]
        parts = [_row(a.b, x, axis, place) for x, axis, place in zip(given[count:], axes, places, strict=True)]
        found = run(body, [*carried, *parts], True)
        if found is None:
            return []
        carried = found[:count]
        for run_of_rows, value in zip(rows, found[count:], strict=True):
            run_of_rows.append(value)
    turned, along = (_each(a, f"scan_output_{what}", results) for what in ("directions", "axes"))
    rows = [values[::-1] if back else values for values, back in zip(rows, turned, strict=True)]
    return [*carried, *(_stacked(a.b, values, axis) for values, axis in zip(rows, along, strict=True))]


def _graph(a: Args, key: str) -> FileModel:
    found = a.attr(key, None)
    if not isinstance(found, FileModel):
        raise a.b.wrong(f"its graph ({key}) is missing")
    return found


def _single(value: Value) -> float | None:
    """A constant of one value; None: it is computed when the model runs."""
    return float(value.data.item()) if value.data is not None and value.data.size == 1 else None


def _known(a: Args, position: int, what: str) -> float | None:
    """A constant operand of one value; None: it is left out."""
    value = a.get(position)
    if value is None:
        return None
    found = _single(value)
    if found is None:
        raise loops.unknown_length(_LENGTH_FIX, a.b.at)
    return found


def _each(a: Args, key: str, count: int) -> list[int]:
    """A number for each of `count` sequences."""
    found = [int(n) for n in a.attr(key, [0] * count)]
    if len(found) != count:
        raise a.b.wrong(f"{key} has {len(found)} numbers for {count} sequences")
    return found


def _row(b: Builder, x: Value, axis: int, place: int) -> Value:
    """What lies at one place of an axis, without the axis."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    if x.data is not None:
        return constant_value(x.data.take(place, axis), x.source)
    starts, sizes = [0] * len(x.shape), list(x.shape)
    starts[axis], sizes[axis] = place, 1
    return nchw.reshape(b, nchw.strided(b, x, starts, sizes, [1] * len(sizes)), shape)


def _stacked(b: Builder, values: Sequence[Value], axis: int) -> Value:
    """Values of one shape as the rows of a new axis."""
    if not values:
        raise b.unsupported("a sequence of no steps", "one step and more")
    if all(v.data is not None for v in values):
        return constant_value(np.stack([v.data for v in values if v.data is not None], axis), values[0].source)
    shape = values[0].shape
    if any(v.shape != shape for v in values):
        raise b.unsupported("rows of several shapes", "rows of one shape")
    flat = [nchw.reshape(b, v, (1, 1, elements(shape))) for v in values]
    out = nchw.reshape(b, nchw.concat(b, flat, 1), (len(values), *shape))
    rank = 1 + len(shape)
    axis = axis_of(b, rank, axis)
    return nchw.transpose(b, out, [*range(1, axis + 1), 0, *range(axis + 1, rank)])


HANDLERS: Mapping[str, Callable[[Args, Run], list[Value]]] = {"If": _if, "Loop": _loop, "Scan": _scan}
