"""One of two tensors where a third is true, else the other, int8 or float32: definition, lowerings and C kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Role, Tensor, constant
from ..graph.op import Case, IntAttrs, Interval, Kernel, Lowered, Number, Op, Operand, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from . import lut
from .compare import TRUTH
from .shared import broadcast, single
from .shared import elementwise as ew
from .shared.channels import channelwise
from .shared.checks import channels_of, is_constant, known, require_int8, require_same_quant, spread
from .shared.operands import EITHER_A, EITHER_B, A, B
from .shared.testing import fills
from .shared.ties import channelwise as channelwise_ties

ATTRS = ("swapped",)  # 1: the first tensor is taken where the condition is false
CONDITION = Operand("condition")


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    out = tuple(shapes[0])
    for shape in shapes[1:]:
        out = ew.broadcast_shape(out, shape)
    if len(_runs(out, shapes)) > broadcast.MOST_RUNS:
        raise UnsupportedError(f"a choice between shapes {[list(s) for s in shapes]}: the axes alternate too often")
    return [out]


def _runs(out: Shape, shapes: Sequence[Shape]) -> list[tuple[int, tuple[bool, ...]]]:
    """The output as runs of axes that broadcast alike: (size, which of the tensors have them)."""
    found: list[tuple[int, tuple[bool, ...]]] = []
    aligned = [ew.align(shape, len(out)) for shape in shapes]
    for i, size in enumerate(out):
        if size == 1:
            continue
        kind = tuple(shape[i] > 1 for shape in aligned)
        if found and found[-1][1] == kind:
            found[-1] = (found[-1][0] * size, kind)
        else:
            found.append((size, kind))
    return found


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    rank = max(x.ndim for x in inputs)
    condition, a, b = (x.reshape(ew.align(x.shape, rank)) for x in inputs)
    return [np.where((condition != 0) != bool(attrs["swapped"]), a, b)]


def lower(view: View) -> Lowered:
    require_int8(view)
    require_same_quant(View(view.node, view.inputs[1:], view.outputs))
    return _lowered(view)


def lower_reals(view: View) -> Lowered:
    """Of float32: by the kernel that chooses bytes, with one more loop."""
    chosen = View(view.node, view.inputs[1:], view.outputs)
    single.require_single(chosen)
    lowered = _lowered(view)
    shapes = [t.shape for t in (*(t for t in view.inputs if not is_constant(t)), *lowered.constants)]
    if len(_runs(view.out.shape, shapes)) >= broadcast.MOST_RUNS:
        what = f"a choice between float32 tensors of shapes {[list(s) for s in shapes]}: the axes alternate too often"
        raise UnsupportedError(what, where=view.node.name)
    return lowered


def _lowered(view: View) -> Lowered:
    condition, a, b = view.inputs
    if is_constant(condition) or condition.q != TRUTH:
        raise UnsupportedError("a choice by what is not true or false at run time", where=view.node.name)
    rank = len(view.out.shape)
    if any(len(t.shape) != rank for t in (condition, a, b) if not is_constant(t)):
        raise UnsupportedError(f"a choice between tensors that do not all have {rank} axes", where=view.node.name)
    swapped = int(is_constant(a) and not is_constant(b))
    if swapped:
        a, b = b, a
    if is_constant(a):
        return _table(view, condition, a, b)
    held = []
    if is_constant(b):
        data = b.value.reshape((1,) * (rank - b.value.ndim) + b.value.shape)
        held.append(constant(f"{view.node.name}/b", data, Role.WEIGHTS))
    infer({}, [condition.shape, a.shape, held[0].shape if held else b.shape])
    names = (condition.name, a.name) if held else (condition.name, a.name, b.name)
    return Lowered("select", dict(swapped=swapped), names, tuple(held))


def _table(view: View, condition: Tensor, a: Tensor, b: Tensor) -> Lowered:
    if a.value.size != 1 or b.value.size != 1 or condition.shape != view.out.shape:
        raise UnsupportedError("a choice between two constants of more than one value", where=view.node.name)
    levels = np.where(lut.byte_values("int8") != 0, a.value.ravel(), b.value.ravel())
    return lut.lowered(View(view.node, (condition,), view.outputs), levels)


def validate(view: View) -> None:
    if view["swapped"] not in (0, 1):
        raise ModelError(f"swapped is {view['swapped']}, expected 0 or 1")
    condition, *chosen = (*view.inputs, view.out)
    if condition.dtype != "int8" or {t.dtype for t in chosen} not in ({"int8"}, {"float32"}):
        found = ", ".join(t.dtype for t in (condition, *chosen))
        raise ModelError(f"a choice of {found}; the condition must be int8, and the others int8 or float32")
    if len(_runs_of_bytes(view)) > broadcast.MOST_RUNS:
        raise ModelError(f"a choice of float32 by {broadcast.MOST_RUNS} loops, which has one for bytes too")


def ranges(view: View, inputs: Sequence[Interval | None]) -> Interval:
    """What either tensor can be."""
    channels = channels_of(view.out)
    a, b = (spread(known(t, i), channels) for t, i in zip(view.inputs[1:], (*inputs[1:], None), strict=False))
    return Interval(np.minimum(a.low, b.low), np.maximum(a.high, b.high))


_LETTERS = "cab"  # condition, a, b


def _runs_of_bytes(view: View) -> list[tuple[int, tuple[bool, ...]]]:
    """The runs of an INTEGER node's elements, and one for the bytes of a number."""
    found = _runs(view.out.shape, [t.shape for t in view.inputs])
    size = np.dtype(view.out.dtype).itemsize
    return found if size == 1 else [*found, (size, (False, True, True))]


def _in_place(view: View) -> tuple[int, ...]:
    """The condition has fewer bytes than a choice of float32."""
    return tuple(i for i in ew.in_place(view) if i or view.out.dtype == "int8")


def _params(view: View) -> dict[str, Param]:
    found = _runs_of_bytes(view)
    found = [(1, (True,) * 3)] * (broadcast.MOST_RUNS - len(found)) + found
    values: dict[str, Number] = {}
    steps = dict.fromkeys(_LETTERS, 1)
    for i, (size, present) in reversed(list(enumerate(found))):
        values[f"n{i}"] = size
        for name, there in zip(_LETTERS, present, strict=True):
            values[f"{name}{i}"] = steps[name] if there else 0
            steps[name] *= size if there else 1
    own: dict[str, Param] = {f"c{i}": values.pop(f"c{i}") for i in range(broadcast.MOST_RUNS)}
    b = view.inputs[2]
    return {"loops": values, **own, "swapped": view["swapped"], "constant": b.name if is_constant(b) else 0}


def _kernel(symbol: str, held: bool, sources: tuple[str, ...]) -> Kernel:
    return Kernel(
        symbol=symbol,
        header="ek_select.h",
        struct="ek_select_params",
        fields=(
            broadcast.LOOPS_FIELD,
            *(("uint32_t", f"c{i}") for i in range(broadcast.MOST_RUNS)),
            ("uint8_t", "swapped"),
            ("const int8_t *", "constant"),
        ),
        params=_params,
        accepts=lambda view: is_constant(view.inputs[2]) == held,
        in_place=_in_place,
        sources=sources,
    )


def cases(rng: np.random.Generator) -> list[Case]:
    shapes: list[tuple[str, Shape, Shape, Shape]] = [
        ("same", (1, 3, 5, 7), (1, 3, 5, 7), (1, 3, 5, 7)),
        ("one", (1, 1), (1, 1), (1, 1)),
        ("scalar", (1, 3, 4, 5), (1, 3, 4, 5), (1, 1, 1, 1)),
        ("channel", (1, 3, 4, 5), (1, 1, 1, 5), (1, 3, 4, 1)),
        ("map", (1, 3, 4, 1), (1, 3, 4, 5), (1, 1, 1, 5)),
        ("condition-of-one", (1, 1), (1, 33), (1, 33)),
        ("five-runs", (1, 2, 1, 3, 1, 4), (1, 1, 2, 1, 3, 4), (1, 2, 2, 3, 3, 4)),
    ]
    out = []
    for i, (name, *each) in enumerate(shapes):
        for k, (fill, a) in enumerate(fills(rng, each[1])):
            condition = rng.integers(0, 2, each[0]).astype(np.int8)
            if k == 1:
                condition = fills(rng, each[0])[0][1]  # anything but 0 is true
            b = rng.integers(-128, 128, each[2]).astype(np.int8)
            attrs = dict(swapped=(i + k) % 2)
            out.append(Case(f"{name}-{fill}", attrs, (condition, a, b)))
            if name != "five-runs":
                reals = (x.astype(np.float32) / np.float32(7) for x in (a, b))
                out.append(Case(f"{name}-{fill}-float", attrs, (condition, *reals)))
    return out


OP = Op(
    name="select",
    code=62,
    attrs=ATTRS,
    operands=(CONDITION, A, B),
    infer=infer,
    reference=reference,
    kernels=(_kernel("ek_select_s8", False, ()), _kernel("ek_select_const_s8", True, ("ek_select_s8",))),
    ranges=ranges,
    validate=validate,
    channels=channelwise,
    elementwise=True,
    cases=cases,
    single=True,
)


def _aligned(view: View, operands: Sequence[Any]) -> list[Any]:
    """Of numpy or PyTorch: the operands with ones behind their batch, up to the rank of the output."""
    rank = len(view.out.shape)
    return [x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) if x.ndim else x for x in operands]


def _real(view: View, operands: Sequence[Array]) -> Array:
    condition, a, b = _aligned(view, operands)
    return np.asarray(np.where(condition != 0, a, b), np.float32)


def _in_torch(torch: Any, view: View, operands: Sequence[Any]) -> Any:
    condition, a, b = _aligned(view, operands)
    return torch.where(condition != 0, a, b)


SOURCE = SourceOp(
    "select",
    lower,
    FloatHalf(_real, _in_torch, channelwise_ties, shares_scale=True, apart=1, masks="chosen"),
    clamps=False,
    operands=(CONDITION, EITHER_A, EITHER_B),
)
IN_FLOAT = {"select": lower_reals}
